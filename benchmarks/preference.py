"""What a step of preference training costs, beside one of language modelling of the same tokens.

`python -m benchmarks.preference` times both in turns on the same model, data and machine, and
prints the ratio. The reference's forward pass is in every step: it is not cached.
"""

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

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
        config = DataConfig(
            source="pydocs", block_size=64, tokenizer=TokenizerConfig(kind="bpe", vocab_size=2048)
        )
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
        preference = TrainingLoop(trial, data, initial=initial)
        times: dict[str, list[float]] = {"language modelling": [], "preference": []}
        for _ in range(TURNS):
            for name, loop in (("language modelling", language), ("preference", preference)):
                started = time.perf_counter()
                for _ in range(STEPS):
                    loop.advance()
                times[name].append(1000 * (time.perf_counter() - started) / STEPS)
    medians = {name: statistics.median(own[1:]) for name, own in times.items()}
    for name, milliseconds in medians.items():
        print(f"{name}: {milliseconds:.1f} ms a step of {plain.tokens_per_step:,} tokens")
    print(f"ratio: {medians['preference'] / medians['language modelling']:.2f}")


if __name__ == "__main__":
    main()
