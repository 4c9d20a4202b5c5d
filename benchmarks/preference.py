"""What a step of preference training costs, beside one of language modelling of the same tokens.

`python -m benchmarks.preference` times both in turns on the same model, data and machine, and
prints the ratio: in an epoch in which the reference computes every pair's log-probabilities, and in
a later one, or in another trial of a sweep, which find them kept.
"""

import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.preparation.prepare import prepare
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.training.loop import TrainingLoop
from picosweep.pico.training.process import prepare_process
from picosweep.pico.trial import TrialConfig, resolve
from picosweep.pico.weights.restore import weights_fingerprint

TURNS = 7
STEPS = 10
SETTINGS = {"num_layers": 4, "num_heads": 4, "embed_size": 128, "batch_size": 32}


def main() -> None:
    """Print milliseconds a step of both, and their ratio."""
    prepare_process()
    model, training = resolve("transformer", SETTINGS)
    plain = TrialConfig(architecture="transformer", model=model, training=training, block_size=64)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.jsonl"
        documents = _documents(TURNS * STEPS * SETTINGS["batch_size"])
        text.write_text("\n".join(json.dumps({"text": one}) for one in documents))
        tokenizer = TokenizerConfig(kind="bpe", vocab_size=2048)
        config = DataConfig(source=str(text), block_size=64, tokenizer=tokenizer)
        data = prepare(config, Path(folder))
        language = TrainingLoop(plain, data)
        language.advance()
        initial = language.checkpoint()
        trial = replace(
            plain,
            task="preference",
            preference=PreferenceConfig(),
            init_from=weights_fingerprint(initial),
        )
        loops = {
            "language modelling": language,
            "preference, reference computed": TrainingLoop(trial, data, initial=initial),
            # The same pairs in the same order: what the one before has just left beside the data.
            "preference, reference kept": TrainingLoop(trial, data, initial=initial),
        }
        times: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(TURNS):
            for name, loop in loops.items():
                started = time.perf_counter()
                for _ in range(STEPS):
                    loop.advance()
                times[name].append(1000 * (time.perf_counter() - started) / STEPS)
    medians = {name: statistics.median(own[1:]) for name, own in times.items()}
    plain_step = medians["language modelling"]
    for name, milliseconds in medians.items():
        ratio = milliseconds / plain_step
        print(
            f"{name}: {milliseconds:.1f} ms a step of {plain.tokens_per_step:,} tokens, {ratio:.2f}"
        )


def _documents(count: int) -> list[str]:
    """Return more documents than steps read pairs, none of which comes again."""
    random = np.random.default_rng(0)
    words = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"])
    return [" ".join(random.choice(words, size=80)) for _ in range(count)]


if __name__ == "__main__":
    main()
