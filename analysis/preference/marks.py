"""How preference trials are drawn: points by loss, and the axis of how many pairs are preferred."""

from collections.abc import Sequence
from typing import Final

import altair as alt

PREFERRED: Final = alt.Y(
    "preference_accuracy:Q",
    title="Pairs preferred",
    axis=alt.Axis(format="%"),
    scale=alt.Scale(zero=False, padding=8),
)


def points(base: alt.Chart, more: Sequence[alt.Tooltip]) -> alt.Chart:
    """Return a point for each trial, its loss by colour and shape.

    Args:
        base: chart with the axes.
        more: what a tooltip says beside the trial, its loss and its accuracy.
    """
    drawn: alt.Chart = base.mark_point(filled=True, size=70, opacity=0.85).encode(
        color=alt.Color("preference_loss:N", title="loss"),
        shape=alt.Shape("preference_loss:N", title="loss"),
        tooltip=[
            alt.Tooltip("trial_id:N"),
            alt.Tooltip("preference_loss:N"),
            alt.Tooltip("beta:Q", format=".3g"),
            alt.Tooltip("preference_accuracy:Q", format=".1%"),
            *more,
        ],
    )
    return drawn
