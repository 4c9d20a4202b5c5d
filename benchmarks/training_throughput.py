"""How near is a training step to plain PyTorch, and to what this core's matrix products allow?

    python -m benchmarks.training_throughput [--nanogpt MODEL.PY] [--write docs/performance.md]

A step of ours is the one that a sweep takes: its batch, forward, loss, backward, clipping,
optimizer. The peer is the model as one would write it by hand in PyTorch, with as many parameters
and the fused optimizer, on a batch that is there already; nanoGPT's model (a checkout's `model.py`)
is a second peer of the Transformer. The limit is the time of the step's matrix products alone, at
the same shapes and in the same number format. All take turns in one process with one thread.

Shape suffixes: B batch, T time, V vocabulary.
"""

import argparse
import functools
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.pages import (
    marks,
    replace_section,
    surroundings,
    surroundings_sentence,
)
from benchmarks.plain_models import PLAIN
from benchmarks.timing import Timing, take_turns
from benchmarks.transformer import load_nanogpt, nanogpt_step
from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training.process import prepare_process
from picosweep.pico.trial import TrialConfig, resolve

MARKS: Final = marks("training throughput", "training_throughput")
FORMATS: Final = {"fp32": torch.float32, "bf16": torch.bfloat16}
LARGE: Final = 10_000_000
"""Parameters above which a step takes seconds, and three turns must do."""

Product = tuple[int, int, int, int]
"""Rows, inner size, columns of a matrix product of the forward pass, and how often it is made: by
one matrix where the rows differ (a recurrence), by others where they are all tokens (layers)."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model, and the batch that it trains on."""

    architecture: str
    settings: Mapping[str, Any]
    batch_size: int = 32
    block_size: int = 64
    vocab_size: int = 64


_GPT: Final[dict[str, Any]] = {"position": "learned", "norm": "layer", "tied_head": True}
CASES: Final = (
    Case(architecture="kgram", settings={"context_size": 3, "embed_size": 16, "hidden_size": 64}),
    Case(architecture="kgram", settings={"context_size": 4, "embed_size": 64, "hidden_size": 256}),
    Case(architecture="kgram", vocab_size=2048,
         settings={"context_size": 8, "embed_size": 128, "hidden_size": 512}),
    Case(architecture="lstm", settings={"embed_size": 32, "hidden_size": 32}),
    Case(architecture="lstm", settings={"embed_size": 64, "hidden_size": 192}),
    Case(architecture="lstm", vocab_size=2048, settings={"embed_size": 256, "hidden_size": 512}),
    Case(architecture="transformer",
         settings={"num_layers": 2, "num_heads": 4, "embed_size": 32, **_GPT}),
    Case(architecture="transformer",
         settings={"num_layers": 4, "num_heads": 4, "embed_size": 128, **_GPT}),
    Case(architecture="transformer", vocab_size=2048, batch_size=8,
         settings={"num_layers": 8, "num_heads": 8, "embed_size": 512, **_GPT}),
    Case(architecture="linear_transformer",
         settings={"num_layers": 2, "num_heads": 4, "embed_size": 32, **_GPT}),
    Case(architecture="linear_transformer",
         settings={"num_layers": 4, "num_heads": 4, "embed_size": 128, **_GPT}),
)  # fmt: skip


def products(case: Case) -> list[Product]:
    """Return the matrix products of a forward pass; those inside attention heads are left out."""
    s, num_tokens = case.settings, case.batch_size * case.block_size
    if case.architecture == "kgram":
        return [
            (num_tokens, s["context_size"] * s["embed_size"], s["hidden_size"], 1),
            (num_tokens, s["hidden_size"], case.vocab_size, 1),
        ]
    if case.architecture == "lstm":
        gates = 4 * s["hidden_size"]
        return [
            (num_tokens, s["embed_size"], gates, 1),
            (case.batch_size, s["hidden_size"], gates, case.block_size),
            (num_tokens, s["hidden_size"], case.vocab_size, 1),
        ]
    width, layers = s["embed_size"], s["num_layers"]
    return [
        (num_tokens, width, 3 * width, layers),
        (num_tokens, width, width, layers),
        (num_tokens, width, 4 * width, layers),
        (num_tokens, 4 * width, width, layers),
        (num_tokens, width, case.vocab_size, 1),
    ]


def products_alone(case: Case, name: str) -> tuple[Callable[[], None], float]:
    """Return what makes these products and both gradients of each, and its FLOPs."""
    operands = []
    for rows, inner, columns, times in products(case):
        x, weight, gradient = (
            torch.randn(shape).to(FORMATS[name])
            for shape in ((rows, inner), (columns, inner), (rows, columns))
        )
        recurrent = rows < case.batch_size * case.block_size
        # The gradient of a recurrence's matrix is one product over all time steps.
        whole_x, whole_gradient = (
            one.repeat(times, 1) if recurrent else one for one in (x, gradient)
        )
        operands.append((x, weight, gradient, times, whole_x, whole_gradient))

    def run() -> None:
        for x, weight, gradient, times, whole_x, whole_gradient in operands:
            for _ in range(times):
                functional.linear(x, weight)
                gradient @ weight
            for _ in range(times if whole_x is x else 1):
                whole_gradient.t() @ whole_x

    return run, sum(6.0 * m * k * n * times for m, k, n, times in products(case))


def our_step(case: Case, name: str, data: PreparedData) -> tuple[Callable[[], None], int]:
    """Return a step of a sweep's training, and how many parameters it trains."""
    settings = {**case.settings, "batch_size": case.batch_size, "precision": name}
    model, training = resolve(case.architecture, settings)
    trial = TrialConfig(
        architecture=case.architecture, model=model, training=training, block_size=case.block_size
    )
    loop = TrainingLoop(trial, data)
    return loop.advance, sum(p.numel() for p in loop.model.parameters())


def plain_step(
    case: Case, name: str, batch: tuple[Tensor, Tensor], vocab_size: int
) -> tuple[Callable[[], None], int]:
    """Return the step that one would write by hand, and how many parameters it trains."""
    model: nn.Module = PLAIN[case.architecture](case.settings, vocab_size, case.block_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    ids_BT, targets_BT = batch

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
            logits_BTV = model(ids_BT)
        loss = functional.cross_entropy(logits_BTV.flatten(0, 1).float(), targets_BT.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step, sum(p.numel() for p in model.parameters())


def freely(step: Callable[[], None]) -> Callable[[], None]:
    """Let a peer's step choose algorithms whose bits may differ from run to run."""

    def run() -> None:
        torch.use_deterministic_algorithms(mode=False)
        step()
        torch.use_deterministic_algorithms(mode=True, warn_only=True)

    return run


def measure(case: Case, name: str, data: PreparedData, nanogpt: Path | None, rounds: int) -> Any:
    """Let the steps of one model in one number format take turns; return a row.

    Raises:
        RuntimeError: two models that are compared have not the same size.
    """
    vocab_size = data.meta.vocab_size
    case = Case(**{**vars(case), "vocab_size": vocab_size})
    torch.manual_seed(0)
    shape = (2, case.batch_size, case.block_size)
    ids_BT, targets_BT = torch.randint(vocab_size, shape).unbind()
    ours, num_params = our_step(case, name, data)
    plain, num_plain = plain_step(case, name, (ids_BT, targets_BT), vocab_size)
    if num_params != num_plain:
        raise RuntimeError(f"{case}: ours has {num_params} parameters, the peer {num_plain}")
    limit, flops = products_alone(case, name)
    candidates = {"plain": freely(plain), "ours": ours, "limit": limit}
    if nanogpt is not None and case.architecture == "transformer" and name == "fp32":
        s = case.settings
        size = (s["num_layers"], s["num_heads"], s["embed_size"], vocab_size, case.block_size, 0)
        candidates["nanogpt"] = freely(
            nanogpt_step(load_nanogpt(nanogpt), size, ids_BT, targets_BT)
        )
    few = 3 if num_params > LARGE else rounds
    found = {one.name: one for one in take_turns(candidates, rounds=few)}
    tokens = case.batch_size * case.block_size
    return {
        "architecture": case.architecture,
        "num_params": num_params,
        "tokens": tokens,
        "format": name,
        "tokens_per_second": 1e3 * tokens / found["ours"].milliseconds,
        "plain": _ratio(found["ours"]),
        "nanogpt": _against(found, "nanogpt"),
        "limit": found["limit"].milliseconds / found["ours"].milliseconds,
        "gflops": flops / found["limit"].milliseconds / 1e6,
    }


def _ratio(timing: Timing) -> tuple[float, float, float]:
    return (timing.times_faster, *timing.spread)


def _against(found: Mapping[str, Timing], peer: str) -> float | None:
    return found[peer].milliseconds / found["ours"].milliseconds if peer in found else None


def section(content: Mapping[str, Any]) -> list[str]:
    """Return the lines of the section, in Markdown."""
    lines = [
        f"{surroundings_sentence(dict(content))} One thread; medians of {content['rounds']} turns "
        "(three above ten million parameters), with quartiles.",
        "",
        "| architecture | parameters | tokens a step | format | tokens/s "
        "| plain PyTorch's time over ours | nanoGPT's over ours | matrix products alone "
        "| their rate |",
        "|---|---:|---:|---|---:|---|---:|---:|---:|",
    ]
    for row in content["found"]:
        middle, low, high = row["plain"]
        nanogpt = "" if row["nanogpt"] is None else f"{row['nanogpt']:.2f}"
        lines.append(
            f"| {row['architecture']} | {row['num_params']:,} | {row['tokens']:,} "
            f"| {row['format']} | {row['tokens_per_second']:,.0f} "
            f"| {middle:.2f} ({low:.2f} to {high:.2f}) | {nanogpt} | "
            f"{row['limit']:.0%} of the step | {row['gflops']:.0f} GFLOP/s |"
        )
    return lines


def prepared(folder: Path, vocab_size: int) -> PreparedData:
    """Return data of random words in a vocabulary of about so many tokens."""
    text = folder / "text.jsonl"
    random = np.random.default_rng(0)
    words = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"])
    documents = [" ".join(random.choice(words, size=80)) for _ in range(4000)]
    text.write_text("\n".join(json.dumps({"text": one}) for one in documents))
    kind = TokenizerConfig(kind="char")
    if vocab_size > 256:
        kind = TokenizerConfig(kind="bpe", vocab_size=vocab_size)
    return prepare(DataConfig(source=str(text), block_size=64, tokenizer=kind), folder)


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--nanogpt", type=Path, help="a checkout's model.py")
    parser.add_argument("--write", type=Path, help="page whose section is replaced")
    given = parser.parse_args()
    prepare_process()
    content: dict[str, Any] = {**surroundings(), "rounds": given.rounds, "found": []}
    with tempfile.TemporaryDirectory() as name:
        data_of = functools.lru_cache(functools.partial(prepared, Path(name)))
        for case in CASES:
            for form in FORMATS:
                row = measure(case, form, data_of(case.vocab_size), given.nanogpt, given.rounds)
                content["found"].append(row)
                sys.stdout.write(f"{section({**content, 'found': [row]})[-1]}\n")
                sys.stdout.flush()
    if given.write is not None:
        given.write.with_name("throughput.json").write_text(json.dumps(content, indent=1) + "\n")
        replace_section(given.write, MARKS, section(content))


if __name__ == "__main__":
    main()
