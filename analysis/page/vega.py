"""Vega, Vega-Lite and Vega-Embed as one script, without a network.

vl-convert bundles them in about three seconds; the result is kept in the user's cache folder, so
only the first report on a machine pays for it.
"""

from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from typing import Final

from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import cache_folder

_SNIPPET: Final = "window.vegaEmbed = vegaEmbed;"


def vega_bundle() -> str:
    """Return the script, from the cache when it is there."""
    key = sha256(f"{version('vl-convert-python')} {_SNIPPET}".encode()).hexdigest()[:12]
    file = cache_folder() / f"vega-{key}.js"
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        script = _build()
    with suppress(OSError):  # a machine without a writable home builds it each time
        replace_file(file, script.encode())
    return script


def _build() -> str:
    import vl_convert  # noqa: PLC0415 - only the first report needs it

    script: str = vl_convert.javascript_bundle(_SNIPPET)
    return script.replace("</script", "<\\/script")
