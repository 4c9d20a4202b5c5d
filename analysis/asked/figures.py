"""The figures of this folder in the order of the report, and a page of its own for them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from picosweep.analysis.asked import (
    attention_maps,
    code_scores,
    heads,
    neurons,
    sizes,
    text_scores,
    token_table,
)
from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Figure
from picosweep.analysis.page.first_screen import Answer, Tile
from picosweep.analysis.page.page import Section, render
from picosweep.sweeps.store.atomic_write import replace_file

MOST_NAMED: Final = 3
"""Trials that a page's headline names."""
Question = Callable[[Asked], Figure | None]

SCORES: Final[tuple[Question, ...]] = (
    code_scores.figure,
    text_scores.figure,
    text_scores.place_figure,
    sizes.checkpoints_figure,
    sizes.sizes_figure,
)
PROBES: Final[tuple[Question, ...]] = (
    heads.figure,
    attention_maps.figure,
    token_table.figure,
    neurons.figure,
)


def figures_of(asked: Asked) -> list[Figure]:
    """Return every figure that the answers give."""
    if asked.is_empty:
        return []
    return [figure for question in (*SCORES, *PROBES) if (figure := question(asked)) is not None]


def write_answers_page(path: str | Path, asked: Asked, figures: Sequence[Figure]) -> None:
    """Write answers as one self-contained HTML page.

    Args:
        path: the HTML file; it is replaced whole.
        asked: the answers, for what is known of the trials.
        figures: what the page shows, in order.

    Raises:
        OSError: it cannot be written.
    """
    trials = asked.trials.to_dicts()
    names = wording.listing([trial["name"] for trial in trials])
    asked_of = names if len(trials) <= MOST_NAMED else wording.plural(len(trials), "trial")
    answer = Answer(
        verdict=f"Asked: {asked_of}",
        winner=None,
        sentence="; ".join(figure.title.rstrip("?") for figure in figures)
        or "Nothing was answered.",
        tiles=tuple(
            Tile(
                label=trial["name"],
                value=f"{wording.count(trial['num_params'])} parameters",
                detail=f"loss {wording.loss(trial['val_loss'])} after "
                f"{wording.count(trial['tokens'])} tokens",
            )
            for trial in trials[:6]
        ),
        settings=(),
        defaults=(),
        commands=(),
    )
    page = render(
        title=" + ".join(dict.fromkeys(trial["sweep"] or "" for trial in trials)),
        subtitle="what trained models answered",
        answer=answer,
        sections=[
            Section(
                key="answers",
                title="Answers",
                lead="Each figure beside what it has to be held against.",
                figures=tuple(figures),
            )
        ],
        architectures=asked.trials["architecture"].unique().sort().to_list(),
        colophon="Made by Picosweep. This page is whole in itself and asks nothing of the network.",
        facts={"option": "", "options": {}, "refresh": None},
    )
    replace_file(Path(path), page.encode())
