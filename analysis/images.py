"""Every chart of the report as PNG or SVG files, for papers and slides."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from picosweep.analysis.page.figure import Chart, Figure
from picosweep.analysis.page.page import Section
from picosweep.analysis.page.style import Mode, theme
from picosweep.analysis.report import make_sections
from picosweep.analysis.results import Results, load

Format = Literal["png", "svg"]
WIDTH: Final = 720
MAX_NAME: Final = 60
BACKGROUND: Final[dict[Mode, str]] = {"light": "#ffffff", "dark": "#151a21"}


def write_images(
    results_folders: str | Path | Sequence[str | Path] | Results,
    folder: str | Path,
    *,
    formats: Sequence[Format] = ("png", "svg"),
    mode: Mode = "light",
    sections: Sequence[Section] | None = None,
) -> list[Path]:
    """Write one file per chart and format, named after the chart's place in the report.

    A figure with tabs gives one file per tab, as in `pareto-parameters.png`.

    Args:
        results_folders: one sweep's folder, or several, or what `analysis.load` returned for them.
        folder: folder for the files; made when missing.
        formats: `png` (at twice the size, for sharp prints), `svg`, or both.
        mode: `light` or `dark` theme.
        sections: chapters where they were made already, by `analysis.report.make_sections`; None:
            made here.

    Returns:
        paths of the files, in the order of the report.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if sections is None:
        known = results_folders if isinstance(results_folders, Results) else load(results_folders)
        sections = make_sections(known)
    written: dict[Path, None] = {}
    for section in sections:
        for figure in section.figures:
            for index, panel in enumerate(figure.panels):
                if panel.chart is None:
                    continue
                name = file_name(figure, index)
                for form in formats:
                    file = target / f"{name}.{form}"
                    file = file if file not in written else target / f"{name}-{index}.{form}"
                    file.write_bytes(render_image(panel.chart, form, mode))
                    written[file] = None
    return list(written)


def file_name(figure: Figure, index: int) -> str:
    """Return the figure's key and the tab's name, in letters that any file system takes."""
    panel = figure.panels[index]
    words = re.sub(r"[^a-z0-9]+", "-", f"{panel.group} {panel.label}".lower()).strip("-")
    return f"{figure.key}-{words[:MAX_NAME]}" if words else figure.key


def render_image(chart: Chart, form: Format, mode: Mode = "light") -> bytes:
    """Return one chart as the bytes of an image."""
    import vl_convert  # noqa: PLC0415 - starts a JavaScript engine

    specification = fixed_width(chart.to_dict(validate=False))
    config = theme(mode) | {"background": BACKGROUND[mode], "padding": 16}
    if form == "svg":
        svg: str = vl_convert.vegalite_to_svg(specification, config=config)
        return svg.encode()
    png: bytes = vl_convert.vegalite_to_png(specification, config=config, scale=2)
    return png


def fixed_width(specification: dict[str, Any]) -> dict[str, Any]:
    """Return the specification with a width in pixels where it was that of its place on a page."""
    if specification.get("width") == "container":
        return specification | {"width": WIDTH}
    return specification
