"""The service as somebody uses it: a real browser, real sweeps, a real socket."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.analysis.page.browser import Browser, find_browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(find_browser() is None, reason="no Chromium on this machine"),
]

ROOT = Path(__file__).parents[3]
SPEC = """\
name: NAME
data: {source: pydocs, tokenizer: {kind: char}, block_size: 32}
budget: {unit: steps, min: MIN, factor: 3, rungs: 2, reports_per_rung: 12}
search: {sampler: random, trials_per_architecture: 3}
common: {batch_size: 8, learning_rate: {log_uniform: [1e-3, 1e-2]}}
architectures:
  kgram: {hidden_size: [16, 32, 64]}
"""
LONG = SPEC.replace("NAME", "long").replace("MIN", "60000")
SHORT = SPEC.replace("NAME", "short").replace("MIN", "20")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and token of a service in an empty results folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from picosweep.cli import main; main()", "serve",
               "--port", str(port), "--results", str(tmp_path / "results")]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "service.txt").open("w") as output:
        service = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=output)
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/health", timeout=5)
            break
        assert time.monotonic() < end, (tmp_path / "service.txt").read_text()
        time.sleep(0.1)
    try:
        yield url, (tmp_path / "results" / ".service" / "token").read_text().strip()
    finally:
        _stop_all(url, tmp_path)
        service.send_signal(signal.SIGINT)
        service.wait(20)


def _stop_all(url: str, folder: Path) -> None:
    """Let no driver outlive the test."""
    token = (folder / "results" / ".service" / "token").read_text().strip()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    everything = json.load(urllib.request.urlopen(f"{url}/api/submissions"))
    for one in everything:
        request = urllib.request.Request(
            f"{url}/api/submissions/{one['id']}/cancel", b"{}", headers, method="POST"
        )
        with contextlib.suppress(OSError):
            urllib.request.urlopen(request)
    end = time.monotonic() + 60
    while time.monotonic() < end and any(
        one["state"] in ("starting", "running")
        for one in json.load(urllib.request.urlopen(f"{url}/api/submissions"))
    ):
        time.sleep(0.2)


def _submit(browser: Browser, address: str, spec: str) -> None:
    browser.open(f"{address}/new")
    browser.run(f"document.getElementById('spec').value = {json.dumps(spec)}")
    browser.run("document.querySelector('#submit [type=submit]').click()")
    browser.wait("location.pathname === '/' && document.readyState === 'complete'", within=60)


def _click(browser: Browser, text: str) -> None:
    found = f"[...document.querySelectorAll('button')].find((b) => b.textContent === '{text}')"
    browser.wait(f"!!{found} && !{found}.disabled")
    browser.run(f"{found}.click()")


def test_sweeps_are_submitted_watched_stopped_and_reordered(service: tuple[str, str]) -> None:
    """From the form to the report, and nothing is said on the console."""
    address, token = service
    with Browser() as browser:
        browser.open(f"{address}/login#{token}")
        browser.wait("location.pathname === '/' && document.readyState === 'complete'")
        assert token not in browser.run("location.href")
        browser.open(f"{address}/new")
        wrong = LONG.replace("kgram", "kgrm")
        browser.run(f"document.getElementById('spec').value = {json.dumps(wrong)}")
        browser.run("document.querySelector('#submit [type=submit]').click()")
        browser.wait("document.querySelectorAll('.problems p').length > 0", within=60)
        assert "kgrm" in browser.run("document.getElementById('problems').textContent")
        assert browser.run("document.querySelector('#lines b').textContent.trim()") == "7"

        refusal = browser.messages()
        assert all("400" in one for one in refusal), "a browser logs what is refused"
        _submit(browser, address, LONG)
        _submit(browser, address, SHORT)
        _submit(browser, address, SHORT.replace("short", "third"))
        browser.wait("document.body.textContent.includes('waiting, 2.')")
        third = (
            "[...document.querySelectorAll('tr')].find("
            "(r) => r.dataset.id && r.textContent.includes('third'))"
        )
        browser.run(
            f"[...{third}.querySelectorAll('button')].find((b) => b.textContent === 'First')"
            ".click()"
        )
        browser.wait(f"{third}.textContent.includes('waiting, 1.')")

        browser.open(f"{address}/")
        browser.wait("!!document.querySelector('a[href=\"/sweeps/long\"]')", within=60)
        browser.wait(
            "fetch('/api/sweeps/long/curves').then((r) => r.json()).then((c) => c.length > 0)",
            within=90,
        )
        browser.open(f"{address}/sweeps/long")
        browser.wait("document.querySelectorAll('#curves path').length > 1", within=60)
        before = browser.run("document.querySelector('#curves > svg').outerHTML")
        browser.wait(
            f"document.querySelector('#curves > svg').outerHTML !== {json.dumps(before)}",
            within=90,
        )
        _click(browser, "Stop")
        browser.wait("document.querySelector('#trials').textContent.includes('stopped')", within=90)

        _click(browser, "Pause")
        browser.wait("document.querySelector('.hero .state').textContent === 'paused'", within=90)

        browser.wait(
            "fetch('/api/submissions').then((r) => r.json())"
            ".then((all) => all.filter((one) => one.state === 'completed').length === 2)",
            within=120,
        )
        ended = json.loads(browser.run("fetch('/api/submissions').then((r) => r.text())"))
        order = sorted((one for one in ended if one["ended_at"] and one["state"] == "completed"),
                       key=lambda one: one["started_at"])  # fmt: skip
        assert [one["sweep"] for one in order] == ["third", "short"]
        _click(browser, "Resume")
        browser.wait("document.querySelector('.hero .state').textContent === 'running'", within=60)

        assert browser.messages() == refusal
        browser.open(f"{address}/api/sweeps/short/report")
        browser.wait("document.querySelectorAll('.figure').length > 3")
        said = [one for one in browser.messages() if one not in refusal]
        assert not said, said
