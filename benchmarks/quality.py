"""Trains small models to published losses, and says which are reached.

Each case is one training run on the whole training part, judged on the whole validation part:

    python -m benchmarks.quality --data FOLDER [--nanogpt CHECKOUT/model.py]

FOLDER holds `tinyshakespeare/input.txt` and `names/names.txt`; a case whose file is missing is
skipped, with the reason. With nanoGPT's `model.py`, its own model is trained beside ours on the
same rows. Ends with exit code 1 when a case misses its anchor.

Two things to know of the anchors:

- nanoGPT's published 1.88 is an estimate over 20 random batches. Its own model, trained as
  published, has 1.905 and 1.917 (two seeds) on the whole validation text, and estimates over 20
  batches between 1.88 and 1.94. Losses here are always over the whole text.
- An unseen window of a number family is one that training does not hold. Its numbers are all seen:
  to a model of tokens a number that never occurs is as unpredictable as a word in no text.
"""

import argparse
import contextlib
import io
import math
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.transformer import load_nanogpt
from picosweep.pico.data.batching.batches import TrainBatches, validation_batches
from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.facts import compute_facts
from picosweep.pico.training.schedule import learning_rate_at
from picosweep.pico.training.train import train, warm_up
from picosweep.pico.trial import TrialConfig, resolve

WINDOW: Final = 16
"""Numbers in one window."""
GPT2_SHAPE: Final = "GPT-2's shape"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One training run and the loss it has to reach."""

    name: str
    architecture: str
    hyperparameters: Mapping[str, object]
    data: DataConfig
    steps: int
    needs: Path | None = None
    """A file without which the case is skipped."""
    anchor: float
    """Largest validation loss that passes, in nats per token."""
    source: str
    """Where the anchor comes from."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of a case; without a loss it was skipped."""

    case: Case
    loss: float = math.nan
    num_params: int = 0
    seconds: float = 0.0
    skipped: str = field(default="")

    @property
    def verdict(self) -> str:
        """One word, or the reason for skipping."""
        if self.skipped:
            return f"skipped: {self.skipped}"
        if math.isinf(self.case.anchor):
            return "peer"
        return "pass" if self.loss <= self.case.anchor else "FAIL"


def shakespeare_cases(texts: Path, folder: Path) -> list[Case]:
    """Return cases on Shakespeare's characters at nanoGPT's size, batch and schedule for a CPU.

    Split as there: the first nine tenths of the text, character by character, are for training.
    Once with our Transformer as it is by default, once in GPT-2's shape, which is nanoGPT's.
    """
    path = texts / "tinyshakespeare" / "input.txt"
    parts = [folder / "shakespeare_train.txt", folder / "shakespeare_validation.txt"]
    if path.exists():
        text = path.read_text(encoding="utf-8")
        cut = len(text) * 9 // 10
        for part, piece in zip(parts, (text[:cut], text[cut:]), strict=True):
            part.write_text(piece, encoding="utf-8")
    default = Case(
        name="Shakespeare's characters, transformer",
        architecture="transformer",
        hyperparameters={
            "num_layers": 4,
            "num_heads": 4,
            "embed_size": 128,
            "dropout": 0.0,
            "batch_size": 12,
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "warmup_steps": 100,
            "final_lr_fraction": 0.1,
            "weight_decay": 0.1,
        },
        needs=path,
        data=DataConfig(
            source=str(parts[0]),
            validation_source=str(parts[1]),
            tokenizer=TokenizerConfig(kind="char"),
            document_unit="file",
        ),
        steps=2_000,
        anchor=1.88,
        source="nanoGPT's README: 1.88 after these 2,000 steps",
    )
    shape = {"position": "learned", "norm": "layer", "tied_head": True}
    gpt2 = replace(
        default,
        name=f"Shakespeare's characters, {GPT2_SHAPE}",
        hyperparameters={**default.hyperparameters, **shape},
        anchor=1.911,
        source="nanoGPT's own model, measured: mean of two seeds",
    )
    return [default, gpt2]


def names_case(texts: Path) -> Case:
    """Return the case of names by characters, with an MLP over three of them as in makemore."""
    path = texts / "names" / "names.txt"
    return Case(
        name="names, kgram",
        architecture="kgram",
        hyperparameters={
            "context_size": 3,
            "embed_size": 10,
            "hidden_size": 200,
            "num_inner_layers": 0,
            "activation": "tanh",
            "batch_size": 256,
            "learning_rate": 5e-3,
            "schedule": "linear",
            "warmup_steps": 100,
        },
        needs=path,
        data=DataConfig(
            source=str(path),
            tokenizer=TokenizerConfig(kind="char"),
            block_size=16,
            mode="padded",
        ),
        steps=12_000,
        anchor=2.11,
        source="makemore's MLP of 11,897 parameters: 2.105",
    )


def number_windows() -> tuple[list[str], list[str]]:
    """Return windows of consecutive, even and doubling numbers to train on, and unseen ones.

    Each tenth window is held out. The families have about equal shares. Three numbers show which
    family it is, and then all is certain.
    """
    families = [list(range(1000)), list(range(0, 1000, 2)), [2**n for n in range(60)]]
    seen, unseen = [], []
    for numbers in families:
        windows = [
            " ".join(map(str, numbers[start : start + WINDOW]))
            for start in range(len(numbers) - WINDOW + 1)
        ]
        held_out = windows[5::10]
        kept = [window for window in windows if window not in set(held_out)]
        seen += kept * round(1000 / len(kept))
        unseen += held_out * round(100 / len(held_out))
    return seen, unseen


def number_cases(folder: Path) -> list[Case]:
    """Return cases on the three families of number sequences, judged on unseen windows."""
    paths = [folder / "seen.txt", folder / "unseen.txt"]
    for path, windows in zip(paths, number_windows(), strict=True):
        path.write_text("\n".join(windows) + "\n")
    data = DataConfig(
        source=str(paths[0]),
        validation_source=str(paths[1]),
        tokenizer=TokenizerConfig(kind="int"),
        mode="padded",
        block_size=WINDOW,
        context_tokens=3,
        predict_end=False,
    )
    training = {"batch_size": 32, "learning_rate": 3e-3, "schedule": "linear", "warmup_steps": 50}
    shapes: dict[str, tuple[dict[str, object], float]] = {
        "transformer": ({"num_layers": 2, "num_heads": 4, "embed_size": 64}, 0.01),
        "kgram": ({"context_size": 3, "embed_size": 32, "hidden_size": 128}, 0.05),
        "lstm": ({"num_layers": 1, "embed_size": 32, "hidden_size": 128}, 0.05),
    }
    return [
        Case(
            name=f"number families, {architecture}",
            architecture=architecture,
            hyperparameters={**training, **shape},
            data=data,
            steps=1_500,
            anchor=anchor,
            source="the answers are certain, so a learnt rule costs next to nothing",
        )
        for architecture, (shape, anchor) in shapes.items()
    ]


def run(case: Case, cache: Path, console: Console) -> Outcome:
    """Train one case from start to end; one whose file is missing is skipped."""
    if case.needs is not None and not case.needs.exists():
        return Outcome(case=case, skipped=f"no file {case.needs}")
    data = prepare(case.data, cache)
    model, training = resolve(case.architecture, case.hyperparameters)
    block_size, vocab_size = case.data.block_size, data.meta.vocab_size
    trial = TrialConfig(
        architecture=case.architecture,
        model=model,
        training=training,
        block_size=block_size,
        validation_tokens=1 << 40,
        horizon_steps=case.steps if training.needs_horizon else None,
    )
    facts = compute_facts(
        case.architecture,
        model,
        vocab_size=vocab_size,
        block_size=block_size,
        batch_size=training.batch_size,
    )
    started = time.perf_counter()
    for report in train(
        trial, data, report_steps=range(case.steps // 4, case.steps + 1, case.steps // 4)
    ):
        console.log(
            f"{case.name}: step {report.step:,}, train {report.train_loss:.4f}, "
            f"validation {report.val_loss:.4f}, {report.tokens_per_second:,.0f} tokens/s"
        )
    seconds = time.perf_counter() - started
    return Outcome(case=case, loss=report.val_loss, num_params=facts.num_params, seconds=seconds)


def run_nanogpt(case: Case, cache: Path, path: Path) -> Outcome:
    """Train nanoGPT's model with its own optimizer on the rows and schedule of a case."""
    data = prepare(case.data, cache)
    sizes = case.hyperparameters
    _, training = resolve(case.architecture, sizes)
    block_size = case.data.block_size
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its parameter count
        module = load_nanogpt(path)
        config = module.GPTConfig(
            block_size=block_size,
            vocab_size=data.meta.vocab_size,
            n_layer=sizes["num_layers"],
            n_head=sizes["num_heads"],
            n_embd=sizes["embed_size"],
            dropout=0.0,
            bias=False,
        )
        model = module.GPT(config)
        optimizer = model.configure_optimizers(
            training.weight_decay, training.learning_rate, (training.beta1, training.beta2), "cpu"
        )
    rows = TrainBatches(data, block_size=block_size, batch_size=training.batch_size, seed=0)
    started = time.perf_counter()
    for step in range(case.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, training, case.steps)
        model(*rows.batch(step))[1].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - started
    with torch.no_grad():
        pairs = [
            (len(x_BT), model(x_BT, y_BT)[1].item())
            for x_BT, y_BT in validation_batches(
                data, block_size=block_size, batch_size=64, max_tokens=1 << 40
            )
        ]
    loss = sum(number * value for number, value in pairs) / sum(number for number, _ in pairs)
    num_params = sum(parameter.numel() for parameter in model.parameters())
    peer = replace(case, name="the same, nanoGPT's model", anchor=math.inf, source="for comparison")
    return Outcome(case=peer, loss=loss, num_params=num_params, seconds=seconds)


def table_of(outcomes: list[Outcome]) -> Table:
    """Return a table with one line per case."""
    table = Table(title="Validation loss, in nats per token")
    for name in ("case", "parameters", "anchor", "ours", "seconds", "verdict", "anchor's source"):
        table.add_column(name, justify="right" if name in {"anchor", "ours", "seconds"} else "left")
    for outcome in outcomes:
        ran = not outcome.skipped
        table.add_row(
            outcome.case.name,
            f"{outcome.num_params:,}" if ran else "",
            f"{outcome.case.anchor:g}" if math.isfinite(outcome.case.anchor) else "",
            f"{outcome.loss:.4f}" if ran else "",
            f"{outcome.seconds:.0f}" if ran else "",
            outcome.verdict,
            outcome.case.source,
        )
    return table


def main() -> int:
    """Run the cases that the data folder allows; return 1 if one misses its anchor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with the texts")
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    parser.add_argument("--nanogpt", type=Path, help="nanoGPT's model.py, to train beside ours")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    console = Console()
    warm_up()
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            *number_cases(Path(folder)),
            names_case(arguments.data),
            *shakespeare_cases(arguments.data, Path(folder)),
        ]
        chosen = [case for case in cases if arguments.only.lower() in case.name.lower()]
        outcomes = [run(case, Path(folder), console) for case in chosen]
        if arguments.nanogpt:
            outcomes += [
                run_nanogpt(case, Path(folder), arguments.nanogpt)
                for case in chosen
                if GPT2_SHAPE in case.name
            ]
    console.print(table_of(outcomes))
    return int(any(outcome.verdict == "FAIL" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
