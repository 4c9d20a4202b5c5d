"""Who may ask for what: one gate in front of every route, before any of them is looked for.

A page anywhere on the web can make its reader's browser ask a server on the reader's machine. So
the `Host` must be one of ours (a name that was rebound to this address is not), and whatever
changes something must come from our own page or from a program: JSON, from the same origin, and
with a token that no other page can read. Every method but GET and HEAD counts as changing
something.

Sources: OWASP, Cross-Site Request Forgery Prevention Cheat Sheet; Fetch Metadata Request Headers,
W3C.
"""

import hmac
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE: Final = frozenset({"GET", "HEAD"})
COOKIE: Final = "picosweep"
PAGE_TOKEN: Final = "x-picosweep-page"  # noqa: S105 - the name of a header
LOGIN: Final = "/login"
OPEN: Final = ("/login", "/health", "/ready", "/static/")
"""What may be read without a token where one is needed for all the rest."""
MOST_BODY: Final = 1024 * 1024
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
CHANGES_A_MINUTE: Final = 120
LOGINS_A_MINUTE: Final = 10

HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def service_token(folder: Path) -> str:
    """Return the token of a service, made at its first start and readable by its user alone.

    Raises:
        OSError: it can be neither read nor written.
    """
    path = folder / "token"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        token = secrets.token_urlsafe(32)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        return token


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What the service's token opens."""

    token: str

    def page(self) -> str:
        """Return what our own pages send along; it opens nothing by itself elsewhere."""
        return self._derived("page")

    def cookie(self) -> str:
        """Return what a browser keeps that has logged in."""
        return self._derived("cookie")

    def webhook(self) -> str:
        """Return the secret that messages are signed by."""
        return self._derived("webhook")

    def is_token(self, given: str) -> bool:
        """Compare in a time that says nothing of how much was right."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def is_page(self, given: str) -> bool:
        """Compare in a time that says nothing of how much was right."""
        return hmac.compare_digest(given.encode(), self.page().encode())

    def is_cookie(self, given: str) -> bool:
        """Compare in a time that says nothing of how much was right."""
        return hmac.compare_digest(given.encode(), self.cookie().encode())

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), sha256).hexdigest()


class Guard:
    """ASGI middleware: refuses, limits, and sets the headers of every answer.

    Args:
        app: what is behind it.
        keys: the service's token and what follows from it.
        hosts: names by which the service may be called, beside those of this machine itself.
        is_local: whether the service listens on this machine's own address: who calls it by that
            needs no token to read, but to change anything. A proxy in front has another name.
        behind_tls: whether browsers speak https to a proxy in front.
        clock: seconds, for limits.
    """

    def __init__(
        self,
        app: App,
        *,
        keys: Keys,
        hosts: Iterable[str] = (),
        is_local: bool = True,
        behind_tls: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._keys, self._is_local = app, keys, is_local
        self._scheme = "https" if behind_tls else "http"
        self._hosts = {name.lower() for name in (*LOOPBACK, *hosts)}
        self._changes = _Bucket(CHANGES_A_MINUTE, clock)
        self._logins = _Bucket(LOGINS_A_MINUTE, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        if scope["type"] != "http":
            return  # no web sockets here
        refusal = self._refusal(_Request(scope))
        if refusal is not None:
            await _answer(send, *refusal)
            return
        try:
            await self._app(scope, _limited(receive), send)
        except _TooLongError:
            await _answer(send, 413, f"more than {MOST_BODY} bytes")

    def _refusal(self, request: "_Request") -> tuple[int, str] | None:
        if request.host not in self._hosts:
            return 421, (
                f"unknown host {request.host!r}: a name that leads here is given by "
                "`picosweep serve --allow-host`"
            )
        changing = request.method not in SAFE
        if changing and (reason := request.foreign(self._scheme)) is not None:
            return 403, reason
        if changing and request.length > MOST_BODY:
            return 413, f"more than {MOST_BODY} bytes"
        if changing and request.header("content-type").partition(";")[0] != "application/json":
            return 415, "a request that changes something is application/json"
        if request.path == LOGIN:
            if changing and not self._logins.take(request.client):
                return 429, "too many attempts to log in; wait a minute"
            return None
        if changing and not self._changes.take(request.client):
            return 429, f"more than {CHANGES_A_MINUTE} changes a minute"
        return self._without_right(request, changing=changing)

    def _without_right(self, request: "_Request", *, changing: bool) -> tuple[int, str] | None:
        bearer = request.bearer()
        if bearer:
            return None if self._keys.is_token(bearer) else (401, "this token does not open it")
        logged_in = self._keys.is_cookie(request.cookie())
        if changing:
            if logged_in and self._keys.is_page(request.header(PAGE_TOKEN)):
                return None
            return 401, "a change needs the service's token; a browser logs in at /login"
        is_local = self._is_local and request.host in LOOPBACK
        if is_local or logged_in or request.path.startswith(OPEN):
            return None
        return 401, "this service needs its token; a browser logs in at /login"


@dataclass(frozen=True)
class _Request:
    scope: Scope

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def client(self) -> str:
        return str((self.scope.get("client") or ("",))[0])

    def header(self, name: str) -> str:
        """Return a header; empty where it is missing or given twice with different values."""
        wanted = name.encode()
        values = {value for key, value in self.scope["headers"] if key.lower() == wanted}
        return values.pop().decode("latin-1") if len(values) == 1 else ""

    @property
    def host(self) -> str:
        """The name that was asked for, without its port."""
        given = self.header("host")
        return "" if "@" in given else _name_of(f"//{given}")

    @property
    def length(self) -> int:
        """How long the body says that it is; 0 where it does not."""
        given = self.header("content-length")
        return int(given) if given.isascii() and given.isdigit() else 0

    def foreign(self, scheme: str) -> str | None:
        """Return why a request comes from a page of somebody else's, None where nothing says so."""
        site = self.header("sec-fetch-site")
        if site not in ("", "same-origin", "none"):
            return f"a request from another site ({site})"
        origin = self.header("origin")
        if any(key.lower() == b"origin" for key, _ in self.scope["headers"]):
            own = f"{scheme}://{self.header('host')}"
            if origin != own:
                return f"a request from another origin ({origin or 'several'})"
        return None

    def bearer(self) -> str:
        kind, _, token = self.header("authorization").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    def cookie(self) -> str:
        try:
            found = SimpleCookie(self.header("cookie")).get(COOKIE)
        except CookieError:
            return ""
        return found.value if found is not None else ""


def _name_of(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


class _Bucket:
    """So many a minute for each client, as many at once at most."""

    def __init__(self, a_minute: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = float(a_minute), clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, client: str) -> bool:
        now = self._clock()
        left, at = self._left.get(client, (self._most, now))
        left = min(self._most, left + (now - at) * self._most / 60)
        if len(self._left) > 10_000:
            self._left.clear()
        allowed = left >= 1
        self._left[client] = (left - allowed, now)
        return allowed


class _TooLongError(Exception):
    """A body that goes on and on."""


def _limited(receive: Receive) -> Receive:
    total = 0

    async def limited() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MOST_BODY:
            raise _TooLongError
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = {name.lower() for name, _ in headers}
            headers += [pair for pair in HEADERS if pair[0] not in there]
            if b"content-security-policy" not in there:
                headers.append((b"content-security-policy", POLICY))
            if b"cache-control" not in there:
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await send(message)

    return with_headers


async def _answer(send: Send, status: int, text: str) -> None:
    body = json.dumps({"problems": [{"message": text}]}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
