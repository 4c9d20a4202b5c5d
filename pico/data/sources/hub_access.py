"""Whether the Hugging Face hub can be reached, found out in a moment.

Its client retries for half a minute and logs each try before it gives up; here a machine without a
network fails at once.
"""

import os
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

_DEFAULT_ENDPOINT = "https://huggingface.co"
_YES = frozenset({"1", "on", "true", "yes"})


def why_unreachable() -> str | None:
    """Return why the hub cannot be reached; None when there is no reason to think so."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in _YES:
        return "HF_HUB_OFFLINE is set"
    if getproxies().get("https"):
        return None  # names are looked up by the proxy
    host = urlsplit(os.environ.get("HF_ENDPOINT") or _DEFAULT_ENDPOINT).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        return f"no network: {host}: {error.strerror or error}"
    return None


def in_one_line(error: Exception) -> str:
    """Return the kind of an error and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300] if lines else 'no reason given'}"
