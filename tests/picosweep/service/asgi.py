"""Asking an application without a socket."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from picosweep.service.guard import App, Message


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def ask(
    app: App,
    method: str,
    address: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    scheme: str = "http",
) -> Answer:
    """Return the whole answer to one request; the host is this machine unless it is given."""
    parts = urlsplit(address)
    given = {"host": "127.0.0.1:8642", **(headers or {})}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": scheme, "path": parts.path, "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(), "root_path": "", "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8642),
        "headers": [(k.lower().encode(), v.encode()) for k, v in given.items()],
    }  # fmt: skip
    sent: list[Message] = []

    async def converse() -> None:
        asked = iter([{"type": "http.request", "body": body, "more_body": False}])
        answered = asyncio.Event()

        async def receive() -> Message:
            for message in asked:
                return message
            await answered.wait()  # who asks stays until all is said
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        await app(scope, receive, send)

    asyncio.run(converse())
    start = next(one for one in sent if one["type"] == "http.response.start")
    content = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
    told = {k.decode().lower(): v.decode() for k, v in start["headers"]}
    return Answer(status=start["status"], headers=told, body=content)
