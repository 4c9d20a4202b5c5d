"""The section of docs/performance.md that a run writes, and the numbers beside it."""

import json
from pathlib import Path
from typing import Any, Final

import altair as alt
import polars as pl

from benchmarks.pages import marks, replace_section, surroundings_sentence
from picosweep.analysis.page.style import theme

MARKS: Final = marks("sweep efficiency", "sweep_efficiency")
NAMES: Final = {
    "bare": "two plain processes (the floor)",
    "picosweep": "Picosweep",
    "tune_tuned": "Ray Tune, tuned",
    "tune_documented": "Ray Tune, as documented",
    "optuna": "Optuna, journal file",
    "syne_tune": "Syne Tune, local",
}


def table_of(content: dict[str, Any]) -> pl.DataFrame:
    """Return medians over the rounds for each floor and tool, with the spread of the ratio."""
    frames = []
    for found in content["found"]:
        runs = pl.DataFrame(found["runs"])
        bare = runs.filter(tool="bare").select("round", floor="seconds")
        ratio = runs.join(bare, on="round").with_columns(
            share=pl.col("floor") / pl.col("seconds"),
            over=pl.col("seconds") - pl.col("floor"),
            busy=pl.col("busy_seconds") / pl.col("seconds") / content["slots"],
        )
        frames.append(
            ratio.group_by("tool", maintain_order=True)
            .agg(
                pl.col("seconds", "share", "busy", "over").median(),
                low=pl.col("share").min(),
                high=pl.col("share").max(),
                megabytes=pl.col("peak_bytes").median() / 1e6,
                best_loss=pl.col("best_loss").min(),
                rounds=pl.len(),
            )
            .select(pl.lit(found["floor"]).alias("target"), pl.all())
        )
    return pl.concat(frames)


def section(content: dict[str, Any], picture: str) -> list[str]:
    """Return the lines of the section, in Markdown."""
    table = table_of(content)
    lines = [
        f"{surroundings_sentence(content)} {_rounds(table)}, tools in turns, medians; the floor "
        "over the wall with its lowest and highest round.",
        "",
        f"![Floor over wall by tool]({picture})",
        "",
        "| floor | tool | wall | over the floor | floor / wall | busy | peak memory | best loss |",
        "|---:|---|---:|---:|---|---:|---:|---:|",
    ]
    for _, own in table.group_by("target", maintain_order=True):
        floor = own.filter(tool="bare").row(0, named=True)["seconds"]
        lines += [
            f"| {floor:.1f} s | {name} | {row['seconds']:.1f} s | {row['over']:+.1f} s | "
            f"{row['share']:.2f} ({row['low']:.2f} to {row['high']:.2f}) | "
            f"{row['busy']:.2f} | {row['megabytes']:,.0f} MB | {row['best_loss']:.4f} |"
            for tool, name in NAMES.items()
            for row in own.filter(tool=tool).iter_rows(named=True)
        ]
    return lines


def _rounds(table: pl.DataFrame) -> str:
    told = [
        f"{own.filter(tool='picosweep')['rounds'].item()} at {target:g} s"
        for (target,), own in table.group_by("target", maintain_order=True)
    ]
    return f"Rounds: {', '.join(told)} (of tools that start a process for each trial one)"


def chart_of(content: dict[str, Any]) -> alt.FacetChart:
    """Draw floor over wall of each tool, a panel a floor."""
    table = table_of(content)
    floors = dict(table.filter(tool="bare").select("target", "seconds").iter_rows())
    panels = {target: f"{seconds:.0f} s of floor" for target, seconds in floors.items()}
    table = table.with_columns(
        name=pl.col("tool").replace_strict(NAMES, return_dtype=pl.String),
        panel=pl.col("target").replace_strict(panels, return_dtype=pl.String),
    )
    base = alt.Chart(table.filter(pl.col("tool") != "bare"), width=230, height=alt.Step(30))
    y = alt.Y("name:N", title=None, sort=list(NAMES.values()))
    ours = alt.condition("datum.tool === 'picosweep'", alt.value("#0067b1"), alt.value("#8a94a0"))
    bars = base.mark_bar().encode(
        x=alt.X("share:Q", title="Floor over wall", scale=alt.Scale(domain=[0, 1.1])),
        y=y,
        color=ours,
    )
    ends = base.mark_rule().encode(x="low:Q", x2="high:Q", y=y)
    texts = base.mark_text(align="left", dx=4).encode(
        x="high:Q", y=y, text=alt.Text("share:Q", format=".2f")
    )
    both = alt.layer(bars, ends, texts).facet(
        facet=alt.Facet("panel:N", title=None, sort=list(panels.values())), columns=3
    )
    chart: alt.FacetChart = both.configure(**theme("light"))
    return chart


def write_section(page: Path, content: dict[str, Any]) -> None:
    """Replace the section in a page, and write its picture and its numbers beside the page."""
    picture = page.with_suffix(".png")
    chart_of(content).save(str(picture), scale_factor=1.5)
    page.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    replace_section(page, MARKS, section(content, picture.name))
