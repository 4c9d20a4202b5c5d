"""What of a spec lies on this machine and must go along when the sweep runs elsewhere."""

from pathlib import Path

from picosweep.pico.data.config import DataConfig
from picosweep.pico.data.sources.hub import PREFIX as HUB_PREFIX
from picosweep.pico.data.sources.number_sequences import PREFIX as NUMBERS_PREFIX
from picosweep.pico.data.sources.registry import INSTALLED
from picosweep.sweeps.errors import InputError, Problem
from picosweep.sweeps.spec.document import Document
from picosweep.sweeps.spec.schema import Spec


def local_files(spec: Spec, document: Document) -> list[str]:
    """Return the files and folders that a spec names, relative to the current folder.

    Raises:
        InputError: one is not there, or does not lie below the current folder: under another
            name its data would count as other data.
    """
    problems: list[Problem] = []
    found: list[str] = []
    for key, name in _named(spec.data_config):
        problem = _problem(name)
        if problem is None:
            found.append(name)
        else:
            where = document.where(key)
            problems.append(Problem(message=problem, where=where, key=".".join(key), found=name))
    if problems:
        raise InputError(*problems)
    return sorted(set(found))


def _named(data: DataConfig) -> list[tuple[tuple[str, ...], str]]:
    sources = [name for name, _ in data.components]
    named: list[tuple[tuple[str, ...], str]] = [
        (("data", "source"), name) for name in sources if _is_path(name)
    ]
    if data.validation_source is not None and _is_path(data.validation_source):
        named.append((("data", "validation_source"), data.validation_source))
    if data.tokenizer.path is not None:
        named.append((("data", "tokenizer", "path"), data.tokenizer.path))
    return named


def _is_path(source: str) -> bool:
    return source not in INSTALLED and not source.startswith((HUB_PREFIX, NUMBERS_PREFIX))


def _problem(name: str) -> str | None:
    path = Path(name)
    if path.is_absolute() or name.startswith("~") or ".." in path.parts:
        return (
            "to be submitted, a path must be relative to the current folder and lie below it; "
            "a link will do"
        )
    return None if path.exists() else "no such file or folder"
