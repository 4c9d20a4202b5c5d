"""Real text that comes with every Python: the standard library's code and the language manual."""

import ast
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
        # Tables of codecs: an eighth of the library by size, and much of what its models write.
        "encodings",
    }
)


def standard_library() -> Source:
    """Return the Python files of the running interpreter's standard library.

    Tests and tables of codecs are left out.

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


def library_functions() -> Source:
    """Return the functions and methods of the standard library, each a document of its own.

    They come from the last file to the first, so that a limit on how much is read takes other files
    than the same limit on `standard_library`: who trains on the one and goes on with the other does
    not see the same functions twice, as long as both limits are less than half.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(_library_files(root), reverse=True)

    def documents() -> Iterator[str]:
        for path in paths:
            yield from _functions(path)

    return Source(
        description=f"functions of the standard library of Python {platform.python_version()}",
        signature=("stdlib:functions", *files_signature(root, paths)),
        documents=documents,
    )


def _functions(path: Path) -> Iterator[str]:
    """Return the functions of a file, those inside of others with them."""
    try:
        text = path.read_text(encoding="utf-8")
        waiting: list[ast.AST] = [ast.parse(text)]
    except (UnicodeDecodeError, SyntaxError):
        return  # a few installations carry a file in another encoding, or a template of one
    lines = text.splitlines()
    found = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found.append((first, node.end_lineno, node.col_offset))
        else:
            waiting += ast.iter_child_nodes(node)
    for first, last, indent in sorted(found):
        own = (
            # A text of several lines may have some that are not indented.
            line[indent:] if not line[:indent].strip() else line
            for line in lines[first - 1 : last]
        )
        yield "\n".join(own) + "\n"


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
