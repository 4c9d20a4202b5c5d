"""Whether a sweep's tokenizers do their work: `picosweep tokenizer`."""

from pathlib import Path
from typing import Any

from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.find import find_sweep
from picosweep.sweeps.store.folder import SweepFolder, read_json
from picosweep.sweeps.store.mirror import open_results


def tokenizer_checks(sweep: str, *, results: str | Path = "results") -> list[dict[str, Any]]:
    """Return what was found when the sweep's data was prepared, a mapping for each tokenizer.

    Args:
        sweep: name of the sweep, or its folder.
        results: folder or address in which the sweeps are.

    Returns:
        fields of `pico.data.tokenizer_quality.TokenizerQuality`, for each tokenizer.

    Raises:
        InputError: there is no such sweep, or its `data.json` holds no check.
    """
    path = SweepFolder(find_sweep(sweep, open_results(results))).data
    described = read_json(path)
    try:
        return [described["tokenizer_quality"], *described.get("other_tokenizers", ())]
    except (KeyError, TypeError) as error:
        raise input_error("the check of the tokenizer is missing", where=str(path)) from error
