"""The page in a real browser: every chart drawn, nothing said on the console, nothing sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from picosweep.analysis.report import write_report
from picosweep.sweeps.store.columns import ALL
from tests.analysis.page.browser import Browser, find_browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_browser() is None, reason="no Chromium on this machine"),
]
HARMLESS = "faceted independent scales that union domain"
CHARTS = "[...document.querySelectorAll('.chart')]"


@pytest.fixture(scope="module")
def page(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-written sweep's report."""
    return write_report(demo, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """One browser for all tests: starting it takes longer than a test."""
    with Browser() as opened:
        yield opened


@pytest.fixture
def browser(window: Browser, page: Path) -> Browser:
    """The page freshly opened, on a wide screen in a light system."""
    window.resize(1400, 900)
    window.prefer("light")
    window.events.clear()
    window.open(page)
    window.wait("!!window.picosweep")
    return window


def draw_everything(browser: Browser) -> None:
    """Unhides every panel, as choosing each tab would, and draws its chart."""
    browser.run("document.querySelectorAll('.panel').forEach((panel) => { panel.hidden = false; })")
    browser.run("picosweep.drawAll()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_without_a_word_or_a_request(browser: Browser, scheme: str) -> None:
    """All panels of all figures draw marks in both themes; console and network stay still."""
    browser.prefer(scheme)
    browser.wait(f"document.documentElement.dataset.mode === '{scheme}'")
    draw_everything(browser)
    states = browser.run(f"{CHARTS}.map((host) => host.dataset.state)")
    assert len(states) > 60
    assert set(states) == {"drawn"}
    count = "host.querySelectorAll('[role=graphics-symbol]').length"
    marks = browser.run(f"{CHARTS}.map((host) => [host.dataset.chart, {count}])")
    assert [name for name, number in marks if number == 0] == []
    assert browser.run("picosweep.errors") == []
    assert [text for text in browser.run("picosweep.warnings") if HARMLESS not in text] == []
    assert browser.messages() == []
    assert browser.requests() == []


def test_charts_are_drawn_before_anybody_scrolls(browser: Browser) -> None:
    """Idle time draws what is shown, so a print from the browser's menu is whole."""
    shown = f"{CHARTS}.filter((host) => host.clientWidth)"
    browser.wait(f"{shown}.every((host) => host.dataset.state === 'drawn')")
    assert browser.run("scrollY") == 0
    assert browser.run(f"{shown}.length") > 20


def test_hostile_text_does_nothing(browser: Browser, hostile_page: str, tmp_path: Path) -> None:
    """Markup in every name, text and error is shown, not obeyed: no image, no script, no word."""
    page = tmp_path / "evil.html"
    page.write_text(hostile_page, encoding="utf-8")
    browser.events.clear()
    browser.open(page)
    browser.wait("!!window.picosweep")
    draw_everything(browser)
    browser.run("document.querySelector('#trials .open-trial').click()")
    assert "alert(1)" in browser.run("document.getElementById('inspector').textContent")
    assert browser.run("document.images.length") == 0
    assert browser.run("document.scripts.length") == 3
    assert browser.run("picosweep.errors") == []
    assert browser.messages() == []
    assert browser.requests() == []


def test_a_phone_shows_it_without_sideways_scrolling(browser: Browser) -> None:
    """At 360 pixels the page is as wide as the screen; only charts and tables scroll inside."""
    browser.resize(360, 800, mobile=True)
    draw_everything(browser)
    assert browser.run("document.documentElement.scrollWidth") <= 360


def test_paper_takes_all_of_it(browser: Browser) -> None:
    """On paper nothing is wider than a sheet, and no heading is parted from what it heads."""
    browser.resize(1400, 900)
    draw_everything(browser)
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.resize(690, 900)  # A4 between its margins, at 96 pixels an inch
    assert browser.run("document.documentElement.scrollWidth") <= 690
    boxes = "[...document.querySelectorAll('svg, table')].map((e) => e.getBoundingClientRect())"
    assert 300 < browser.run(f"Math.max(...{boxes}.map((box) => box.right))") <= 690
    heads = "[...document.querySelectorAll('.chapter')].map((one) => getComputedStyle(one))"
    assert browser.run(
        f"{heads}.every((s) => s.breakInside === 'avoid' && s.breakAfter === 'avoid')"
    )


def test_columns_that_do_not_fit_leave_a_shade(browser: Browser) -> None:
    """On a phone the table of trials has more to its right; what fits has nothing to scroll to."""
    browser.resize(420, 800, mobile=True)
    host = "document.querySelector('#trials .scroll')"
    assert browser.run(f"{host}.scrollWidth > {host}.clientWidth")
    assert browser.run(f"getComputedStyle({host}).backgroundAttachment").count("local") == 2


def test_choices_are_named_each_and_not_joined(browser: Browser) -> None:
    """Where settings are on the x axis: a label for every architecture, a line for numbers only."""
    draw_everything(browser)
    host = "document.querySelector('[data-chart^=partial-dependence]')"
    texts = browser.run(f"[...{host}.querySelectorAll('text')].map((one) => one.textContent)")
    for name in ("kgram", "linear_transformer", "lstm", "transformer"):
        assert name in texts, name


def test_columns_and_names_say_what_they_mean(browser: Browser) -> None:
    """Under the pointer: what a cohort is, and what this one is."""
    told = browser.run(
        "[...document.querySelectorAll('#trials th button, #trials td span')]"
        ".map(one => one.title).filter(Boolean)"
    )
    assert f"cohort: {ALL['cohort'].meaning}" in told
    assert ALL["cohort"].values["searched"] in told
    assert ALL["status"].values["completed"] in told


def test_tables_sort_and_filter(browser: Browser) -> None:
    """A heading sorts by number, again the other way round; words filter."""
    table = "document.querySelector('#trials .table')"
    buttons = f"[...{table}.querySelectorAll('th button')]"
    is_seconds = "(b) => b.title.startsWith('seconds:')"
    heading = f"{buttons}.find({is_seconds})"
    index = browser.run(f"{buttons}.findIndex({is_seconds})")
    cells = f"[...{table}.querySelectorAll('tbody tr')].map((r) => r.cells[{index}].textContent)"
    browser.run(f"{heading}.click()")
    rising = browser.run(cells)
    assert browser.run(f"{heading}.closest('th').getAttribute('aria-sort')") == "ascending"
    browser.run(f"{heading}.click()")
    falling = browser.run(cells)
    assert browser.run(f"{heading}.closest('th').getAttribute('aria-sort')") == "descending"
    assert rising[0] != falling[0]
    assert seconds(rising[0]) < seconds(rising[-1]) < seconds(falling[-1]) < seconds(falling[0])
    browser.run(
        f"(() => {{const box = {table}.querySelector('input'); box.value = 'lstm failed';"
        "box.dispatchEvent(new Event('input'));})()"
    )
    rows = browser.run(f"[...{table}.querySelectorAll('tbody tr')].map((row) => row.textContent)")
    assert len(rows) == 1
    assert "out of memory" in rows[0]


def seconds(text: str) -> float:
    """Reads back a duration as the table writes it."""
    if "min" in text:
        minutes, rest = text.removesuffix(" s").split(" min ")
        return 60 * float(minutes) + float(rest)
    return float(text.removesuffix(" s"))


def test_a_picked_trial_is_picked_everywhere(browser: Browser) -> None:
    """Choosing a trial in the table opens its details and marks it in every chart that has it."""
    browser.run("picosweep.drawAll()")
    trial = browser.run(
        "(() => {const b = document.querySelector('#trials .open-trial'); b.click();"
        "return b.title;})()"
    )
    assert browser.run("document.querySelector('#trials .open-trial').textContent") == trial[:8]
    assert browser.run("!document.getElementById('inspector').hidden")
    text = browser.run("document.getElementById('inspector').textContent")
    assert f"picosweep replay {trial[:8]}" in text
    picked = browser.run("picosweep.signals('trial')")
    assert len(picked) >= 8
    assert set(picked) == {trial}
    assert browser.run("document.querySelectorAll('tr[aria-selected=true]').length") >= 1
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    assert browser.run("document.getElementById('inspector').hidden")
    assert set(browser.run("picosweep.signals('trial')")) == {""}


def test_keys_move_between_tabs(browser: Browser) -> None:
    """Arrow keys choose the next panel, which is then drawn."""
    browser.run("document.getElementById('learning-curves-tab-0').focus()")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    assert browser.run("document.activeElement.id") == "learning-curves-tab-1"
    assert browser.run("document.getElementById('learning-curves-0').hidden")
    browser.wait("document.querySelector('#learning-curves-1 .chart').dataset.state === 'drawn'")


def test_downloads_hold_the_data(browser: Browser, page: Path) -> None:
    """The CSV has a heading and a line a row, and text that a spreadsheet would run is defused."""
    del page
    key = browser.run("document.querySelector('#trials .csv').dataset.table")
    lines = browser.run(f"picosweep.csv('{key}')").splitlines()
    assert lines[0].startswith("trial_id,architecture,status")
    assert len(lines) == 61
    assert browser.run("picosweep.field('=1+1')") == "'=1+1"
    assert browser.run("picosweep.field('a,\"b\"')") == '"a,""b"""'
    assert browser.run("picosweep.field(-1.5)") == "-1.5"


def test_the_theme_switch_wins_over_the_system(browser: Browser) -> None:
    """Dark stays dark in a light system, and auto follows the system again."""
    browser.prefer("light")
    browser.run("document.querySelector('[data-set-theme=dark]').click()")
    assert browser.run("document.documentElement.dataset.mode") == "dark"
    browser.run("document.querySelector('[data-set-theme=system]').click()")
    assert browser.run("document.documentElement.dataset.mode") == "light"
