"""What can the models write? Scores of the code suite, each beside what knows nothing."""

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import polars as pl

from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, wide
from picosweep.pico.evaluation.scores import (
    BASELINES,
    COMPLETIONS,
    GRADES,
    NUM_SAMPLES,
    OTHER_PROMPTS,
    TEMPERATURE,
    Item,
    mean_share,
    paired_change,
    pass_at_k,
)

SECTIONS: Final = (*COMPLETIONS, *GRADES)
IN_TRIES: Final = f"passes in {NUM_SAMPLES} tries"


def items_of(frame: pl.DataFrame, section: str) -> list[Item]:
    """Return the items of one section of one evaluation."""
    return [
        Item(
            section=section,
            item=row["item"] or "",
            score=row["score"],
            samples=row["num_scored"] or 0,
            detail=row["detail"] or "",
        )
        for row in frame.filter(section=section).iter_rows(named=True)
    ]


def code_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the sections of one evaluation by the code suite.

    Args:
        frame: rows of `evaluations` of one trial at one step.

    Returns:
        section, mean, low, high (95 % over items), control (mean of what knows nothing), against
        (what that is), gain_low and gain_high (95 % of the paired difference), items, missing
        (items without a score).
    """
    found = []
    for section in SECTIONS:
        items = items_of(frame, section)
        if not items:
            continue
        share = mean_share(item.score for item in items)
        against, control = _control(frame, section)
        change = paired_change(control, items) if control else None
        found.append(
            {
                "section": section,
                "mean": share.mean,
                "low": share.low,
                "high": share.high,
                "control": mean_share(item.score for item in control).mean if control else None,
                "against": against,
                "gain_low": change.low if change else None,
                "gain_high": change.high if change else None,
                "items": share.items,
                "missing": len(items) - share.items,
            }
        )
    tries = [
        pass_at_k(item.samples, round(item.score * item.samples), NUM_SAMPLES)
        for item in items_of(frame, "passes")
        if item.score is not None and item.samples >= NUM_SAMPLES
    ]
    if tries:
        share = mean_share(tries)
        found.append(
            {"section": IN_TRIES, "mean": share.mean, "low": share.low, "high": share.high}
            | {"items": share.items, "missing": 0}
        )
    schema = {
        "section": pl.String, "mean": pl.Float64, "low": pl.Float64, "high": pl.Float64,
        "control": pl.Float64, "against": pl.String, "gain_low": pl.Float64,
        "gain_high": pl.Float64, "items": pl.Int64, "missing": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=schema)


def _control(frame: pl.DataFrame, section: str) -> tuple[str, list[Item]]:
    """Return what a section is held against, and its items: of the baselines the best."""
    if section in COMPLETIONS:
        return "the same completions for other prompts", items_of(frame, section + OTHER_PROMPTS)
    if section != "passes":
        return "", []
    controls = {name.partition(": ")[2]: items_of(frame, name) for name in BASELINES}
    means = {name: mean_share(item.score for item in own).mean for name, own in controls.items()}
    best = max(means, key=lambda name: means[name] or 0.0)
    return f"returning {best}", controls[best]


def code_sentence(name: str, table: pl.DataFrame, frame: pl.DataFrame) -> str:
    """Say what share of functions passes, and in which sections a model beats what knows nothing.

    Args:
        name: the trial's name.
        table: of `code_table`.
        frame: the rows that it was made from.
    """
    rows_ = {row["section"]: row for row in table.iter_rows(named=True)}
    parts = [f"{name}: {_passes(rows_.get('passes'), frame)}"]
    better = [s for s in COMPLETIONS if s in rows_ and (rows_[s]["gain_low"] or 0) > 0]
    rest = [s for s in COMPLETIONS if s in rows_ and s not in better]
    if better:
        listed = wording.listing([f"{s} ({wording.percent(rows_[s]['mean'])})" for s in better])
        parts.append(
            f"Its completions fit their own prompts better than others' prompts in {listed}."
        )
    if rest:
        listed = wording.listing([f"{s} ({wording.percent(rows_[s]['mean'])})" for s in rest])
        parts.append(f"Not shown to be better than for other prompts: {listed}.")
    return " ".join(parts)


def _passes(row: Mapping[str, Any] | None, frame: pl.DataFrame) -> str:
    if row is None or row["mean"] is None:
        reasons = frame.filter(section="passes")["detail"].drop_nulls()
        return f"no function was run: {reasons[0]}" if len(reasons) else "no function was run."
    text = (
        f"{wording.percent(row['mean'])} of the functions that it writes pass their tests "
        f"({wording.percent(row['low'])} to {wording.percent(row['high'])} over "
        f"{row['items']} problems)"
    )
    if row["control"] is None:
        return f"{text}."
    knows = (row["gain_low"] or 0) > 0
    verdict = "more than" if knows else "not shown to be more than"
    text += f", {verdict} {row['against']} passes ({wording.percent(row['control'])})."
    if row["missing"]:
        text += f" {wording.plural(row['missing'], 'problem')} could not be run."
    return text


def code_chart(table: pl.DataFrame) -> Chart:
    """Draw each section's mean with its interval, and what knows nothing as a tick."""
    order = [*SECTIONS, IN_TRIES]
    y = alt.Y("section:N", title=None, sort=order)
    x = alt.X("mean:Q", title="Share", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    tips = [
        alt.Tooltip("section:N"),
        alt.Tooltip("mean:Q", format=".1%"),
        alt.Tooltip("low:Q", format=".1%"),
        alt.Tooltip("high:Q", format=".1%"),
        alt.Tooltip("control:Q", format=".1%"),
        alt.Tooltip("against:N"),
        alt.Tooltip("items:Q"),
    ]
    base = alt.Chart(table.filter(pl.col("mean").is_not_null())).encode(y=y, x=x, tooltip=tips)
    spans = base.mark_rule(strokeWidth=2, opacity=0.6).encode(x=alt.X("low:Q"), x2="high:Q")
    points = base.mark_point(filled=True, size=80, opacity=1)
    controls = base.mark_tick(thickness=3, size=16, color="#d1603d").encode(x=alt.X("control:Q"))
    return wide(spans, controls, points, height=rows(table.height, 26))


def _panel(name: str, frame: pl.DataFrame) -> Panel:
    table = code_table(frame)
    return Panel(
        label=name,
        sentence=code_sentence(name, table, frame),
        chart=None if table["mean"].is_null().all() else code_chart(table),
        table=table,
    )


def figure(asked: Asked) -> Figure | None:
    """Return a panel for each trial that was put to the code suite; None for none."""
    frame = asked.latest("evaluations").filter(suite="code")
    panels = asked.panels(frame, _panel)
    if not panels:
        return None
    layers = frame["sandbox"].drop_nulls().unique().sort().to_list()
    ran = f" Sandbox: {'; '.join(layers)}." if layers else ""
    return Figure(
        key="code-scores",
        title="What it completes, and what the functions do that it writes",
        panels=panels,
        note=(
            "Points with 95 % intervals over the items (Clopper and Pearson). Orange ticks: the "
            "same completions judged for other prompts; under passes, the best of three functions "
            "that know nothing of their problem (always one constant, their first argument, what "
            "the model writes most often). Differences are paired by item. Completions are greedy; "
            f"functions are written {NUM_SAMPLES} times at temperature {TEMPERATURE} and run.{ran}"
        ),
    )
