"""Where the user's own model classes lie, so that other machines can be given them."""

import importlib.util
import sysconfig
from pathlib import Path

from picosweep.sweeps.spec.schema import Spec


def user_modules(spec: Spec) -> list[Path]:
    """Return the top-level modules or packages of the spec's own classes, but installed ones.

    A name that cannot be found is left out, too: importing the class gives a better message.
    """
    names = {
        str(written["model"]).partition(":")[0].partition(".")[0]
        for written in spec.architectures.values()
        if ":" in str(written.get("model", ""))
    }
    return [path for name in sorted(names) if (path := _find(name)) is not None]


def _find(name: str) -> Path | None:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None:
        return None
    origin = Path(found.origin)
    installed = (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"))
    if any(origin.is_relative_to(folder) for folder in installed):
        return None
    return origin.parent if origin.name == "__init__.py" else origin
