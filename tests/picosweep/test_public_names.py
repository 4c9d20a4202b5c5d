"""`import picosweep`: the Python face of the command line, of every table and of every chart."""

import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import picosweep
from picosweep.cli import app

PACKAGES = {"analysis", "charts", "pico", "sweeps"}
NOT_FUNCTIONS = {"presets", "schema"}
"""Commands that print what Python has at hand: `PRESETS`, and the JSON Schema of `Spec`."""
NAMES = {"tokenizer": "tokenizer_checks"}
"""Functions that are not named like their command, where that would name a thing."""


def test_every_public_name_can_be_had() -> None:
    """The list of lazily imported names has no stale entry and hides no module."""
    for name in dir(picosweep):
        found = getattr(picosweep, name)
        assert isinstance(found, ModuleType) == (name in PACKAGES), name
    with pytest.raises(AttributeError, match="nonsense"):
        _ = picosweep.nonsense


def test_every_command_is_a_function() -> None:
    """With `results` where the command has it, and its default."""
    for command in app.registered_commands:
        assert command.name is not None
        if command.name in NOT_FUNCTIONS:
            continue
        function = getattr(picosweep, NAMES.get(command.name, command.name.replace("-", "_")))
        assert command.callback is not None
        if "results" in inspect.signature(command.callback).parameters:
            assert inspect.signature(function).parameters["results"].default == "results"


def test_a_module_never_hides_a_function() -> None:
    """Whatever was imported before, `picosweep.run` is the function."""
    code = (
        "import picosweep.commands.run, picosweep.commands.report, picosweep.exports.registry;"
        "import picosweep; assert callable(picosweep.run) and callable(picosweep.report);"
        "assert callable(picosweep.export)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", sorted(PACKAGES - {"charts"}))
def test_no_module_has_two_names(name: str) -> None:
    """In the repository's top folder, the folders cannot be imported by their bare names."""
    with pytest.raises(ImportError, match=f"picosweep.{name}"):
        __import__(name)
    assert name not in sys.modules
