"""Which service does the commands of this process, if any: `picosweep --server URL …`."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from picosweep.remote.service_client import Client

_server: ContextVar[str] = ContextVar("server", default="")


def use_server(url: str) -> None:
    """Let the commands of this process be done by a service; an empty address: here."""
    _server.set(url)


def chosen_service() -> "Client | None":
    """Return the service that does the commands, None where they are done here.

    Raises:
        InputError: its address is none, or there is no token.
    """
    url = _server.get()
    if not url:
        return None
    from picosweep.remote.service_client import Client  # noqa: PLC0415 - most commands need none

    return Client(url)
