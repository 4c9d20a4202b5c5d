"""What a question gives to the page: a plain sentence, its chart, and the data behind it."""

from dataclasses import dataclass
from typing import TypeAlias

import altair as alt
import polars as pl

Chart: TypeAlias = (
    alt.Chart
    | alt.LayerChart
    | alt.FacetChart
    | alt.ConcatChart
    | alt.HConcatChart
    | alt.VConcatChart
    | alt.RepeatChart
)
"""What a chart function returns."""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A text that a model wrote; not safe in HTML until the page has escaped it."""

    architecture: str
    trial_id: str
    heading: str
    prompt: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture of a square table of numbers, one pixel a cell."""

    caption: str
    source: str
    """Its content as a `data:` address."""
    description: str
    """What it shows, for those who cannot see it."""
    size: int
    """Cells on a side."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One view of a figure; a figure with several panels shows them as tabs."""

    sentence: str
    """What the data says, computed from it; plain text, escaped by the page."""
    label: str = ""
    """The tab's name."""
    group: str = ""
    """Tabs of one group stand together when there are too many for a row."""
    chart: Chart | None = None
    table: pl.DataFrame | None = None
    """The data behind the chart, offered as CSV and as a table."""
    show_table: bool = False
    """Whether the table is shown at once; otherwise a button opens it."""
    quotes: tuple[Quote, ...] = ()
    """Texts to read side by side."""
    images: tuple[Image, ...] = ()
    """Pictures to look at side by side."""
    columns: tuple[str, ...] = ()
    """Columns to show, all when empty; the CSV has all of them."""

    @property
    def has_content(self) -> bool:
        """Whether there is more to see than its sentence."""
        rows = self.table is not None and not self.table.is_empty()
        return self.chart is not None or rows or bool(self.quotes) or bool(self.images)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The answer to one question, as the page shows it."""

    key: str
    """Its address within the page."""
    title: str
    panels: tuple[Panel, ...]
    note: str = ""
    """How to read it: method, exclusions, caveats."""
    plain: bool = False
    """Whether sentences alone are all that it has to say."""
    half: bool = False
    """Whether two of them fit side by side on a wide screen."""

    @property
    def is_missing(self) -> bool:
        """Whether too little was measured for it: it has sentences that say so, and no more."""
        return not self.plain and not any(panel.has_content for panel in self.panels)
