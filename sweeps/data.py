"""The data of a sweep, prepared or found prepared, with pico's complaints in a spec's words."""

from collections.abc import Callable
from pathlib import Path

from pico.data.errors import DataError
from pico.data.prepare import prepare
from pico.data.prepared import PreparedData
from sweeps.errors import input_error
from sweeps.spec import Spec
from sweeps.yaml_file import Document


def prepare_data(
    spec: Spec,
    document: Document,
    results: Path,
    say: Callable[[str], None] = lambda _text: None,
) -> PreparedData:
    """Prepare the data that a spec names, once for all sweeps of a results folder.

    Args:
        spec: whose data.
        document: where the spec stands, for messages.
        results: the results folder; prepared data lies in `.cache/data` there.
        say: told what is being done.

    Raises:
        InputError: the data cannot be had or used.
    """
    try:
        return prepare(
            spec.data_config,
            results / ".cache" / "data",
            progress=lambda stage, share: say(f"preparing the data: {stage} {share:.0%}"),
        )
    except DataError as error:
        key = tuple(error.field.split("."))
        raise input_error(
            error.problem,
            where=document.where(key),
            key=error.field,
            found="" if error.found is None else str(error.found),
            allowed="" if error.allowed is None else str(error.allowed),
        ) from error
