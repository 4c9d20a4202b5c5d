"""How often is the chosen one preferred, and how far is the model from its reference then?"""

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import wide
from picosweep.analysis.preference import written
from picosweep.analysis.preference.marks import PREFERRED, points
from picosweep.analysis.results import Results
from picosweep.sweeps.store.tables import short_id

COLUMNS: Final = (
    "trial_id", "architecture", "preference_loss", "beta", "preference_accuracy", "reference_kl",
    "chosen_change", "rejected_change",
)  # fmt: skip
TOLERANCE: Final = 0.005
"""Accuracies that are this near to the best count as as good: one pair in two hundred."""

_DISTANCE: Final[Mapping[str, Any]] = {
    "title": "KL from the reference (nats per token)",
    "scale": alt.Scale(type="symlog", constant=0.01),
    "axis": alt.Axis(values=[0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], format="~g"),
}
_CHANGE: Final[Mapping[str, Any]] = {
    "scale": alt.Scale(type="symlog"),
    "axis": alt.Axis(values=[-1000, -300, -100, -30, -10, -3, -1, 0, 1, 3, 10, 30]),
}


def preference_table(trials: pl.DataFrame) -> pl.DataFrame:
    """Return the trials at full budget that were trained on preferences.

    Returns:
        `COLUMNS`, and front: whether no other trial prefers the chosen one as often or more at a
        smaller distance; the nearest to the reference first.
    """
    if not {"preference_loss", "beta"} <= set(trials.columns):
        return pl.DataFrame(schema=dict.fromkeys((*COLUMNS, "front"), pl.String))
    known = trials.filter(
        pl.col("preference_accuracy").is_not_null() & pl.col("reference_kl").is_not_null()
    ).select(COLUMNS)
    ranked = known.sort("reference_kl", "preference_accuracy", descending=[False, True])
    before = pl.col("preference_accuracy").cum_max().shift(1)
    return ranked.with_columns(front=(pl.col("preference_accuracy") > before).fill_null(value=True))


def front_sentence(table: pl.DataFrame) -> str:
    """Say how often the best prefers the chosen one, and how near as good a trial stays."""
    best = table.sort("preference_accuracy")["preference_accuracy"].to_list()[-1]
    as_good = table.filter(pl.col("preference_accuracy") >= best - TOLERANCE)
    nearest = as_good.row(0, named=True)
    return (
        f"{wording.plural(table.height, 'trial')}: the best prefers the chosen continuation in "
        f"{wording.percent(best)} of the validation pairs. Of the {as_good.height} that do as well "
        f"to half a point, the nearest to the reference is {short_id(nearest['trial_id'])} "
        f"({nearest['preference_loss']}, beta {wording.significant(nearest['beta'])}), "
        f"{wording.significant(nearest['reference_kl'])} nats a token away; the furthest is "
        f"{wording.significant(as_good.row(-1, named=True)['reference_kl'])} away."
    )


def displacement_sentence(table: pl.DataFrame) -> str:
    """Say in how many trials the chosen continuations became less likely than before."""
    less = table.filter(pl.col("chosen_change") < 0)
    if less.is_empty():
        return "In no trial are the chosen continuations less likely than under the reference."
    worst = less.sort("chosen_change").row(0, named=True)
    return (
        f"In {less.height} of {wording.plural(table.height, 'trial')} the chosen continuations "
        "became less likely than under the reference: the margin grew because the rejected ones "
        f"fell further. Furthest in {short_id(worst['trial_id'])} ({worst['preference_loss']}), by "
        f"{wording.significant(-worst['chosen_change'])} nats a continuation."
    )


def beta_sentence(table: pl.DataFrame) -> str:
    """Say over which betas each loss was tried, and at which distances its trials ended."""
    parts = []
    for (loss,), own in table.sort("preference_loss").group_by(
        "preference_loss", maintain_order=True
    ):
        betas, distances = own["beta"].sort().to_list(), own["reference_kl"].sort().to_list()
        low, high = (wording.significant(betas[place], 2) for place in (0, -1))
        near, far = (wording.significant(distances[place], 2) for place in (0, -1))
        parts.append(
            f"{loss} ({wording.plural(own.height, 'trial')}): beta {low} to {high}, {near} to "
            f"{far} nats a token from the reference"
        )
    return f"{'; '.join(parts)}."


def preference_front_chart(table: pl.DataFrame) -> Chart:
    """Draw accuracy against the distance from the reference, the front as a line."""
    base = alt.Chart(table).encode(
        x=alt.X("reference_kl:Q", **_DISTANCE),
        y=PREFERRED,
    )
    line = base.transform_filter("datum.front").mark_line(interpolate="step-after", strokeWidth=2)
    return wide(line.encode(color=alt.value("#8a94a0")), _points(base), height=300)


def preference_beta_chart(table: pl.DataFrame) -> Chart:
    """Draw the distance from the reference against beta."""
    base = alt.Chart(table).encode(
        x=alt.X("beta:Q", title="beta", scale=alt.Scale(type="log", nice=False)),
        y=alt.Y("reference_kl:Q", **_DISTANCE),
    )  # fmt: skip
    return wide(_points(base), height=300)


def preference_change_chart(table: pl.DataFrame) -> Chart:
    """Draw how the log-probabilities of both members have changed."""
    base = alt.Chart(table).encode(
        x=alt.X("chosen_change:Q", title="Change of the chosen one (nats)", **_CHANGE),
        y=alt.Y("rejected_change:Q", title="Change of the rejected one (nats)", **_CHANGE),
    )  # fmt: skip
    zero = alt.Chart(pl.DataFrame({"at": [0.0]})).mark_rule(strokeDash=[3, 3]).encode(x="at:Q")
    return wide(zero, _points(base), height=300)


def _points(base: alt.Chart) -> alt.Chart:
    return points(
        base,
        [
            alt.Tooltip("reference_kl:Q", format=".4f"),
            alt.Tooltip("chosen_change:Q", format="+.2f"),
            alt.Tooltip("rejected_change:Q", format="+.2f"),
        ],
    )


def figure(results: Results) -> Figure | None:
    """Return what preference training did; None where no trial was trained on preferences."""
    table = preference_table(results.full_budget)
    if table.is_empty():
        return None
    texts = written.panel(results.samples, table)
    return Figure(
        key="preferences",
        title="Preferred how often, at what distance from the reference",
        panels=(
            Panel(
                label="Accuracy and distance",
                sentence=front_sentence(table),
                chart=preference_front_chart(table),
                table=table,
            ),
            Panel(
                label="Chosen and rejected",
                sentence=displacement_sentence(table),
                chart=preference_change_chart(table),
                table=table,
            ),
            Panel(
                label="What beta did",
                sentence=beta_sentence(table),
                chart=preference_beta_chart(table),
                table=table,
            ),
            *([] if texts is None else [texts]),
        ),
        note=(
            "Trials at full budget. Accuracy is over validation pairs, ties count half; each loss "
            "prefers as it sees it (sums, means per token, with or without the reference). The KL "
            "divergence is exact, over the completions of both members. A larger beta holds the "
            "model closer to its reference; the losses do not compare across betas. Each "
            "architecture is measured from a reference of its own."
        ),
    )
