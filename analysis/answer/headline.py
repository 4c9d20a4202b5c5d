"""Which setting of which architecture, and how sure?

Two kinds of luck are told apart. That of seeds: the best of many searched trials looks better than
it is, because it was chosen for being lucky; where the sweep re-ran winners on fresh seeds (cohort
`confirm`), only those count, and the intervals are theirs. That of the search: another search finds
other settings, and of equal architectures one is always ahead; `search_lead` asks for it.

From three fresh seeds on a setting's own deviation makes its interval. With two the deviation is
pooled over all settings with fresh seeds, which takes their noise for equal. All intervals hold at
once at 95 % (Bonferroni over the settings that were re-run, of which the best are then looked at),
and so do the comparisons with the best one (Tukey and Kramer; Games and Howell 1976, "Pairwise
Multiple Comparison Procedures with Unequal N's and/or Variances", where deviations are own).
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import polars as pl
from scipy.special import ndtri, stdtrit
from scipy.stats import studentized_range

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import color, rows, shape, wide
from picosweep.analysis.results import Metric, Results
from picosweep.analysis.statistics.evidence import POWER
from picosweep.analysis.statistics.search_luck import Lead
from picosweep.analysis.statistics.seeds import seed_noise, settings_table

CONFIDENCE: Final = 0.95

MAX_SEEDS: Final = 100
OWN_SEEDS: Final = 3
"""Fresh seeds from which on a setting's own deviation is used."""


def headline_table(
    full_budget: pl.DataFrame,
    settings: Sequence[str],
    column: str = "val_loss",
    shown: Mapping[str, Sequence[str]] | None = None,
) -> pl.DataFrame:
    """Return the best setting of each architecture, best first, with intervals and gaps.

    Args:
        full_budget: trials at the last rung with a finite loss.
        settings: hyperparameter columns; with the architecture they name a setting.
        column: loss column that decides.
        shown: hyperparameters of each architecture to write out; None: all of `settings`.

    Returns:
        architecture, setting (in words), trial_id, seeds, mean, low, high, margin, gap (to the
        best architecture), gap_low, gap_high, verdict (`best`, `worse`, `within noise`, `unknown`),
        seeds_needed (fresh seeds of both that would mostly tell them apart, were the gap the true
        one; null where it is unknown or they are apart), bits_per_byte, num_params, flops, seconds.
    """
    everything = settings_table(full_budget, settings, column)
    pooled = seed_noise(everything)
    confirmed = (pl.col("seeds") > 0).any().over("architecture")
    best = (
        everything.filter((pl.col("seeds") > 0) | ~confirmed)
        .sort("mean", "architecture")
        .unique("architecture", keep="first", maintain_order=True)
    )
    compared = max(1, everything.filter(pl.col("seeds") > 0).height)
    rows: list[dict[str, Any]] = []
    first_noise = None
    for row in best.iter_rows(named=True):
        noise = _noise(row, pooled)
        error = None
        if noise is not None:
            level = 1 - (1 - CONFIDENCE) / 2 / compared
            error = float(stdtrit(noise.degrees, level)) * noise.error
        out = {
            "architecture": row["architecture"],
            "setting": _in_words(row, shown[row["architecture"]] if shown else settings),
            "trial_id": row["trial_id"],
            "seeds": row["seeds"],
            "mean": row["mean"],
            "low": None if error is None else row["mean"] - error,
            "high": None if error is None else row["mean"] + error,
            "margin": error,
        }
        first_noise = first_noise if rows else noise
        first = (rows[0], first_noise) if rows else None
        rows.append(out | _gap(out, noise, first, compared) | _costs(row))
    return pl.DataFrame(rows, schema=_SCHEMA)


@dataclass(frozen=True, kw_only=True)
class _Noise:
    """How far the mean over a setting's fresh seeds may lie from the truth."""

    error: float
    """Standard error of the mean."""
    degrees: float
    """Degrees of freedom of the deviation behind it."""
    own: bool
    """Whether that is the setting's own."""


def _noise(row: Mapping[str, Any], pooled: tuple[float, int]) -> _Noise | None:
    """Return a setting's noise; None without fresh seeds, or where they do not differ at all."""
    seeds = row["seeds"]
    if seeds >= OWN_SEEDS and row["sd"] > 0:
        return _Noise(error=row["sd"] / math.sqrt(seeds), degrees=seeds - 1, own=True)
    sd, degrees = pooled
    if not (seeds and degrees and sd > 0):
        return None
    return _Noise(error=sd / math.sqrt(seeds), degrees=degrees, own=False)


_SCHEMA = {
    "architecture": pl.String,
    "setting": pl.String,
    "trial_id": pl.String,
    "seeds": pl.Int64,
    "mean": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "margin": pl.Float64,
    "gap": pl.Float64,
    "gap_low": pl.Float64,
    "gap_high": pl.Float64,
    "verdict": pl.String,
    "seeds_needed": pl.Int64,
    "bits_per_byte": pl.Float64,
    "num_params": pl.Int64,
    "flops": pl.Float64,
    "seconds": pl.Float64,
}


def _gap(
    row: Mapping[str, Any],
    noise: _Noise | None,
    first: tuple[Mapping[str, Any], _Noise | None] | None,
    compared: int,
) -> dict[str, object]:
    """Return how far a row is behind the best, with the interval of the difference of means."""
    if first is None:
        return {"gap": 0.0, "verdict": "best"}
    best, best_noise = first
    gap = row["mean"] - best["mean"]
    if noise is None or best_noise is None:
        return {"gap": gap, "verdict": "unknown"}
    squares = noise.error**2 + best_noise.error**2
    degrees = noise.degrees
    if (noise.own or best_noise.own) and squares > 0:  # Welch and Satterthwaite
        parts = ((one.error**4, one.degrees) for one in (noise, best_noise))
        degrees = squares**2 / sum(part / of for part, of in parts)
    error = _tukey_quantile(max(2, compared), _rounded_down(degrees)) * math.sqrt(squares / 2)
    out = {"gap": gap, "gap_low": gap - error, "gap_high": gap + error}
    if gap > error:
        return out | {"verdict": "worse"}
    variance = (noise.error**2 * row["seeds"] + best_noise.error**2 * best["seeds"]) / 2
    return out | {
        "verdict": "within noise",
        "seeds_needed": _seeds_needed(gap, variance, max(2, compared)),
    }


def _seeds_needed(gap: float, variance: float, groups: int) -> int | None:
    """Return the fresh seeds of each of two settings that would tell them apart in 4 of 5 sweeps.

    Args:
        gap: true difference of their means.
        variance: of the loss over seeds.
        groups: number of settings that are compared (Tukey).
    """
    if not gap > 0:
        return None
    power = float(ndtri(POWER))
    errors = _tukey_quantile(groups, math.inf) / math.sqrt(2) + power
    seeds = max(2, math.ceil(2 * variance * (errors / gap) ** 2))
    while seeds <= MAX_SEEDS:  # few seeds know the deviation less well, and need more
        error = math.sqrt(2 * variance / seeds)
        quantile = _tukey_quantile(groups, 2 * (seeds - 1))
        if gap >= error * (quantile / math.sqrt(2) + power):
            break
        seeds += 1
    return seeds


def _rounded_down(degrees: float) -> float:
    """Return degrees of freedom to a tenth, on the careful side: a quantile takes 60 ms."""
    return max(1.0, math.floor(10 * degrees + 1e-6) / 10)


@functools.lru_cache(maxsize=1024)
def _tukey_quantile(groups: int, degrees: float) -> float:
    return float(studentized_range.ppf(CONFIDENCE, groups, degrees))


def _costs(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: row[name] for name in ("bits_per_byte", "num_params", "flops", "seconds")}


def _in_words(row: Mapping[str, Any], settings: Sequence[str]) -> str:
    pairs = [(name, row[name]) for name in settings if row[name] is not None]
    return " · ".join(f"{name} {wording.setting(value)}" for name, value in pairs)


def headline_sentence(
    table: pl.DataFrame, metric: Metric, noise: tuple[float, int], lead: Lead | None = None
) -> str:
    """Say which setting is ahead, by how much, and what luck may have had to do with it.

    Args:
        table: what `headline_table` returned.
        metric: the loss that decides.
        noise: deviation over fresh seeds and its degrees of freedom, see `seed_noise`.
        lead: what `search_lead` returned.
    """
    if table.is_empty():
        return "No trial reached the full budget with a finite loss, so no architecture has won."
    best = table.row(0, named=True)
    loss = wording.loss(best["mean"])
    if best["low"] is not None:
        loss += f" ± {wording.loss(best['high'] - best['mean'])}"
        seeds = f"at 95 %, the mean of {wording.plural(best['seeds'], 'fresh seed')}"
    elif best["seeds"] > 1:
        seeds = f"the same for each of {best['seeds']} fresh seeds, to the last digit"
    elif best["seeds"]:
        seeds = "one fresh seed, so without an interval"
    else:
        seeds = "a single searched trial, so a little flattered by being picked"
    name = best["architecture"]
    text = f"The best setting found is one of {name}: {metric.noun} {loss} ({seeds})."
    if table.height > 1:
        text += f" {_runner_up(table.row(1, named=True))} {_luck_sentence(name, lead)}"
    if noise[1] and noise[0] > 0:
        deviation = wording.significant(noise[0], 2)
        text += f" Seeds alone move it by {deviation} (one standard deviation)."
    return text


def _luck_sentence(name: str, lead: Lead | None) -> str:
    if lead is None:
        return "Whether that is the architecture or the luck of its search cannot be told."
    if not lead.trials:
        return "The best searched trials of two architectures are equal."
    of = f"of {lead.searched:,} searched trials"
    best = f"the best {of} is" if lead.trials == 1 else f"the {lead.trials:,} best {of} are all"
    chance = wording.percent(lead.share)
    if lead.is_more_than_luck:
        return (
            f"It is hardly the luck of the search: {best} of {name}, and were the names dealt at "
            f"random, some architecture would lead so in {chance} of all deals."
        )
    return (
        f"Of the architectures that says little: {best} of {name}, but were the names dealt at "
        f"random, some architecture would lead so in {chance} of all deals. Another search may put "
        f"another one first. {_needed(name, lead)}"
    )


def _needed(name: str, lead: Lead) -> str:
    """Say how many trials would tell whether the lead is more than luck."""
    needed = lead.trials_needed()
    if needed is None:
        return "More trials of each would tell."
    share = wording.percent(lead.trials / lead.own)
    return (
        f"If {share} of {name}'s trials stay in front of all others, about {needed:,} trials of "
        f"each architecture ({lead.own:,} now) would mostly show it."
    )


def _runner_up(second: Mapping[str, Any]) -> str:
    gap, name = wording.significant(second["gap"], 2), second["architecture"]
    if second["verdict"] == "worse":
        low, high = (wording.significant(second[key], 2) for key in ("gap_low", "gap_high"))
        return (
            f"It beats the best one found for {name} by {gap} ({low} to {high} at 95 %): more than "
            "seed noise."
        )
    if second["verdict"] == "within noise":
        return (
            f"The best one found for {name} is only {gap} behind, which is within seed noise: "
            f"these two cannot be told apart.{_seeds_sentence(second)}"
        )
    if not second["gap"]:
        return f"The best one found for {name} has the same loss."
    if second["seeds"] > 1 and second["low"] is None:
        return f"The best one found for {name} is {gap} behind, and seeds do not move it."
    return (
        f"The best one found for {name} is {gap} behind; without two fresh seeds each nobody can "
        "say whether that is more than luck."
    )


def _seeds_sentence(row: Mapping[str, Any]) -> str:
    """Say how many fresh seeds would tell two settings apart, where a person would run as many."""
    needed = row["seeds_needed"]
    if needed is None or needed > MAX_SEEDS:
        return ""
    return f" Were that the true gap, about {needed} fresh seeds of each would tell."


def ranking_sentence(table: pl.DataFrame, metric: Metric) -> str:
    """List all architectures in order, each with its gap and whether that is more than noise."""
    if table.is_empty():
        return "No trial reached the full budget with a finite loss."
    meanings = {"worse": "", "within noise": ", within noise", "unknown": ", noise unknown"}
    parts = [
        f"{row['architecture']} {wording.loss(row['mean'])}"
        + (f" ({wording.signed(row['gap'])}{meanings[row['verdict']]})" if index else "")
        for index, row in enumerate(table.iter_rows(named=True))
    ]
    if len(parts) == 1:
        return f"{parts[0]} is the only architecture that finished at full budget."
    return f"In order of {metric.noun}: {wording.listing(parts)}."


def headline_chart(
    table: pl.DataFrame, seeds: pl.DataFrame, architectures: Sequence[str], metric: Metric
) -> Chart:
    """Draw mean and interval of each architecture's best setting, its single seeds behind."""
    order = table["architecture"].to_list()
    y = alt.Y(
        "architecture:N", sort=order, title=None, axis=alt.Axis(labelFontSize=13, domain=False)
    )
    scale = alt.Scale(zero=False, nice=True)
    x = alt.X("mean:Q", title=metric.label, scale=scale)
    hue = color(architectures, legend=False)
    dots = (
        alt.Chart(seeds)
        .mark_point(size=36, filled=False, opacity=0.6)
        .encode(x=alt.X("loss:Q", title=metric.label, scale=scale), y=y, color=hue)
    )
    whiskers = alt.Chart(table).mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q"), y=y, color=hue
    )  # fmt: skip
    means = (
        alt.Chart(table)
        .mark_point(size=150, opacity=1)
        .encode(
            x=x, y=y, color=hue, shape=shape(architectures, legend=False),
            tooltip=[alt.Tooltip("architecture:N"), alt.Tooltip("mean:Q", format=".4f"),
                     alt.Tooltip("seeds:Q"), alt.Tooltip("setting:N")],
        )
    )  # fmt: skip
    return wide(dots, whiskers, means, height=rows(table.height, 46))


def figure(results: Results) -> Figure:
    """Return the best setting of each architecture as a figure."""
    settings = results.setting_names
    column = results.metric.column
    table = headline_table(results.full_budget, settings, column, results.varied)
    keys = ["architecture", *settings]
    fresh = results.full_budget.filter(cohort="confirm")
    winners = results.full_budget.filter(pl.col("trial_id").is_in(table["trial_id"].to_list()))
    seeds = fresh.join(winners.select(keys), on=keys, nulls_equal=True, how="semi").select(
        "architecture", "trial_id", loss=pl.col(column)
    )
    return Figure(
        key="best-settings",
        title="Best setting of each architecture",
        panels=(
            Panel(
                sentence=ranking_sentence(table, results.metric),
                chart=None
                if table.is_empty()
                else headline_chart(table, seeds, results.architectures, results.metric),
                table=table,
                show_table=True,
                columns=(
                    "architecture", "mean", "margin", "gap", "verdict", "seeds", "num_params",
                    "setting", "trial_id",
                ),
            ),
        ),
        note=(
            "Large marks are means over fresh seeds, small rings the single seeds. Bars (and ± "
            "everywhere) are intervals that hold for all of these settings at once at 95 %: from "
            "the setting's own deviation where it has three seeds or more, from the pooled one, "
            "which takes all noise for equal, where it has two. Gaps are to the best."
        ),
    )  # fmt: skip
