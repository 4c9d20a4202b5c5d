"""Telling another program that a sweep has ended, has failed, or has a new best trial.

Each message is a POST of JSON with its HMAC-SHA256 in `X-Picosweep-Signature`, as `sha256=…` over
the body, so that the receiver knows who sent it. The address is the operator's own, and still it is
resolved once and refused where it leads into this machine's own networks: what a name means may
change.
"""

import contextlib
import hmac
import http.client
import ipaddress
import json
import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from picosweep.sweeps.errors import input_error

SIGNATURE: Final = "X-Picosweep-Signature"
TRIES: Final = 6
FIRST_WAIT: Final = 2.0
TIMEOUT: Final = 10.0
MOST_WAITING: Final = 1000

log = logging.getLogger("picosweep.service")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where messages go."""

    url: str
    secret: str
    allow_private: bool = False
    """Whether it may lie in this machine's own networks, and speak plain http there."""

    def __post_init__(self) -> None:
        """Check the address.

        Raises:
            InputError: it is none that messages may be sent to.
        """
        parts = urlsplit(self.url)
        allowed = ("https", "http") if self.allow_private else ("https",)
        if parts.scheme not in allowed or not parts.hostname or parts.username:
            raise input_error(
                "not an address to send messages to",
                key="--notify",
                found=self.url,
                allowed=" or ".join(f"{scheme}://…" for scheme in allowed),
            )


class RefusedError(OSError):
    """A message that must not be sent there."""


def send(target: Target, content: Mapping[str, Any]) -> None:
    """Send one message; a redirect is an error, it is not followed.

    Raises:
        RefusedError: the address leads into networks of this machine.
        OSError: it could not be sent, or the answer is not one of success.
    """
    parts = urlsplit(target.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolved(host, port, target)
    body = json.dumps(dict(content), default=str).encode()
    signature = hmac.new(target.secret.encode(), body, sha256).hexdigest()
    headers = {
        "Host": parts.netloc, "Content-Type": "application/json",
        "User-Agent": "picosweep", SIGNATURE: f"sha256={signature}",
    }  # fmt: skip
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        # The address that was looked at is the one that is spoken to.
        plain = socket.create_connection((address, port), timeout=TIMEOUT)
        secure = ssl.create_default_context() if parts.scheme == "https" else None
        connection.sock = secure.wrap_socket(plain, server_hostname=host) if secure else plain
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"no answer: {error}") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise OSError(f"the receiver answers {status}")


def _resolved(host: str, port: int, target: Target) -> str:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    if not target.allow_private and not ipaddress.ip_address(address).is_global:
        raise RefusedError(f"{host} leads to {address}, a network of this machine's own")
    return address


class Notifier:
    """Sends messages in a thread of its own, again and again where it fails.

    Args:
        target: where they go.
        deliver: sends one.
        wait: waits for so many seconds.
    """

    def __init__(
        self,
        target: Target,
        *,
        deliver: Callable[[Target, Mapping[str, Any]], None] = send,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._target, self._deliver, self._wait = target, deliver, wait
        self._waiting: queue.Queue[Mapping[str, Any] | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="notifier", daemon=True)
        self._thread.start()

    def tell(self, event: str, **content: Any) -> None:
        """Send a message, soon; where a thousand wait already, it is left out and logged."""
        try:
            self._waiting.put_nowait({"event": event, "time": time.time(), **content})
        except queue.Full:
            log.warning("a message was left out, a thousand wait: %s %s", event, content)

    def close(self, within: float = 5.0) -> None:
        """Send what waits, for so long, and end."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=within)
        self._thread.join(within)

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None:
            self._send(message)

    def _send(self, message: Mapping[str, Any]) -> None:
        for number in range(TRIES):
            try:
                self._deliver(self._target, message)
            except RefusedError as error:
                log.error("a message was not sent: %s", error)
                return
            except OSError as error:
                last = number == TRIES - 1
                log.warning("a message %s: %s", "is given up" if last else "failed", error)
                if not last:
                    self._wait(FIRST_WAIT * 2**number)
            else:
                return
