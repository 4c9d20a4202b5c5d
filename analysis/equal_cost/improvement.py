"""Is a trial of one architecture likely to beat a trial of another? All pairs, with intervals."""

import math
from collections.abc import Sequence
from typing import Final

import altair as alt
import numpy as np
import polars as pl
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.common_rung import EARLY
from picosweep.analysis.statistics.draws import last_common_rung, random_draws
from picosweep.analysis.statistics.evidence import LEVEL, holm

CONFIDENCE: Final = 0.95
MIN_TRIALS: Final = 5


def improvement_table(trials: pl.DataFrame) -> pl.DataFrame:
    """Return, for each ordered pair, the share of trial pairs in which `architecture` is better.

    Better is less loss; ties count half, and a trial without a loss is worse than one with.

    Source: Newcombe 2006, "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic. Part 2", method 5, for the interval, which holds at 0 and 1 as well.

    Args:
        trials: random draws with `architecture` and `loss`, one row each.

    Returns:
        architecture, against, probability, low, high (95 %, for the pair alone), adjusted (p of one
        half, for all pairs together: Holm), trials, trials_against. Architectures with fewer than
        five trials are left out.
    """
    samples = {
        str(name): frame["loss"].fill_null(np.inf).to_numpy()
        for (name,), frame in trials.sort("architecture").group_by(
            "architecture", maintain_order=True
        )
        if frame.height >= MIN_TRIALS
    }
    found = []
    for name, own in samples.items():
        for other, theirs in samples.items():
            if name == other:
                continue
            ahead = (own[:, None] < theirs).mean() + 0.5 * (own[:, None] == theirs).mean()
            low, high = newcombe(float(ahead), len(own), len(theirs))
            found.append(
                {
                    "architecture": name, "against": other, "probability": float(ahead),
                    "low": low, "high": high, "p_value": _chance(ahead, len(own), len(theirs)),
                    "trials": len(own), "trials_against": len(theirs),
                }
            )  # fmt: skip
    schema = {
        "architecture": pl.String, "against": pl.String, "probability": pl.Float64,
        "low": pl.Float64, "high": pl.Float64, "p_value": pl.Float64, "trials": pl.Int64,
        "trials_against": pl.Int64,
    }  # fmt: skip
    table = pl.DataFrame(found, schema=schema)
    once = table.filter(pl.col("architecture") < pl.col("against")).sort("p_value")
    adjusted = once.select(
        "architecture",
        "against",
        adjusted=pl.Series(holm(once["p_value"].to_list()), dtype=pl.Float64),
    )
    both = pl.concat(
        [
            adjusted,
            adjusted.select(architecture="against", against="architecture", adjusted="adjusted"),
        ]
    )
    return table.drop("p_value").join(
        both, on=["architecture", "against"], how="left", maintain_order="left"
    )


def newcombe(probability: float, own: int, theirs: int) -> tuple[float, float]:
    """Return the 95 % interval of the probability that a draw of one sample beats the other's.

    Args:
        probability: share of pairs in which it does, ties counted half.
        own: number of draws of the one.
        theirs: number of draws of the other.
    """
    z = float(ndtri(0.5 + CONFIDENCE / 2))

    def beyond(candidate: float) -> float:
        return abs(probability - candidate) - z * math.sqrt(_variance(candidate, own, theirs))

    inside = min(max(probability, 1e-9), 1 - 1e-9)  # at 0 and 1 both sides are 0
    low = brentq(beyond, 0.0, inside) if probability > 0 else 0.0
    high = brentq(beyond, inside, 1.0) if probability < 1 else 1.0
    return float(low), float(high)


def _variance(probability: float, own: int, theirs: int) -> float:
    others = (own + theirs) / 2 - 1
    spread = 1 + others * ((1 - probability) / (2 - probability) + probability / (1 + probability))
    return probability * (1 - probability) * spread / (own * theirs)


def _chance(probability: float, own: int, theirs: int) -> float:
    """Return the p-value of a true probability of one half."""
    return float(2 * ndtr(-abs(probability - 0.5) / math.sqrt(_variance(0.5, own, theirs))))


def improvement_sentence(table: pl.DataFrame) -> str:
    """Say whose trials beat whose by more than chance, the clearest pair first."""
    if table.is_empty():
        return (
            f"No two architectures have {MIN_TRIALS} random draws each, too few to say which "
            "one's trials tend to be better."
        )
    winning = table.filter(pl.col("probability") >= 0.5).sort(
        "adjusted", pl.col("probability"), descending=[False, True]
    )
    first = winning.row(0, named=True)
    trial = (
        f"a trial of {first['architecture']} beats one of {first['against']} with probability "
        f"{wording.percent(first['probability'])} ({wording.percent(first['low'])} to "
        f"{wording.percent(first['high'])} at 95 %)"
    )
    clear = winning.filter(pl.col("adjusted") <= LEVEL)
    if clear.is_empty():
        return f"No architecture's trials are shown to be better than another's; at most, {trial}."
    pairs = winning.filter(pl.col("architecture") != pl.col("against")).height
    text = trial[0].upper() + trial[1:]
    if pairs == 1:
        return text + "."
    return (
        f"{text}, the clearest of {pairs} pairs; {wording.plural(clear.height, 'pair')} "
        f"{'is' if clear.height == 1 else 'are'} told apart by more than chance."
    )


def improvement_chart(table: pl.DataFrame, architectures: Sequence[str]) -> Chart:
    """Draw a matrix: row beats column with the probability in the cell."""
    order = [name for name in architectures if name in set(table["architecture"])]
    shown = table.with_columns(light=pl.col("probability").is_between(0.22, 0.78))
    base = alt.Chart(shown).encode(
        x=alt.X("against:N", title="… than one of", sort=order,
                axis=alt.Axis(labelAngle=0, orient="top", labelLimit=110)),
        y=alt.Y("architecture:N", title="A trial of … is better", sort=order),
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color(
            "probability:Q",
            scale=alt.Scale(domain=[0, 0.5, 1], scheme="blueorange", reverse=True),
            legend=None,
        ),
        tooltip=[
            alt.Tooltip("architecture:N"),
            alt.Tooltip("against:N"),
            alt.Tooltip("probability:Q", format=".1%"),
            alt.Tooltip("low:Q", format=".1%"),
            alt.Tooltip("high:Q", format=".1%"),
        ],
    )
    texts = base.mark_text(fontSize=13, fontWeight=600).encode(
        text=alt.Text("probability:Q", format=".0%"),
        color=alt.ColorValue("#ffffff", condition={"test": "datum.light", "value": "#10151b"}),
    )
    return wide(cells, texts, height=rows(len(order), 48), least=480)


def compared_draws(results: Results) -> tuple[pl.DataFrame, str, bool]:
    """Return random draws with their loss where they compare, words about them, and if it is early.

    Exempt trials compare at the end, where every architecture has enough of them; all draws only
    at the highest rung that all of them reached.

    Returns:
        architecture, trial_id and loss; words for a note; whether the losses are early ones.
    """
    draws = random_draws(results)
    column = results.metric.column
    trials = draws.trials
    exempt = trials.filter(cohort="exempt")
    counts = exempt.group_by("architecture").len()["len"]
    if counts.len() == len(results.architectures) and (counts >= MIN_TRIALS).all():
        at_end = pl.col("rung").eq_missing(results.last_rung)
        loss = pl.when(at_end).then(pl.col(column))
        whose = "exempt trials, which early stopping may not touch, at the end of training"
        return exempt.select("architecture", "trial_id", loss=loss), whose, False
    rung = last_common_rung(trials)
    at = pl.lit(value=False) if rung is None else pl.col("rung") == rung
    losses = results.reports.filter(at).select("trial_id", loss=column)
    at_rung = trials.select("architecture", "trial_id").join(
        losses.unique("trial_id", keep="last"), on="trial_id", how="left"
    )
    whose = f"{draws.whose}, at the highest rung that all of them reached"
    return at_rung, whose, rung != results.last_rung


def figure(results: Results) -> Figure:
    """Return the matrix of all pairs as a figure."""
    trials, whose, early = compared_draws(results)
    table = improvement_table(trials)
    return Figure(
        key="improvement",
        title="Probability of improvement" + (EARLY if early else ""),
        panels=(
            Panel(
                sentence=improvement_sentence(table),
                chart=None if table.is_empty() else improvement_chart(table, results.architectures),
                table=table,
            ),
        ),
        note=(
            f"From {whose}. Trials that diverged or failed count as worse than all others. "
            "Intervals are Newcombe's at 95 % for each pair alone; pairs are called told apart at "
            "5 % for all of them together (Holm)."
        ),
    )
