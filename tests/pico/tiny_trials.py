"""Trials that train in a fraction of a second, one for each architecture."""

from picosweep.pico.trial import TrialConfig, resolve

SMALL = {
    "kgram": {"context_size": 3, "embed_size": 8, "hidden_size": 16},
    "lstm": {"num_layers": 2, "embed_size": 8, "hidden_size": 16},
    "transformer": {"num_layers": 2, "num_heads": 2, "embed_size": 16},
    "linear_transformer": {"num_layers": 2, "num_heads": 2, "embed_size": 16},
}

TIMES = ("seconds", "training_seconds", "tokens_per_second", "peak_memory_bytes")
"""What two runs of one trial need not share."""


def tiny_trial(
    architecture="kgram",
    *,
    seed=0,
    horizon_steps=None,
    block_size=16,
    task="language_modeling",
    **fields,
):
    fields = {"batch_size": 4, "learning_rate": 3e-3} | SMALL[architecture] | fields
    if fields.get("dropout") == "some":
        del fields["dropout"]
        fields |= {} if architecture == "kgram" else {"dropout": 0.2}
    model, training = resolve(architecture, fields)
    return TrialConfig(
        architecture=architecture,
        model=model,
        training=training,
        task=task,
        block_size=block_size,
        validation_tokens=512,
        seed=seed,
        horizon_steps=horizon_steps,
    )


def numbers(report):
    """The metrics that must not differ between two runs of one trial."""
    return {name: value for name, value in report.metrics().items() if name not in TIMES}
