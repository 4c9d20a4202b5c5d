"""Every chart of the report as PNG or SVG files, for papers and slides."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from analysis.figure import Chart
from analysis.questions import CHAPTERS, ask
from analysis.results import load
from analysis.style import Mode, theme

Format = Literal["png", "svg"]
WIDTH: Final = 720
BACKGROUND: Final[dict[Mode, str]] = {"light": "#ffffff", "dark": "#151a21"}


def write_images(
    results_folders: str | Path | Sequence[str | Path],
    folder: str | Path,
    *,
    formats: Sequence[Format] = ("png", "svg"),
    mode: Mode = "light",
) -> list[Path]:
    """Writes one file a chart and format, named after the chart's place in the report.

    Args:
        results_folders: One sweep's folder, or several.
        folder: Where the files go; made when missing.
        formats: `png` (at twice the size, for sharp prints), `svg`, or both.
        mode: Theme.

    Returns:
        The files, in the order of the report.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    results = load(results_folders)
    written = []
    for chapter in CHAPTERS:
        for figure in ask(chapter.questions, results):
            for index, panel in enumerate(figure.panels):
                if panel.chart is None:
                    continue
                for form in formats:
                    file = target / f"{figure.key}-{index}.{form}"
                    file.write_bytes(render_image(panel.chart, form, mode))
                    written.append(file)
    return written


def render_image(chart: Chart, form: Format, mode: Mode = "light") -> bytes:
    """One chart as the bytes of an image."""
    import vl_convert  # noqa: PLC0415 - starts a JavaScript engine

    specification = fixed_width(chart.to_dict(validate=False))
    config = theme(mode) | {"background": BACKGROUND[mode], "padding": 16}
    if form == "svg":
        svg: str = vl_convert.vegalite_to_svg(specification, config=config)
        return svg.encode()
    png: bytes = vl_convert.vegalite_to_png(specification, config=config, scale=2)
    return png


def fixed_width(specification: dict[str, Any]) -> dict[str, Any]:
    """A page's width is fluid; an image has one."""
    if specification.get("width") == "container":
        return specification | {"width": WIDTH}
    return specification
