"""One HTML file from figures: no request to anywhere, nothing that is not escaped."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Final

from picosweep.analysis.page.figure import Figure, Image, Panel, Quote
from picosweep.analysis.page.first_screen import Answer
from picosweep.analysis.page.page_data import Payload
from picosweep.analysis.page.style import CATEGORY, theme
from picosweep.analysis.page.vega import vega_bundle
from picosweep.sweeps.store.tables import short_id


@dataclass(frozen=True, kw_only=True)
class Section:
    """A chapter of the page."""

    key: str
    title: str
    lead: str
    """What the chapter is for, in one sentence."""
    figures: tuple[Figure, ...]


MAX_TABS: Final = 8
MISSING: Final = "What cannot be said yet"
_CLOCK: Final = re.compile(r"(\d.(?:min|h)) (\d)")
_UNIT: Final = re.compile(r"(\d) (%|[kMGTP]?FLOPs?\b|[kMGTP]\b|[KMG]iB\b|s\b|min\b|h\b)")


def render(
    *,
    title: str,
    subtitle: str,
    answer: Answer,
    sections: Sequence[Section],
    architectures: Sequence[str],
    colophon: str,
    facts: Mapping[str, object],
) -> str:
    """Return the whole page as HTML.

    Args:
        title: name of the sweep or sweeps.
        subtitle: what was run: data, budget, date.
        answer: content of the first screen.
        sections: chapters in order; empty ones are left out.
        architectures: names in their fixed order, which gives each its colour and shape.
        colophon: last line of the page: what it was made from.
        facts: further values for the page's script (plain JSON types).
    """
    payload = Payload()
    missing = [figure for section in sections for figure in section.figures if figure.is_missing]
    shown = [
        replace(section, figures=tuple(one for one in section.figures if not one.is_missing))
        for section in sections
    ]
    shown = [section for section in shown if section.figures]
    body = _hero(title, subtitle, answer, architectures)
    body += "".join(
        _section(number, section, payload) for number, section in enumerate(shown, start=1)
    )
    body += _missing(missing)
    resources = files("picosweep.analysis.page")
    style = resources.joinpath("report.css").read_text(encoding="utf-8") + _swatches(architectures)
    script = resources.joinpath("report.js").read_text(encoding="utf-8")
    vega = vega_bundle()
    data = payload.to_json(
        themes={"light": theme("light"), "dark": theme("dark")},
        architectures=list(architectures),
        **facts,
    )
    contents = '<li><a href="#answer">The answer</a></li>' + "".join(
        f'<li><a href="#{section.key}">{escape(section.title)}</a></li>' for section in shown
    )
    if missing:
        contents += f'<li><a href="#missing">{MISSING}</a></li>'
    parts = {
        "csp": _content_security_policy([vega, script], [style]),
        "title": escape(f"{title} · Picosweep"),
        "style": style,
        "contents": contents,
        "main": body,
        "colophon": escape(colophon),
        "payload": data,
        "vega": vega,
        "script": script,
    }
    template = resources.joinpath("report.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _content_security_policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """Return a policy under which only these scripts and styles run and nothing is fetched."""

    def hashes(texts: Sequence[str]) -> str:
        digests = (b64encode(sha256(text.encode()).digest()).decode() for text in texts)
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _swatches(architectures: Sequence[str]) -> str:
    """Return the architectures' colours as CSS classes, for text and tables."""
    rules = []
    for mode, root in (("light", ":root"), ("dark", ':root[data-mode="dark"]')):
        colors = CATEGORY[mode]  # type: ignore[index]
        variables = "".join(
            f"--a{index}:{colors[index % len(colors)]};" for index in range(len(architectures))
        )
        rules.append(f"{root}{{{variables}}}")
    rules += [f".a{index}{{color:var(--a{index})}}" for index in range(len(architectures))]
    return "\n".join(rules)


def _hero(title: str, subtitle: str, answer: Answer, architectures: Sequence[str]) -> str:
    mark = ""
    if answer.winner is not None:
        index = list(architectures).index(answer.winner)
        mark = f'<span class="swatch a{index}" data-shape="{index}" aria-hidden="true"></span>'
    tiles = "".join(
        f'<div class="tile"><dt>{escape(tile.label)}</dt><dd>{escape(tile.value)}'
        f"<small>{_prose(tile.detail)}</small></dd></div>"
        for tile in answer.tiles
    )
    defaults = ""
    if answer.defaults:
        defaults = (
            f"<details><summary>{len(answer.defaults)} more that every trial shared</summary>"
            f'<ul class="settings">{_chips(answer.defaults)}</ul></details>'
        )
    commands = "".join(
        f'<li><span class="does">{escape(does)}</span><code>{escape(command)}</code>'
        f'<button type="button" class="copy" aria-label="Copy: {escape(does)}">Copy</button></li>'
        for does, command in answer.commands
    )
    settings = (
        f"<div><h2>Settings of {escape(str(answer.winner))}</h2>"
        f'<ul class="settings">{_chips(answer.settings)}</ul>{defaults}</div>'
        if answer.settings
        else ""
    )
    recipe = (
        f'<div class="recipe">{settings}'
        "<div><h2>Run it again</h2>"
        f'<ul class="commands">{commands}</ul></div></div>'
        if answer.commands
        else ""
    )
    return (
        f'<section id="answer" class="hero" aria-labelledby="answer-title">'
        f'<p class="eyebrow">{escape(title)}<span>{escape(subtitle)}</span></p>'
        f'<h1 id="answer-title">{mark}{escape(answer.verdict)}</h1>'
        f'<p class="finding">{_prose(answer.sentence)}</p>'
        f'<dl class="tiles">{tiles}</dl>{recipe}</section>'
    )


def _prose(text: str) -> str:
    """Return escaped text in which a number and its unit stay on one line."""
    together = _UNIT.sub("\\1\N{NO-BREAK SPACE}\\2", escape(text))
    return _CLOCK.sub("\\1\N{NO-BREAK SPACE}\\2", together)


def _chips(settings: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f"<li><span>{escape(name)}</span> <b>{escape(value)}</b></li>" for name, value in settings
    )


def _section(number: int, section: Section, payload: Payload) -> str:
    figures = "".join(_figure(figure, payload) for figure in section.figures)
    return (
        f'<section id="{section.key}" aria-labelledby="{section.key}-title">'
        f'<header class="chapter"><h2 id="{section.key}-title"><span class="number">{number}</span>'
        f"{escape(section.title)}</h2><p>{escape(section.lead)}</p></header>"
        f'<div class="figures">{figures}</div></section>'
    )


def _missing(figures: Sequence[Figure]) -> str:
    """Return the last chapter: a line for each question that too little was measured for."""
    if not figures:
        return ""
    lines = "".join(
        f'<li id="{figure.key}"><b>{escape(figure.title)}</b> {_prose(_whole(figure))}</li>'
        for figure in figures
    )
    return (
        '<section id="missing" aria-labelledby="missing-title"><header class="chapter">'
        f'<h2 id="missing-title">{MISSING}</h2><p>Questions for which too little was measured.</p>'
        f'</header><ul class="missing">{lines}</ul></section>'
    )


def _whole(figure: Figure) -> str:
    """Return what a figure without charts says, each sentence once."""
    return " ".join(dict.fromkeys(panel.sentence for panel in figure.panels))


def _figure(figure: Figure, payload: Payload) -> str:
    several = len(figure.panels) > 1
    many = len(figure.panels) > MAX_TABS or any(panel.group for panel in figure.panels)
    chooser = "" if not several else _select(figure) if many else _tabs(figure)
    panels = "".join(
        _panel(figure, index, panel, payload, tabs=several and not many)
        for index, panel in enumerate(figure.panels)
    )
    note = f'<p class="note">{_prose(figure.note)}</p>' if figure.note else ""
    return (
        f'<article class="figure{" half" if figure.half else ""}" id="{figure.key}">'
        f"<h3>{escape(figure.title)}</h3>{chooser}{panels}{note}</article>"
    )


def _tabs(figure: Figure) -> str:
    buttons = "".join(
        f'<button type="button" role="tab" id="{figure.key}-tab-{index}" '
        f'aria-controls="{figure.key}-{index}" aria-selected="{str(index == 0).lower()}" '
        f'tabindex="{0 if index == 0 else -1}">{escape(panel.label)}</button>'
        for index, panel in enumerate(figure.panels)
    )
    return f'<div class="tabs" role="tablist" aria-label="{escape(figure.title)}">{buttons}</div>'


def _select(figure: Figure) -> str:
    groups: dict[str, list[str]] = {}
    for index, panel in enumerate(figure.panels):
        name = f"{panel.group}: {panel.label}" if panel.group else panel.label
        option = f'<option value="{figure.key}-{index}">{escape(name)}</option>'
        groups.setdefault(panel.group, []).append(option)
    options = "".join(
        f'<optgroup label="{escape(group)}">{"".join(members)}</optgroup>'
        if group
        else "".join(members)
        for group, members in groups.items()
    )
    return (
        f'<p class="chooser"><label>Show <select data-chooser="{figure.key}">{options}'
        "</select></label></p>"
    )


def _panel(figure: Figure, index: int, panel: Panel, payload: Payload, *, tabs: bool) -> str:
    key = f"{figure.key}-{index}"
    role = f' role="tabpanel" aria-labelledby="{figure.key}-tab-{index}"' if tabs else ""
    parts = [f'<p class="finding">{_prose(panel.sentence)}</p>']
    tools = []
    caption = escape(f"{figure.title} {panel.label}".strip())
    if panel.quotes:
        parts.append(
            f'<div class="quotes">{"".join(_quote(quote) for quote in panel.quotes)}</div>'
        )
    if panel.images:
        parts.append(
            f'<div class="images">{"".join(_image(image) for image in panel.images)}</div>'
        )
    if panel.chart is not None:
        payload.add_chart(key, panel.chart)
        parts.append(
            f'<div class="chart" data-chart="{key}" role="img" '
            f'aria-label="{escape(figure.title)}. {escape(panel.sentence)}"></div>'
        )
    if panel.table is not None and not panel.table.is_empty():
        table = payload.add_table(panel.table)
        attributes = f'data-table="{table}" data-file="{escape(key)}"'
        if panel.show_table:
            shown = escape(",".join(panel.columns))
            parts.append(
                f'<div class="table" {attributes} data-caption="{caption}" '
                f'data-columns="{shown}"></div>'
            )
        else:
            tools.append(
                f'<button type="button" class="show-data" {attributes} '
                f'data-caption="{caption}" aria-expanded="false" '
                f'aria-label="Data: {caption}">Data</button>'
            )
        tools.append(
            f'<button type="button" class="csv" {attributes} '
            f'aria-label="CSV: {caption}">CSV</button>'
        )
    if panel.chart is not None:
        tools.extend(
            f'<button type="button" class="image" data-format="{form}" data-of="{key}" '
            f'aria-label="{form.upper()}: {caption}">{form.upper()}</button>'
            for form in ("png", "svg")
        )
    if tools:
        parts.append(f'<div class="exports" aria-label="Downloads">{"".join(tools)}</div>')
    hidden = " hidden" if index else ""
    return f'<div class="panel" id="{key}"{role}{hidden}>{"".join(parts)}</div>'


def _image(image: Image) -> str:
    return (
        f'<figure class="cells"><img src="{escape(image.source)}" width="{image.size}" '
        f'height="{image.size}" alt="{escape(image.description)}">'
        f"<figcaption>{escape(image.caption)}</figcaption></figure>"
    )


def _quote(quote: Quote) -> str:
    name = escape(quote.architecture)
    return (
        f'<figure class="quote"><figcaption><span data-architecture="{name}">{name}</span> '
        f"<small>{escape(quote.heading)}</small> "
        f'<button type="button" class="open-trial" data-open="{escape(quote.trial_id)}">'
        f"{escape(short_id(quote.trial_id))}</button></figcaption>"
        f"<blockquote><b>{escape(quote.prompt)}</b>{escape(quote.text)}</blockquote></figure>"
    )
