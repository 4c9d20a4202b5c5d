"""Messages to another program: signed, sent again, and never into this machine's own networks."""

import hmac
import http.server
import json
import threading
import time
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import pytest

from picosweep.service.webhook import SIGNATURE, Notifier, RefusedError, Target, send
from picosweep.sweeps.errors import InputError


class _Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers as it is told."""

    got: list[tuple[str, bytes]]
    answers: list[int]

    def do_POST(self) -> None:
        """Take a message."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.append((self.headers[SIGNATURE], body))
        status = self.answers.pop(0) if self.answers else 204
        self.send_response(status)
        if status == 302:
            self.send_header("location", "http://127.0.0.1:9/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[str, bytes]], list[int]]]:
    """A receiver on loopback: its address, what it got, and what it is to answer."""
    handler = type("Receiver", (_Receiver,), {"got": [], "answers": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", handler.got, handler.answers
    server.shutdown()
    thread.join()
    server.server_close()


def _wait(got: list[Any], count: int) -> None:
    end = time.monotonic() + 10
    while len(got) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_message_is_signed_over_its_body(receiver: Any) -> None:
    """Whoever has the secret knows who sent it, and that nobody changed it."""
    url, got, _ = receiver
    send(Target(url=url, secret="s", allow_private=True), {"event": "ended"})
    ((signature, body),) = got
    assert json.loads(body) == {"event": "ended"}
    assert signature == f"sha256={hmac.new(b's', body, sha256).hexdigest()}"


def test_a_message_that_fails_is_sent_again(receiver: Any) -> None:
    """After 2, 4, 8 seconds; a redirect is a failure, too."""
    url, got, answers = receiver
    answers += [500, 302, 204]
    waits: list[float] = []
    notifier = Notifier(Target(url=url, secret="s", allow_private=True), wait=waits.append)
    notifier.tell("failed", sweep="a")
    notifier.close()
    assert len(got) == 3
    assert waits == [2.0, 4.0]


def test_a_message_is_given_up_after_six_tries() -> None:
    """The next one is sent all the same."""
    tried: list[str] = []

    def deliver(_: Target, message: Mapping[str, Any]) -> None:
        tried.append(message["event"])
        if message["event"] == "first":
            raise OSError("no")

    target = Target(url="https://example.org", secret="s")
    notifier = Notifier(target, deliver=deliver, wait=lambda _: None)
    notifier.tell("first")
    notifier.tell("second")
    notifier.close()
    assert tried == ["first"] * 6 + ["second"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]"])
def test_own_networks_are_refused(host: str) -> None:
    """What asks a cloud for its keys lies there."""
    with pytest.raises(RefusedError, match="own"):
        send(Target(url=f"https://{host}/", secret="s"), {})


@pytest.mark.parametrize(
    "url", ["http://example.org", "ftp://example.org", "https://", "https://a@b.c"]
)
def test_an_address_that_is_none_is_refused_at_the_start(url: str) -> None:
    """Before anything is served."""
    with pytest.raises(InputError, match="not an address"):
        Target(url=url, secret="s")
