"""Vega, Vega-Lite and Vega-Embed as one script, without a network.

vl-convert bundles them in about three seconds; the result is kept in the user's cache folder, so
only the first report on a machine pays for it.
"""

import os
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

_SNIPPET: Final = "window.vegaEmbed = vegaEmbed;"


def cache_folder() -> Path:
    """Return the folder of this user's caches (in `XDG_CACHE_HOME`, else `~/.cache`)."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "picosweep"


def vega_bundle() -> str:
    """Return the script, from the cache when it is there."""
    key = sha256(f"{version('vl-convert-python')} {_SNIPPET}".encode()).hexdigest()[:12]
    file = cache_folder() / f"vega-{key}.js"
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        script = _build()
    with suppress(OSError):  # a machine without a writable home builds it each time
        _write(file, script)
    return script


def _build() -> str:
    import vl_convert  # noqa: PLC0415 - only the first report needs it

    script: str = vl_convert.javascript_bundle(_SNIPPET)
    return script.replace("</script", "<\\/script")


def _write(file: Path, script: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as part:
        part.write(script)
    Path(part.name).replace(file)
