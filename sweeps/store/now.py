"""What a running driver last told of itself."""

import json
from pathlib import Path
from typing import Any, Final

NOW: Final = "now.json"


def read_now(folder: Path) -> dict[str, Any] | None:
    """What a running driver last told: `slots`, `running` (trial ids), `num_waiting`."""
    try:
        found: dict[str, Any] = json.loads((folder / NOW).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found
