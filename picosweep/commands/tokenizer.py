"""Whether a sweep's tokenizers do their work: `picosweep tokenizer`."""

import json
from pathlib import Path
from typing import Any

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep


def tokenizer_checks(sweep: str, results: Path) -> list[dict[str, Any]]:
    """Return what was found when the sweep's data was prepared, a mapping for each tokenizer.

    Args:
        sweep: its name, or its folder.
        results: where sweeps land.

    Returns:
        The fields of `pico.data.tokenizer_quality.TokenizerQuality`.

    Raises:
        InputError: there is no such sweep, or it has no such check.
    """
    path = find_sweep(sweep, results) / "data.json"
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        return [described["tokenizer_quality"], *described.get("other_tokenizers", ())]
    except (OSError, ValueError, KeyError) as error:
        raise input_error("the check of the tokenizer is missing", where=str(path)) from error
