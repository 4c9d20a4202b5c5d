"""Was early stopping right? What the exempt trials, which it may not touch, say about it.

Trials are only ever compared within their architecture, as early stopping compares them.
"""

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import wide
from picosweep.analysis.results import Results

MIN_PAIRS: Final = 6
NUM_RESAMPLES: Final = 500
MIN_EXEMPT: Final = 20
"""Exempt trials from which on the share of winners that are lost is told."""


def control_table(results: Results) -> pl.DataFrame:
    """Return the loss of exempt trials that finished, one row per trial and rung.

    Returns:
        architecture, trial_id, rung, tokens, loss (at the rung), final (loss at the end), last
        (whether it is the last rung).
    """
    column = results.metric.column
    finished = results.full_budget.filter(cohort="exempt").select("trial_id", final=pl.col(column))
    return (
        results.reports.filter(pl.col("rung").is_not_null() & pl.col(column).is_not_null())
        .join(finished, on="trial_id")
        .select(
            "architecture",
            "trial_id",
            "rung",
            "tokens",
            loss=pl.col(column),
            final=pl.col("final"),
            last=pl.col("rung").eq_missing(results.last_rung),
        )
        .unique(["trial_id", "rung"], keep="last")
        .sort("rung", "architecture", "trial_id")
    )


def rank_agreement_table(control: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Return how well the order of trials at each rung predicts their order at the end.

    Args:
        control: rows from `control_table`.
        seed: seed of the bootstrap over trials.

    Returns:
        rung, tokens, trials, pairs (of one architecture), correlation (Kendall's tau-a over them),
        low, high (95 % bootstrap), agreement (share of those pairs that keep their order).
    """
    generator = np.random.default_rng(seed)
    found = []
    for (rung,), frame in control.filter(~pl.col("last")).group_by("rung", maintain_order=True):
        group, loss, final = (frame[name].to_numpy() for name in ("architecture", "loss", "final"))
        paired = (group[:, None] == group[None, :]).astype(float)
        np.fill_diagonal(paired, 0)
        agree = np.sign(loss[:, None] - loss) * np.sign(final[:, None] - final) * paired
        size = frame.height
        counts = generator.multinomial(size, np.full(size, 1 / size), NUM_RESAMPLES)
        counts = np.concatenate([np.ones((1, size)), counts])
        pairs = ((counts @ paired) * counts).sum(axis=1)
        taus = ((counts @ agree) * counts).sum(axis=1)[pairs > 0] / pairs[pairs > 0]
        known = pairs[0] > 0
        num_pairs = round(float(pairs[0]) / 2)
        wide = known and len(taus) > 1
        low, high = np.quantile(taus[1:], (0.025, 0.975)) if wide else (None, None)
        found.append(
            {
                "rung": rung,
                "tokens": frame["tokens"].max(),
                "trials": size,
                "pairs": num_pairs,
                "correlation": float(taus[0]) if known else None,
                "low": low,
                "high": high,
                "agreement": float(taus[0] + 1) / 2 if known else None,
            }
        )
    schema = {
        "rung": pl.Int64, "tokens": pl.Int64, "trials": pl.Int64, "pairs": pl.Int64,
        "correlation": pl.Float64, "low": pl.Float64, "high": pl.Float64, "agreement": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def lost_winners_table(results: Results, control: pl.DataFrame) -> pl.DataFrame:
    """Return how many exempt trials early stopping would have lost that ended best of all.

    A trial is lost at a rung if some rung up to it would have stopped the trial, and it ended below
    everything of its architecture that these rungs let through. With rungs that foretell the end
    none is.

    Args:
        results: tables of the sweeps.
        control: rows from `control_table`.

    Returns:
        rung, tokens, exempt (trials that finished), stopped (of them, by this rung), lost, share
        (lost of all exempt ones), low, high (95 %, Wilson).
    """
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415 - slow import

    doomed = (
        results.decisions.filter(action="exempt")
        .group_by("trial_id")
        .agg(doomed=pl.col("rung").min())
    )
    finals = (
        results.full_budget.filter(pl.col("cohort") != "confirm")
        .select("architecture", "trial_id", "cohort", final=pl.col(results.metric.column))
        .join(doomed, on="trial_id", how="left")
    )
    num_exempt = finals.filter(cohort="exempt").height
    rungs = (
        control.filter(~pl.col("last")).group_by("rung").agg(pl.col("tokens").max()).sort("rung")
    )
    found = []
    for rung, tokens in rungs.iter_rows():
        stopped = (pl.col("cohort") == "exempt") & (pl.col("doomed") <= rung).fill_null(value=False)
        least = pl.col("final").filter(~stopped).min().over("architecture")
        lost = finals.filter(stopped & (pl.col("final") < least)).height
        low, high = proportion_confint(lost, num_exempt, method="wilson")
        found.append(
            {
                "rung": rung, "tokens": tokens, "exempt": num_exempt,
                "stopped": finals.filter(stopped).height, "lost": lost,
                "share": lost / num_exempt, "low": float(low) if lost else 0.0, "high": float(high),
            }
        )  # fmt: skip
    schema = {
        "rung": pl.Int64, "tokens": pl.Int64, "exempt": pl.Int64, "stopped": pl.Int64,
        "lost": pl.Int64, "share": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def enough(table: pl.DataFrame) -> bool:
    """Return whether there are enough pairs of trials to judge by."""
    return (wording.number(table["pairs"].max()) or 0) >= MIN_PAIRS


def rank_agreement_sentence(table: pl.DataFrame, lost: pl.DataFrame) -> str:
    """Say how far each rung's order is the final one, and whether winners would be lost.

    Args:
        table: rows from `rank_agreement_table`.
        lost: rows from `lost_winners_table`.
    """
    if not enough(table):
        return (
            f"Exempt trials that finished make fewer than {MIN_PAIRS} pairs to compare, so nobody "
            "can say what early stopping threw away; a larger exempt_fraction would tell."
        )
    parts = [
        f"{wording.signed(row['correlation'])} at rung {row['rung']}{_interval(row)}"
        for row in table.drop_nulls(["correlation"]).iter_rows(named=True)
    ]
    text = (
        f"How far the order of trials at a rung is their final order: {wording.listing(parts)} "
        f"(Kendall's tau over {table['pairs'][0]} pairs of exempt trials; 1 is the same order, 0 "
        "is chance). "
    )
    return text + lost_winners_sentence(lost)


def lost_winners_sentence(lost: pl.DataFrame) -> str:
    """Say how many exempt trials would have been stopped although they ended best of all."""
    if lost.is_empty():
        return ""
    last = lost.row(-1, named=True)
    if last["exempt"] < MIN_EXEMPT:
        return (
            f"{wording.plural(last['exempt'], 'exempt trial')} that finished cannot tell how often "
            f"early stopping loses a winner; {MIN_EXEMPT} would begin to."
        )
    low, high = wording.percent(last["low"]), wording.percent(last["high"])
    return (
        f"Of {last['exempt']} exempt trials early stopping would have stopped {last['stopped']}; "
        f"{last['lost']} of these ended better than all that it let through ({low} to {high} of "
        "exempt trials at 95 %)."
    )


def _interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None:
        return ""
    return f" ({wording.signed(row['low'])} to {wording.signed(row['high'])} at 95 %)"


def by_rung_chart(table: pl.DataFrame, column: str, title: str, least: float) -> Chart:
    """Draw a measure with its interval at each rung; the axis runs from `least` to 1."""
    base = alt.Chart(table).encode(
        x=alt.X("rung:O", title="Rung", axis=alt.Axis(labelAngle=0)),
        tooltip=[
            alt.Tooltip("rung:O"),
            alt.Tooltip("tokens:Q", format=".3~s"),
            alt.Tooltip(f"{column}:Q", format=".2f"),
            alt.Tooltip("low:Q", format=".2f"),
            alt.Tooltip("high:Q", format=".2f"),
        ],
    )
    scale = alt.Scale(domain=[least, 1])
    whiskers = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title=title, scale=scale), y2=alt.Y2("high:Q")
    )
    points = base.mark_point(size=110, opacity=1).encode(y=alt.Y(f"{column}:Q", scale=scale))
    return wide(whiskers, points, height=220)


def figure(results: Results) -> Figure | None:
    """Return the audit of the rungs; None where there are neither decisions nor exempt trials."""
    if results.decisions.is_empty() and not results.trials.filter(cohort="exempt").height:
        return None
    control = control_table(results)
    table = rank_agreement_table(control)
    lost = lost_winners_table(results, control)
    sentence = rank_agreement_sentence(table, lost)
    title = "Rank correlation with the end"
    panels = [
        Panel(
            label="Rank correlation",
            sentence=sentence,
            chart=by_rung_chart(table, "correlation", title, -1.0) if enough(table) else None,
            table=table,
        )
    ]
    if enough(table) and lost.height and lost["exempt"][0] >= MIN_EXEMPT:
        title = "Share of exempt trials that are lost winners"
        panels.append(
            Panel(
                label="Winners lost",
                sentence=sentence,
                chart=by_rung_chart(lost, "share", title, 0.0),
                table=lost,
            )
        )
    return Figure(
        key="rank-agreement",
        title="Did the rungs foretell the end?",
        panels=tuple(panels),
        note=(
            "From exempt trials only: a random cohort that early stopping judged but could not "
            "stop. Trials are compared within their architecture. Intervals are 95 %."
        ),
        half=True,
    )
