"""What a sweep trains on and how often it reads it, in sentences: for plans, logs and reports."""

from collections.abc import Iterable

from picosweep.pico.data.config import DataConfig
from picosweep.pico.data.prepared import Meta, Part
from picosweep.pico.data.sources.source import short_name
from picosweep.sweeps.data import SweepData
from picosweep.sweeps.search.setup import ReadySweep


def data_in_words(sweep: ReadySweep, data: SweepData) -> list[str]:
    """Return sentences on the text, its two parts, and how often trials read the first of them."""
    told = [corpus_in_words(data.own.meta, sweep.spec.data_config)]
    passes = passes_in_words(sweep, data.own.meta)
    return [*told, passes] if passes else told


def corpus_in_words(meta: Meta, config: DataConfig) -> str:
    """Say what the text is, how much of it is trained on, and where the validation part is from."""
    documents = "1 document" if meta.num_documents == 1 else f"{meta.num_documents:,} documents"
    validation = (
        "1 document"
        if meta.num_validation_documents == 1
        else f"{meta.num_validation_documents:,} documents"
    )
    return (
        f"{meta.source}: {documents}, {meta.num_characters:,} characters. "
        f"Trained on are {meta.train_tokens:,} tokens; validated on {meta.validation_tokens:,}, "
        f"of {validation} {_origin(meta, config)}."
    )


def _origin(meta: Meta, config: DataConfig) -> str:
    """Say how the validation documents were chosen."""
    if config.validation_source is not None:
        return f"of {short_name(config.validation_source)}"
    if any(one.validation for one in meta.files.values()):
        return "that their files' names say"
    return "chosen by a hash" if config.split == "hash" else "at the end of each source"


def passes_in_words(sweep: ReadySweep, meta: Meta) -> str:
    """Say how often a trial reads each source to the last rung; empty for a budget in seconds."""
    tokens = [
        candidate.plan.last_step * candidate.trial.tokens_per_step
        for found in sweep.feasibility.values()
        for candidate in found.candidates
        if candidate.plan.last_step is not None
    ]
    if not tokens:
        return ""
    parts = meta.train_parts
    told = [_read(part, tokens, named=len(parts) > 1) for part in parts]
    return f"A trial that reaches the last rung reads {' and '.join(told)}."


def _read(part: Part, tokens: Iterable[int], *, named: bool) -> str:
    size = max(1, part.end_token - part.first_token)
    passes = [part.weight * count / size for count in tokens]
    low, high = _number(min(passes)), _number(max(passes))
    often = low if low == high else f"{low} to {high}"
    what = short_name(part.name) if named else "the training text"
    return f"{what} {often} times"


def _number(passes: float) -> str:
    return f"{passes:,.0f}" if passes >= 10 else f"{passes:.2g}"
