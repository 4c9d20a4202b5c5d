"""What the service says of sweeps, and what it takes."""

import asyncio
import csv
import io
import json
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from picosweep.service.events import Broadcast, as_event
from picosweep.service.looking import MOST_WAITING, BusyError, Looker
from picosweep.service.news import News
from picosweep.service.server import Settings, make_service
from picosweep.service.sweep_view import Views
from picosweep.service.untrusted import Allowed
from picosweep.service.webhook import Notifier, Target
from picosweep.sweeps.store.reader import read_rows
from tests.picosweep.service.asgi import Answer, ask
from tests.picosweep.service.conftest import SWEEP, Served


def _get(served: Served, address: str) -> Any:
    answer = ask(served.app, "GET", address)
    assert answer.status == 200, answer.body
    return answer.json


def _post(served: Served, address: str, content: object) -> Answer:
    body = json.dumps(content).encode()
    return ask(served.app, "POST", address, headers=served.bearer, body=body)


def test_a_sweep_is_told_as_its_tables_have_it(served: Served) -> None:
    """Counts, tokens and winners are those of the rows."""
    rows = read_rows(served.results / SWEEP, "trials")
    (summary,) = _get(served, "/api/sweeps")
    assert summary == _get(served, f"/api/sweeps/{SWEEP}")
    assert summary["num_trials"] == len(rows)
    assert sum(summary["counts"].values()) == len(rows)
    best = min(row["val_loss"] for row in rows if row["status"] == "completed")
    assert summary["winners"][0]["val_loss"] == best
    assert summary["driver"] is None


@pytest.mark.parametrize("order", ["up", "down"])
@pytest.mark.parametrize("sort", ["val_loss", "num_params", "no_such_column"])
def test_pages_of_trials_hold_each_once(served: Served, sort: str, order: str) -> None:
    """Whatever they are sorted by: in order, none twice, none left out."""
    rows: list[dict[str, Any]] = []
    after = ""
    while True:
        address = f"/api/sweeps/{SWEEP}/trials?limit=7&sort={sort}&order={order}&after={after}"
        page = _get(served, address)
        rows += page["rows"]
        if page["next"] is None:
            break
        after = page["next"]
    stored = read_rows(served.results / SWEEP, "trials")
    assert sorted(row["trial_id"] for row in rows) == sorted(row["trial_id"] for row in stored)
    values = [row[sort] for row in rows if row.get(sort) is not None]
    assert values == sorted(values, reverse=order == "down")


def test_trials_are_filtered(served: Served) -> None:
    """By status and by architecture."""
    page = _get(served, f"/api/sweeps/{SWEEP}/trials?status=completed&limit=500")
    assert {row["status"] for row in page["rows"]} == {"completed"}
    name = page["rows"][0]["architecture"]
    page = _get(served, f"/api/sweeps/{SWEEP}/trials?architecture={name}&limit=500")
    assert {row["architecture"] for row in page["rows"]} == {name}


def test_curves_and_decisions_are_those_of_the_tables(served: Served) -> None:
    """A trial's losses in the order of training."""
    reports = read_rows(served.results / SWEEP, "reports")
    trial = reports[0]["trial_id"]
    own = [row for row in reports if row["trial_id"] == trial]
    (curve,) = _get(served, f"/api/sweeps/{SWEEP}/curves?trial={trial}")
    assert curve["losses"] == [row["val_loss"] for row in own]
    assert curve["steps"] == [row["step"] for row in own]
    decisions = _get(served, f"/api/sweeps/{SWEEP}/decisions")
    stored = read_rows(served.results / SWEEP, "decisions")
    assert decisions[0]["trial_id"] == stored[-1]["trial_id"]


@pytest.mark.parametrize(
    "address",
    ["/api/sweeps/none", "/api/sweeps/none/trials", f"/api/sweeps/{SWEEP}/trials/abc",
     f"/api/sweeps/{SWEEP}/report", "/api/submissions/abc", "/sweeps/none", "/static/../guard.py",
     "/api/sweeps/none/events"],
)  # fmt: skip
def test_what_is_not_there_is_said_to_be_missing(served: Served, address: str) -> None:
    """With a message, in JSON below /api and on a page elsewhere."""
    answer = ask(served.app, "GET", address)
    assert answer.status == 404
    assert ("application/json" in answer.headers["content-type"]) or b"<h1>" in answer.body


@pytest.mark.parametrize("name", ["..", ".service", "a%2Fb", "", "a b"])
def test_names_lead_nowhere_else(served: Served, name: str) -> None:
    """No name of a sweep leaves the results folder."""
    for address in (f"/api/sweeps/{name}/log", f"/sweeps/{name}"):
        assert ask(served.app, "GET", address).status in (404, 422)


def test_a_bad_spec_is_answered_with_its_lines(served: Served) -> None:
    """The same problems as on the command line, each with its place."""
    spec = "name: a\ndata: {source: pydocs}\nbudget: {unit: steps, min: 10, rungs: 1}\narch: {}\n"
    answer = _post(served, "/api/submissions", {"spec": spec})
    assert answer.status == 400
    problems = answer.json["problems"]
    assert any(one["where"] == "spec.yaml:4" for one in problems), problems
    assert not served.manager.all()
    refused = _post(served, "/api/submissions", {"spec": 3})
    assert refused.status == 422
    assert _post(served, "/api/submissions", {"spec": spec, "sudo": True}).status == 422


def test_a_good_spec_is_submitted_once(served: Served) -> None:
    """It waits, since the queue is not at work here; the same key gives the same submission."""
    spec = (
        "name: fresh\ndata: {source: pydocs, tokenizer: {kind: char}}\n"
        "budget: {unit: steps, min: 10, rungs: 1}\n"
        "architectures: {kgram: {hidden_size: [8, 16]}}\n"
    )
    first = _post(served, "/api/submissions", {"spec": spec, "key": "k", "priority": 2})
    assert first.status == 201, first.body
    again = _post(served, "/api/submissions", {"spec": spec, "key": "k"})
    assert again.json == first.json
    assert first.json["sweep"] == "fresh"
    assert first.json["place"] == 0
    taken = _post(served, "/api/submissions", {"spec": spec})
    assert taken.status == 400
    assert "is waiting" in taken.json["problems"][0]["message"]
    assert b"fresh" in ask(served.app, "GET", "/").body
    cancelled = _post(served, f"/api/submissions/{first.json['id']}/cancel", {})
    assert cancelled.json["state"] == "cancelled"


def test_names_and_errors_are_text_on_every_page(served: Served, tmp_path: Path) -> None:
    """What a spec or a driver says is never markup."""
    evil = "<script>alert(1)</script>"
    one = served.manager.submit(evil, "evil")
    served.manager._ledger.write(
        served.manager.get(one.id).__class__(
            **{**one.to_row(), "state": "failed", "reason": evil, "id": one.id}
        )
    )
    for address in ("/", "/new?sweep=evil", f"/sweeps/{SWEEP}?status={evil}&architecture={evil}"):
        text = ask(served.app, "GET", address).body.decode()
        assert "<script>alert" not in text, address


def test_a_page_shows_as_many_trials_as_it_has_room_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and leads on to the others."""
    monkeypatch.setattr("picosweep.service.pages.PAGE_ROWS", 5)
    seen: list[str] = []
    after = ""
    while True:
        text = ask(served.app, "GET", f"/part/sweeps/{SWEEP}/trials?after={after}").body.decode()
        shown = re.findall(r"/trials/([0-9a-f]{16})", text)
        assert 0 < len(shown) <= 5
        seen += shown
        following = re.search(r'after=([^"]+)">Next', text)
        if following is None:
            break
        after = following[1]
    stored = [row["trial_id"] for row in read_rows(served.results / SWEEP, "trials")]
    assert sorted(seen) == sorted(stored)


def test_a_watcher_that_comes_back_misses_nothing(served: Served) -> None:
    """From the id of the last event on; from one that is not known any more it loads anew."""
    views = Views(served.results)
    view = views.of(SWEEP)
    assert view is not None
    changes = list(view._recent)
    middle = changes[len(changes) // 2]
    since = view.changes_since(middle.position)
    assert since is not None
    assert since[-1].position == view.position
    assert all(one.position > middle.position or len(one.position) > len(middle.position)
               for one in since)  # fmt: skip
    assert view.changes_since("7.7") is None
    assert b"event: reload" in as_event(None)

    async def first_events() -> list[bytes]:
        broadcast = Broadcast(views)
        events = broadcast.watch(SWEEP, middle.position)
        found = [await anext(events), await anext(events)]
        await broadcast.close()
        return found

    hello, missed = asyncio.run(first_events())
    assert hello.startswith(b":")
    assert view.position.encode() in missed or b"event: reload" in missed


def test_a_slow_watcher_is_told_to_load_anew(served: Served) -> None:
    """It holds up nobody, and its queue does not grow."""

    async def flood() -> list[bytes]:
        broadcast = Broadcast(Views(served.results))
        events = broadcast.watch("")
        await anext(events)
        for number in range(100):
            broadcast.tell_queue({"id": str(number)})
        (watcher,) = broadcast._watchers[""]
        found = [watcher.queue.get_nowait() for _ in range(watcher.queue.qsize())]
        await broadcast.close()
        return found

    waiting = asyncio.run(flood())
    assert len(waiting) <= 32
    assert any(b"event: reload" in one for one in waiting)


def test_numbers_for_prometheus(served: Served) -> None:
    """Each with its meaning and type, in the text format."""
    served.manager.submit("spec", "one")
    answer = ask(served.app, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    assert 'picosweep_submissions{state="waiting"} 1' in lines
    assert "picosweep_queue_ok 1" in lines
    values = [line for line in lines if not line.startswith("#")]
    assert all(float(line.rpartition(" ")[2]) >= 0 for line in values)


def test_ends_and_new_bests_are_told(served: Served) -> None:
    """A sweep that fails, and one that runs and has another best trial than before."""
    told: list[Mapping[str, Any]] = []
    notifier = Notifier(
        Target(url="https://example.org", secret="s"),
        deliver=lambda _, message: told.append(message),
    )
    news = News(served.manager, Views(served.results), notifier)
    one = served.manager.submit("spec", SWEEP)
    served.manager._ledger.write(replace(one, state="running"))
    news.look()
    news.look()
    served.manager._changed(replace(one, state="failed", ended_at=1.0, reason="why"))
    news.close()
    assert [message["event"] for message in told] == ["best", "failed"]
    assert told[0]["val_loss"] == _get(served, f"/api/sweeps/{SWEEP}")["winners"][0]["val_loss"]
    assert told[1]["reason"] == "why"


def test_tables_come_as_csv_and_by_trial(served: Served) -> None:
    """Every row once; a trial's own rows as JSON."""
    stored = read_rows(served.results / SWEEP, "reports")
    answer = ask(served.app, "GET", f"/api/sweeps/{SWEEP}/tables/reports.csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert len(rows) == len(stored)
    assert [float(row["val_loss"]) for row in rows] == [row["val_loss"] for row in stored]
    trial = stored[0]["trial_id"]
    own = _get(served, f"/api/sweeps/{SWEEP}/trials/{trial}/tables/reports")
    assert [row["step"] for row in own] == [r["step"] for r in stored if r["trial_id"] == trial]
    assert ask(served.app, "GET", f"/api/sweeps/{SWEEP}/tables/none.csv").status == 422


def test_the_front_is_that_of_the_rows(served: Served) -> None:
    """A trial is on it where no other is as small and better."""
    points = _get(served, f"/api/sweeps/{SWEEP}/front")
    assert len(points) > 2
    for one in points:
        beaten = any(
            other["num_params"] <= one["num_params"] and other["loss"] < one["loss"]
            for other in points
        )
        assert one["on_front"] or beaten
        assert not (one["on_front"] and beaten)


def test_settings_are_explained(served: Served) -> None:
    """As `picosweep explain` does; of what there is not, the nearest name."""
    (one, *_) = _get(served, "/api/explain/learning_rate")
    assert one["meaning"]
    answer = ask(served.app, "GET", "/api/explain/learnig_rate")
    assert answer.status == 400
    assert "learning_rate" in answer.json["problems"][0]["hint"]


def test_a_results_folder_that_vanishes_is_told_on_every_page(served: Served) -> None:
    """And the queue goes on when it is back."""
    away = served.results.with_name("away")
    served.results.rename(away)
    with pytest.raises(OSError, match="is gone"):
        served.manager.look()
    served.manager.trouble = "the queue stands still: the results folder is gone"
    assert b"stands still" in ask(served.app, "GET", "/").body
    assert ask(served.app, "GET", "/ready").status == 503
    away.rename(served.results)
    served.manager.look()


def test_drivers_do_not_hand_their_sweep_back(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the operator's own shell names a service, its drivers train here all the same."""
    monkeypatch.setenv("PICOSWEEP_SERVER", "http://127.0.0.1:1")
    monkeypatch.setenv("PICOSWEEP_TOKEN", "secret")
    made = make_service(Settings(results=tmp_path / "results"))
    assert not any(name.startswith("PICOSWEEP_S") for name in made.manager._environment)
    assert "secret" not in made.manager._environment.values()
    made.manager.close()


def test_too_much_to_look_at_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes all threads of the service by plans that wait for each other."""
    looked = threading.Event()
    begun = threading.Semaphore(0)

    def slow(*_: object) -> Any:
        begun.release()
        looked.wait(30)
        return subprocess.CompletedProcess([], 0, b'{"text": "a"}', b"")

    monkeypatch.setattr(Looker, "_process", slow)
    looker = Looker(results=served.results, allowed=Allowed(), environment={})
    waiting = [
        threading.Thread(target=looker.generate, args=("a", {})) for _ in range(MOST_WAITING)
    ]
    for thread in waiting:
        thread.start()
    begun.acquire(timeout=10)
    end = time.monotonic() + 10
    while looker._room._value and time.monotonic() < end:  # type: ignore[attr-defined]
        time.sleep(0.01)
    with pytest.raises(BusyError):
        looker.generate("a", {})
    looked.set()
    for thread in waiting:
        thread.join()
    assert looker.generate("a", {}) == "a"
