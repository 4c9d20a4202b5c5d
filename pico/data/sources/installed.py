"""Real text that comes with every Python: the standard library's code and the language manual."""

import os
import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from picosweep.pico.data.sources.source import Source, files_signature
from picosweep.pico.errors import FieldError

_NOT_LIBRARY_CODE = frozenset(
    {
        "site-packages",
        "dist-packages",
        "test",
        "tests",
        "idle_test",
        "__pycache__",
        # The text of `pydocs`: reading it here as well would put the same sentences on both sides
        # of the split of a mixture.
        "pydoc_data",
    }
)


def standard_library() -> Source:
    """Return the Python files of the running interpreter's standard library, tests left out.

    Raises:
        FieldError: the interpreter comes without its library's source.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(_library_files(root))
    if not paths:
        raise FieldError(
            "this Python has no source files of its standard library",
            field="data.source",
            found=f"none under {root}",
            allowed="a Python installed with its library's .py files, or another source",
        )

    def documents() -> Iterator[str]:
        for path in paths:
            try:
                yield path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # a few installations carry a file in another encoding; it is no loss

    return Source(
        description=f"standard library of Python {platform.python_version()}, {len(paths)} files",
        signature=("stdlib", *files_signature(root, paths)),
        documents=documents,
    )


def _library_files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        # Pruned while walking: `site-packages` can hold far more files than the library.
        folders[:] = [name for name in folders if name not in _NOT_LIBRARY_CODE]
        yield from (Path(folder, name) for name in names if name.endswith(".py"))


def language_manual() -> Source:
    """Return the English text of Python's interactive help, one document per topic."""

    def documents() -> Iterator[str]:
        from pydoc_data.topics import topics  # noqa: PLC0415 - half a megabyte of text

        yield from (topics[name] for name in sorted(topics))

    return Source(
        description=f"language manual of Python {platform.python_version()}",
        signature=("pydocs", platform.python_version()),
        documents=documents,
    )
