"""What asking a trained model costs: the code suite, memorisation, and the probe of heads.

`python -m benchmarks.evaluation` puts the whole code suite to a model of 27 million parameters
(untrained: it writes until the limit, which a trained one often does not), looks 64 texts up in 20
million training tokens, beside `bytes.find` for each text's runs, and scores a transformer's heads.
Every part runs in a process of its own, whose peak memory is told.
"""

import multiprocessing
import resource
import time
from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from picosweep.pico.data.sources.installed import standard_library
from picosweep.pico.data.tokenizers.byte_bpe import train_bpe
from picosweep.pico.evaluation.code_suite import evaluate_code
from picosweep.pico.evaluation.memorisation import longest_matches
from picosweep.pico.models.transformer import Transformer, TransformerConfig
from picosweep.pico.presets import PRESETS
from picosweep.pico.probes.head_scores import head_scores

NUM_TOKENS = 20_000_000
NUM_TEXTS = 64
TEXT_TOKENS = 128
RUN = 8


def code_suite() -> str:
    """Put the code suite to a model of 27 million parameters."""
    preset = PRESETS["mini-27m"]
    tokenizer = train_bpe(islice(standard_library().documents(), 200), preset.vocab_size)
    config = preset.model
    assert isinstance(config, TransformerConfig)
    torch.manual_seed(0)
    model = Transformer(config, tokenizer.vocab_size, preset.block_size)
    found = evaluate_code(model, tokenizer)
    return f"{len(found.items)} items, sandbox: {found.sandbox}"


def _training_tokens() -> tuple[np.ndarray, list[list[int]]]:
    random = np.random.default_rng(0)
    training = (random.zipf(1.3, NUM_TOKENS) % 8000).astype("<u2")
    texts = [(random.zipf(1.3, TEXT_TOKENS) % 8000).tolist() for _ in range(NUM_TEXTS // 2)]
    starts = random.integers(0, NUM_TOKENS - TEXT_TOKENS, NUM_TEXTS // 2)
    return training, texts + [training[at : at + TEXT_TOKENS].tolist() for at in starts]


def memorisation() -> str:
    """Look every text up in the training tokens."""
    training, texts = _training_tokens()
    longest = [int(match.max()) for match in longest_matches(training, texts)]
    return f"longest runs {min(longest)} to {max(longest)}"


def scanning() -> str:
    """Look for the runs of one text of 64 by scanning; a whole pass for each run."""
    training, texts = _training_tokens()
    content = training.tobytes()
    runs = [np.array(texts[0][at : at + RUN], dtype="<u2") for at in range(TEXT_TOKENS - RUN + 1)]
    found = sum(run.tobytes() in content for run in runs)
    return f"{found} of {len(runs)} runs of one text; there are {NUM_TEXTS} texts"


def heads() -> str:
    """Score the heads of a transformer like the demo's."""
    config = TransformerConfig(num_layers=4, num_heads=4, embed_size=128)
    torch.manual_seed(0)
    found = head_scores(Transformer(config, 2048, 64))
    return f"{len(found.heads)} heads"


PARTS: dict[str, Callable[[], str]] = {
    "code suite, 27 M parameters": code_suite,
    "memorisation, 20 M tokens": memorisation,
    "the same by scanning, 1 text of 64": scanning,
    "heads": heads,
}


def _measured(name: str, queue: "multiprocessing.Queue[tuple[float, float, str]]") -> None:
    torch.set_num_threads(2)
    started = time.perf_counter()
    said = PARTS[name]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put((time.perf_counter() - started, peak, said))


def main() -> None:
    """Run every part and print what it took."""
    context = multiprocessing.get_context("spawn")
    table = Table("what", "seconds", "peak memory, MB", "found")
    for name in PARTS:
        queue: multiprocessing.Queue[tuple[float, float, str]] = context.Queue()
        process = context.Process(target=_measured, args=(name, queue))
        process.start()
        seconds, peak, said = queue.get()
        process.join()
        table.add_row(name, f"{seconds:.1f}", f"{peak:,.0f}", said)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
