"""Who may ask for what: every route, every method, every origin."""

import itertools
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from picosweep.service.guard import COOKIE, PAGE_TOKEN, service_token
from picosweep.service.server import Settings, make_service
from tests.picosweep.service.asgi import ask
from tests.picosweep.service.conftest import SWEEP, Served

CHANGING = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
OWN = "http://127.0.0.1:8642"


def _routes(served: Served) -> list[tuple[str, str]]:
    """Every path and method that the application answers, from its own table."""
    app: Any = served.app
    found = [
        (_filled(route.path), method)
        for route in _flat(app._app.routes)
        for method in route.methods
    ]
    assert len(found) > 25
    return found


def _filled(path: str, **more: str) -> str:
    """A route's path with something in each of its places."""
    known = {"sweep": SWEEP, "table": "trials", **more}
    return re.sub(r"{(\w+)}", lambda found: known.get(found[1], "abc"), path)


def _flat(routes: list[Any]) -> list[Any]:
    """Routes, those of routers that were included among them."""
    found = []
    for route in routes:
        inner = getattr(route, "original_router", None)
        found += [route] if inner is None else _flat(inner.routes)
    return found


def test_no_route_changes_anything_for_a_foreign_page(served: Served, shared: Served) -> None:
    """Host × origin × method × token, over every route, those to come among them."""
    for service in (served, shared):
        for (path, _), method in itertools.product(_routes(service), CHANGING):
            page = {
                "content-type": "application/json",
                PAGE_TOKEN: service.keys.page(),
                "cookie": f"{COOKIE}={service.keys.cookie()}",
            }
            foreign = [
                page | {"origin": "https://evil.example"},
                page | {"origin": "null"},
                page | {"origin": "https://127.0.0.1:8642"},
                page | {"sec-fetch-site": "cross-site"},
                page | {"sec-fetch-site": "same-site"},
                page | {"origin": OWN, "host": "evil.example:8642"},
            ]
            for headers in foreign:
                assert ask(service.app, method, path, headers=headers).status in (403, 421), path
            without = [
                {"content-type": "application/json", "origin": OWN},
                {"content-type": "application/json"},
                {"content-type": "application/json", PAGE_TOKEN: "0" * 64, "origin": OWN},
                {"content-type": "application/json", PAGE_TOKEN: service.keys.page()},
                {"content-type": "application/json", "authorization": "Bearer wrong"},
                {"content-type": "application/json", "cookie": f"{COOKIE}={service.keys.cookie()}"},
            ]
            for headers in without:
                if path != "/login":
                    assert ask(service.app, method, path, headers=headers).status in (401, 429)
            for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
                headers = page | {"origin": OWN, "content-type": kind}
                assert ask(service.app, method, path, headers=headers).status == 415


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "a@127.0.0.1"])
def test_a_name_that_leads_here_opens_nothing(served: Served, host: str) -> None:
    """Reading is refused as well: a rebound name would read everything."""
    for path, method in _routes(served):
        if method == "GET":
            assert ask(served.app, "GET", path, headers={"host": host}).status == 421, path


def test_others_read_nothing_without_the_token(shared: Served) -> None:
    """All but the door, and what says that the service lives."""
    host = {"host": "sweeps.example"}
    open_to_all = {"/login", "/health", "/ready", "/static/{name}"}
    app: Any = shared.app
    for route in _flat(app._app.routes):
        path = _filled(route.path, name="service.css")
        status = ask(shared.app, "GET", path, headers=host).status if "GET" in route.methods else 0
        assert (status == 401) == (route.path not in open_to_all and "GET" in route.methods), path
    bearer = shared.bearer | host
    assert ask(shared.app, "GET", "/api/sweeps", headers=bearer).status == 200
    cookie = host | {"cookie": f"{COOKIE}={shared.keys.cookie()}"}
    assert ask(shared.app, "GET", "/api/sweeps", headers=cookie).status == 200
    wrong = host | {"cookie": f"{COOKIE}={'0' * 64}"}
    assert ask(shared.app, "GET", "/api/sweeps", headers=wrong).status == 401


def test_a_proxy_in_front_opens_nothing(simulated: Path) -> None:
    """A service on loopback that is called by a name of the world's needs its token."""
    settings = Settings(results=simulated, hosts=("sweeps.example",), behind_tls=True)
    made = make_service(settings)
    app, keys = made.app, made.keys
    name = {"host": "sweeps.example"}
    assert ask(app, "GET", "/api/sweeps", headers=name).status == 401
    cookie = name | {"cookie": f"{COOKIE}={keys.cookie()}"}
    assert ask(app, "GET", "/api/sweeps", headers=cookie).status == 200
    page = cookie | {"content-type": "application/json", PAGE_TOKEN: keys.page()}
    address = "/api/submissions/abc/pause"
    for origin, status in (("https://sweeps.example", 404), ("http://sweeps.example", 403)):
        headers = page | {"origin": origin}
        assert ask(app, "POST", address, headers=headers, body=b"{}").status == status
    login = name | {"content-type": "application/json", "origin": "https://sweeps.example"}
    body = json.dumps({"token": keys.token}).encode()
    assert (
        "secure"
        in ask(app, "POST", "/login", headers=login, body=body).headers["set-cookie"].lower()
    )
    made.manager.close()


def test_a_browser_logs_in_once(shared: Served) -> None:
    """The cookie is out of reach of scripts and other sites, and guesses are few a minute."""
    origin = {
        "host": "sweeps.example", "origin": "http://sweeps.example",
        "content-type": "application/json",
    }  # fmt: skip
    body = json.dumps({"token": shared.keys.token}).encode()
    answer = ask(shared.app, "POST", "/login", headers=origin, body=body)
    assert answer.status == 200
    cookie = answer.headers["set-cookie"]
    assert f"{COOKIE}={shared.keys.cookie()}" in cookie
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert shared.keys.token not in cookie
    guess = json.dumps({"token": "guess"}).encode()
    statuses = [
        ask(shared.app, "POST", "/login", headers=origin, body=guess).status for _ in range(20)
    ]
    assert set(statuses) == {401, 429}
    assert statuses[-1] == 429


def test_our_own_page_and_a_program_may_change_things(served: Served) -> None:
    """What is refused then is refused for what it says."""
    page = {
        "content-type": "application/json", PAGE_TOKEN: served.keys.page(), "origin": OWN,
        "cookie": f"{COOKIE}={served.keys.cookie()}",
    }  # fmt: skip
    for headers in (page, served.bearer):
        answer = ask(served.app, "POST", "/api/submissions/abc/pause", headers=headers, body=b"{}")
        assert answer.status == 404, answer.body
        assert "no such submission" in answer.json["problems"][0]["message"]


def test_changes_are_limited_and_bodies_end(served: Served) -> None:
    """Nobody fills the queue, or the memory."""
    address = "/api/submissions/abc/pause"
    length = {"content-length": "2000000"}
    long = ask(served.app, "POST", address, headers=served.bearer | length, body=b"{}")
    assert long.status == 413
    lied = ask(served.app, "POST", address, headers=served.bearer, body=b" " * 2_000_000)
    assert lied.status in (400, 413), "it is not read to its end"
    statuses = {
        ask(served.app, "POST", address, headers=served.bearer, body=b"{}").status
        for _ in range(200)
    }
    assert statuses == {404, 429}


def test_every_answer_is_shut_in(served: Served) -> None:
    """No frame, no foreign script, nothing kept on the way; a refusal as well."""
    for path in ("/", "/api/sweeps", "/login", "/none", "/static/service.js"):
        headers = ask(served.app, "GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "cache-control" in headers
    refused = ask(served.app, "GET", "/", headers={"host": "evil.example"})
    assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]


def test_the_token_is_made_once_and_read_by_its_user_alone(tmp_path: Path) -> None:
    """A service that starts again keeps the browsers that have logged in."""
    token = service_token(tmp_path / "service")
    path = tmp_path / "service" / "token"
    assert len(token) >= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert service_token(tmp_path / "service") == token


def test_no_page_holds_the_token(served: Served) -> None:
    """What our pages send along is derived from it, and opens nothing by itself."""
    text = ask(served.app, "GET", "/").body.decode()
    assert served.keys.token not in text
    assert served.keys.page() in text
    elsewhere = {"authorization": f"Bearer {served.keys.page()}"}
    assert ask(served.app, "GET", "/api/sweeps", headers=elsewhere).status == 401
