"""Does the tokenizer do its work? Text must come back as it was, and its ids must be in use.

The check is made on validation text when the data is prepared; see `pico.data.tokenizer_quality`.
"""

from collections.abc import Mapping

import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Figure, Panel
from picosweep.analysis.results import Results

_COUNTS = ("vocab_size", "num_texts", "num_round_trips", "num_broken_words")
_MEASURES = ("characters_per_token", "bytes_per_token", "used_fraction")


def tokenizer_table(data: Mapping[str, Mapping[str, object]]) -> pl.DataFrame:
    """Return what was measured of each sweep's tokenizer; sweeps without a check are left out.

    Args:
        data: facts about each sweep's data, by sweep, as in `Results.data`.

    Returns:
        sweep, tokenizer (its kind), vocab_size, num_texts, num_round_trips (texts that came back
        unchanged), num_broken_words (words that came back with false blanks),
        characters_per_token, bytes_per_token, used_fraction (share of ids that occurred).
    """
    found = []
    for sweep, content in data.items():
        quality = content.get("tokenizer_quality")
        if not isinstance(quality, Mapping):
            continue
        numbers = {name: wording.number(quality.get(name)) for name in (*_COUNTS, *_MEASURES)}
        if numbers["num_texts"]:
            found.append({"sweep": sweep, "tokenizer": str(quality.get("kind", "")), **numbers})
    schema = {
        "sweep": pl.String,
        "tokenizer": pl.String,
        **dict.fromkeys(_COUNTS, pl.Float64),
        **dict.fromkeys(_MEASURES, pl.Float64),
    }
    return pl.DataFrame(found, schema=schema).with_columns(pl.col(_COUNTS).cast(pl.Int64))


def tokenizer_sentence(row: Mapping[str, object]) -> str:
    """Say whether text came back and how much text a token holds, from one row of the table."""
    texts, same, broken = (wording.number(row[name]) or 0 for name in _COUNTS[1:])
    text = f"The {row['tokenizer']} tokenizer ".replace("  ", " ")
    if same == texts and not broken:
        text += f"gave all {texts:,.0f} texts of its check back unchanged, with no false blank"
    else:
        changed = wording.plural(round(texts - same), "text")
        split = wording.plural(round(broken), "word")
        text += (
            f"changed {changed} of {texts:,.0f} in its check and put false blanks into {split}: "
            "the models did not read what was written"
        )
    size, worth, used = (
        wording.number(row[name])
        for name in ("vocab_size", "characters_per_token", "used_fraction")
    )
    parts = []
    if worth:
        parts.append(f"a token stands for {wording.significant(worth)} characters on average")
    if used and size:
        parts.append(f"{wording.percent(used)} of the {size:,.0f} tokens occurred there")
    return f"{text}; {wording.listing(parts)}." if parts else f"{text}."


def figure(results: Results) -> Figure | None:
    """Return the check as a figure; None where no sweep recorded it."""
    table = tokenizer_table(results.data)
    if table.is_empty():
        return None
    several = table.height > 1
    sentences = [
        f"{row['sweep']}: {tokenizer_sentence(row)}" if several else tokenizer_sentence(row)
        for row in table.iter_rows(named=True)
    ]
    return Figure(
        key="tokenizer",
        title="Does the tokenizer do its work?",
        panels=(
            Panel(
                sentence=" ".join(sentences),
                table=table if several else table.drop("sweep"),
                show_table=True,
            ),
        ),
        note=(
            "Checked on unseen validation documents, and on a few odd texts where the tokenizer "
            "must know every byte. Losses per token compare only under one tokenizer; bits per "
            "byte compare under all."
        ),
    )
