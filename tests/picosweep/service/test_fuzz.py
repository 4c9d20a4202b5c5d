"""The API against its description: whatever is sent, no crash, and every answer as described."""

import collections
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from picosweep.service.guard import Guard
from picosweep.service.looking import Looker
from picosweep.service.server import Settings, make_service

NAME = "testserver"
"""By which the client of the fuzzer calls the application."""
STREAMS = "/events$|/archive$|csv$"
"""Answers without an end, or without a shape: tested by hand."""

FEW = settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture(scope="module")
def fuzzed(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """A service whose specs are all good ones, so that what follows is reached."""
    results = shutil.copytree(simulated, tmp_path_factory.mktemp("fuzz") / "results")
    made = make_service(Settings(results=results, hosts=(NAME,)))
    app: Any = made.app
    app._changes._most = float("inf")
    with pytest.MonkeyPatch.context() as patched:
        answers = {"check": {"name": "fuzz"}, "plan": {}, "generate": {"text": ""}}
        patched.setattr(Looker, "_run", lambda _, what, __: answers[what])
        patched.setattr("picosweep.service.looking.check_submitted", lambda *_: "fuzz")
        yield app, made.keys.token  # type: ignore[misc]
    made.manager.close()


@pytest.fixture(scope="module")
def description(fuzzed: Any) -> Any:
    """The service's own description of its routes."""
    app, token = fuzzed
    headers = {"authorization": f"Bearer {token}"}
    return schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=headers)


@pytest.fixture(scope="module")
def operations(description: Any) -> list[Any]:
    """Every method of every route but the streams."""
    found = [one.ok() for one in description.exclude(path_regex=STREAMS).get_all_operations()]
    assert len(found) > 20
    return found


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_with_the_token_every_answer_is_as_described(
    operations: list[Any], fuzzed: Any, mode: GenerationMode
) -> None:
    """No 5xx, and nothing that the description does not know: for good data and for bad."""
    _, token = fuzzed
    statuses: collections.Counter[int] = collections.Counter()
    for operation in operations:

        @FEW
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers_as_described(case: Any) -> None:
            headers = {"authorization": f"Bearer {token}"}
            if case.method != "GET":
                headers["content-type"] = "application/json"
            answer = case.call(headers=headers)
            statuses[answer.status_code] += 1
            assert answer.status_code < 500, answer.text
            case.validate_response(answer, excluded_checks=_needless())

        with contextlib.suppress(Unsatisfiable):  # nothing that is sent could be wrong
            answers_as_described()
    assert sum(statuses.values()) > 100, statuses
    assert statuses[200] or mode is GenerationMode.NEGATIVE


def test_without_the_token_nothing_is_answered(operations: list[Any]) -> None:
    """Whatever is asked for."""
    for operation in operations:

        @FEW
        @given(case=operation.as_strategy())
        def is_refused(case: Any) -> None:
            answer = case.call(headers={"content-type": "application/json"})
            assert answer.status_code in (200, 401, 413, 415, 421, 429), case.path
            if answer.status_code == 200:
                assert case.path in ("/health", "/ready")

        is_refused()


def _needless() -> list[Any]:
    """Checks of what the guard answers before a route is looked for."""
    checks = schemathesis.checks
    names = ("unsupported_method", "ignored_auth", "positive_data_acceptance")
    return [getattr(checks, name) for name in names if hasattr(checks, name)]
