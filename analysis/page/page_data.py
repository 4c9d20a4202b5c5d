"""Charts and tables as JSON: each dataset once, by columns, however many charts share it."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import altair as alt
import polars as pl

from picosweep.analysis.page.figure import Chart
from picosweep.sweeps.store.columns import ALL

_TRANSFORMER: Final = "picosweep-lifted"
MAX_ROWS: Final = 20_000
"""More rows than this in one chart is a mistake: aggregate before drawing."""

LABELS: Final[Mapping[str, str]] = {
    **{name: column.label for name, column in ALL.items() if column.label},
    "mean": "Mean",
    "low": "Low",
    "high": "High",
    "margin": "±",
    "gap": "Gap",
    "gap_low": "Gap, low",
    "gap_high": "Gap, high",
    "seeds": "Seeds",
    "std_error": "Std. error",
    "term": "Term",
    "t": "t",
    "rise": "Rise",
    "gain": "Last doubling",
    "diagnosis": "Diagnosis",
    "membership": "On the front",
    "probability": "Probability",
    "p_value": "p",
    "sd": "Std. deviation",
    "happened": "What happened",
    "trials": "Trials",
    "source": "Source",
    "key": "Key",
    "content": "Content",
    "points": "Points",
    "exponent": "Exponent",
    "exponent_low": "Low",
    "exponent_high": "High",
    "change": "Change",
    "before": "Before",
    "after": "After",
    "basis": "Basis",
    "trials_before": "Trials before",
    "trials_after": "Trials after",
    "tokenizer": "Tokenizer",
    "vocab_size": "Vocabulary",
    "num_texts": "Texts",
    "num_round_trips": "Unchanged",
    "num_broken_words": "Broken words",
    "characters_per_token": "Characters/token",
    "bytes_per_token": "Bytes/token",
    "used_fraction": "In use",
    "held_out": "Held-out text",
    "control": "Control",
    "gain_low": "Gain, low",
    "gain_high": "Gain, high",
    "loss_without": "Loss without",
    "missing": "Not run",
    "items": "Items",
    "near": "Nearest tokens",
    "seen": "In training",
    "token_text": "Token",
    "text_group": "Group",
    "name": "Model",
    "place": "Place",
    "top": "Looks most at",
    "reads": "Reads at once",
    "against": "Control is",
    "unit": "Layer.unit",
    "higher": "Above",
    "chosen_by": "Chosen by",
    "detail": "Detail",
    "weight": "Weight",
    "tokens_a_pass": "Tokens a pass",
    "ms_fp32": "Step in fp32, ms",
    "ms_other": "Step in the other, ms",
    "other": "Other",
    "quicker": "Times as fast",
    "taken": "Taken",
}
_LOSSES: Final = (
    "mean", "low", "high", "loss", "gap", "gap_low", "gap_high", "best", "estimate", "expected",
    "before", "after", "change", "margin", "std_error", "median", "score", "held_out", "control",
    "gain_low", "gain_high", "previous", "first", "duplicate", "induction", "entropy", "distance",
    "loss_without", "weight", "log_frequency", "component_1", "component_2", "component_3",
)  # fmt: skip
_TEXTS: Final[Mapping[str, str]] = {
    "trial_id": "trial",
    "architecture": "architecture",
    "status": "status",
    "verdict": "verdict",
    "setting": "wide",
    "detail": "wide",
    "weights": "wide",
    "near": "wide",
    "against": "wide",
    "error": "wide",
}
_NUMBERS: Final[Mapping[str, str]] = {
    **{name: column.shown for name, column in ALL.items() if column.shown != "plain"},
    **dict.fromkeys(_LOSSES, "loss"),
    **dict.fromkeys(
        (
            "rise",
            "gain",
            "share",
            "membership",
            "probability",
            "used_fraction",
            "explained",
            "baseline",
            "chosen_by",
            "selectivity",
            "chance",
        ),
        "percent",
    ),
    "p_value": "p",
}


class Payload:
    """The datasets and charts that the page's script needs; equal datasets are stored once."""

    def __init__(self) -> None:
        self.datasets: dict[str, dict[str, Any]] = {}
        self.charts: dict[str, dict[str, Any]] = {}
        self._known: dict[int, tuple[pl.DataFrame, str]] = {}

    def add_table(self, frame: pl.DataFrame) -> str:
        """Store a frame and return the key under which charts and tables find it."""
        known = self._known.get(id(frame))
        if known:
            return known[1]
        content = encode(frame)
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        key = "d" + sha256(text.encode()).hexdigest()[:10]
        self.datasets[key] = content
        self._known[id(frame)] = (frame, key)  # the frame is kept, or its id could be reused
        return key

    def add_chart(self, key: str, chart: Chart) -> None:
        """Store a chart's specification; its data are stored apart and named in it."""

        def lift(data: Any, **_: Any) -> dict[str, str]:
            return {"name": self.add_table(data)}

        alt.data_transformers.register(_TRANSFORMER, lift)
        with alt.data_transformers.enable(_TRANSFORMER):
            specification = chart.to_dict(validate=False)
        for name in ("config", "datasets", "$schema"):
            specification.pop(name, None)
        self.charts[key] = specification

    def to_json(self, **more: object) -> str:
        """Return everything as JSON that is safe inside a script element."""
        content = {
            "datasets": self.datasets,
            "charts": self.charts,
            "meanings": self._meanings(),
            **more,
        }
        return safe_json(content)

    def _meanings(self) -> dict[str, dict[str, Any]]:
        """Return what the columns of the tables mean, and the names that stand in them."""
        there = {column["key"] for data in self.datasets.values() for column in data["columns"]}
        known = [column for name, column in ALL.items() if name in there]
        return {
            "columns": {column.name: column.meaning for column in known},
            "values": {column.name: dict(column.values) for column in known if column.values},
        }


def safe_json(content: object) -> str:
    """Return JSON in which no text can end the script element around it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def encode(frame: pl.DataFrame) -> dict[str, Any]:
    """Return a frame by columns: `columns` (key, label, kind) and `values`, one entry per column.

    Floats keep six significant digits; NaN and infinities become null; times become ISO text. A
    column of text that repeats is stored as its `levels` and, in `codes`, each row's position
    among them.

    Raises:
        ValueError: the frame has more rows than a chart should draw.
    """
    if frame.height > MAX_ROWS:
        raise ValueError(f"{frame.height} rows for one chart; at most {MAX_ROWS}")
    columns, values = [], []
    for series in frame.iter_columns():
        columns.append({"key": series.name, "label": label(series.name), "kind": kind(series)})
        values.append(_packed(_plain(series)))
    return {"columns": columns, "values": values}


def _packed(series: pl.Series) -> list[Any] | dict[str, list[Any]]:
    if series.dtype != pl.String or series.len() < 8 or series.n_unique() > series.len() // 2:
        return series.to_list()
    codes = series.cast(pl.Categorical).to_physical()
    levels = pl.DataFrame({"code": codes, "level": series}).drop_nulls().unique("code").sort("code")
    positions = codes.replace_strict(
        levels["code"], pl.int_range(levels.height, eager=True), default=None
    )
    return {"levels": levels["level"].to_list(), "codes": positions.to_list()}


def label(name: str) -> str:
    """Return a column's heading; a setting keeps its own name."""
    known = name in _NUMBERS or name in _TEXTS
    return LABELS.get(name, name.replace("_", " ").capitalize() if known else name)


def kind(series: pl.Series) -> str:
    """Return the name of the way in which the page writes and aligns a column."""
    if series.dtype == pl.Datetime:
        return "time"
    if series.dtype.is_numeric():
        return _NUMBERS.get(series.name, "number")
    return _TEXTS.get(series.name, "text")


def _plain(series: pl.Series) -> pl.Series:
    if series.dtype.is_float():
        finite = series.is_finite()
        cleaned = series.round_sig_figs(6)
        return cleaned if finite.all() else cleaned.set(~finite.fill_null(value=True), None)
    if series.dtype == pl.Datetime:
        return series.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    return (
        series
        if series.dtype.is_integer() or series.dtype == pl.Boolean
        else series.cast(pl.String)
    )
