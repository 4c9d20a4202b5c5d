"""The user's own modules: imported, found again after an edit, and hashed.

A user's own file is one that is not installed: not of Python, not of a library, not of Picosweep.
The files of a class are the one it stands in and all that this one imports from the user's own,
directly or through others, found by their import statements without being run. What a module reads
otherwise (a table beside it, a name given to `importlib`) is not seen.
"""

import ast
import contextlib
import functools
import hashlib
import importlib
import importlib.util
import sys
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import psutil
from torch import nn

from picosweep.pico.errors import FieldError

OUR_NAME: Final = __name__.partition(".")[0]
INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
"""Folders whose content was installed, of whichever environment they are."""
_STARTED_AT: Final = psutil.Process().create_time()
_CLOCK_SECONDS: Final = 2.0
"""How coarse the times of files are, on the coarsest file systems."""

_seen: dict[str, str] = {}
"""Digest of each own module's text when it was last known to be what this process runs."""

_being_imported: list[str] = []


def module_being_imported() -> str | None:
    """Return the own module whose import is under way: no sweep can be run from within."""
    return _being_imported[-1] if _being_imported else None


def extend_search_path(folders: Iterable[str]) -> None:
    """Let modules be imported from further folders; what can be imported already comes first."""
    sys.path.extend(folder for folder in folders if folder not in sys.path)


def import_class(path: str) -> type[nn.Module]:
    """Return the class at an import path `package.module:Class`.

    What the module prints goes to standard error: standard output is the command's own.

    Raises:
        FieldError: it cannot be imported, or is no class derived from `torch.nn.Module`.
    """
    module_name, _, class_name = path.partition(":")
    if module_name == "__main__":
        raise FieldError(
            "the processes that train cannot import a class of a script or notebook",
            field="model",
            found=path,
            allowed="my_module:Class, with the class in a file my_module.py of its own",
        )
    _being_imported.append(module_name)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        allowed = f"package.module:Class that can be imported ({reason})"
        raise FieldError(field="model", found=path, allowed=allowed) from error
    finally:
        _being_imported.pop()
    found = getattr(module, class_name, None)
    if found is None:
        where = getattr(module, "__file__", None) or "a folder without code"
        allowed = f"a class that {where} has"
        raise FieldError(field="model", found=path, allowed=allowed)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise FieldError(field="model", found=path, allowed="a class derived from torch.nn.Module")
    return found


def forget_changed(path: str) -> bool:
    """Let the next import run the user's modules anew, if their files have changed since they ran.

    A command imports each once. A notebook imports them, and the user edits and runs again.

    Returns:
        whether there were such modules.
    """
    files = own_files(path.partition(":")[0])
    texts = {name: _digest([_read(file)]) for name, file in files.items()}
    changed = any(
        _seen[name] != text if name in _seen else _is_younger_than_process(files[name])
        for name, text in texts.items()
        if name in sys.modules
    )
    if changed:
        for name in files:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
    _seen.update(texts)
    return changed


def _is_younger_than_process(file: Path) -> bool:
    return file.stat().st_mtime > _STARTED_AT - _CLOCK_SECONDS


def code_hash(path: str) -> str:
    """Return a hash over the text of every file that a class is made of.

    Of a class in an installed package it is the file in which the class stands.

    Raises:
        FieldError: as `import_class`.
    """
    home = import_class(path).__module__
    names = dict.fromkeys([home, path.partition(":")[0]])
    files = {name: file for one in names for name, file in own_files(one).items()}
    if not files:
        origin = getattr(sys.modules.get(home), "__file__", None)
        files = {home: Path(origin)} if origin else {}
    texts = {name: _read(file) for name, file in files.items()}
    written = {name: text for name, text in texts.items() if text.strip()}
    if len(written) == 1:
        return _digest(written.values())
    return _digest(part for name in sorted(written) for part in (name.encode(), written[name]))


def own_files(module_name: str) -> dict[str, Path]:
    """Return the user's own modules that importing one of them may run, with their files.

    Empty where the module is installed or cannot be found.
    """
    found: dict[str, Path] = {}
    waiting = [module_name]
    looked_at = set()
    while waiting:
        name = waiting.pop()
        if name in looked_at:
            continue
        looked_at.add(name)
        if (parent := name.rpartition(".")[0]) and parent not in looked_at:
            waiting.append(parent)
        file, _ = _find(name)
        if file is None or not _is_own(file):
            continue
        found[name] = file
        waiting.extend(_imports(file, name if file.stem == "__init__" else parent))
    return found


def own_roots(module_name: str) -> list[Path]:
    """Return the top-level files and folders of all that `own_files` finds: what to copy."""
    roots = set()
    for name, file in own_files(module_name).items():
        depth = name.count(".") + (file.name == "__init__.py")
        roots.add(file.parents[depth - 1] if depth else file)
    return sorted(roots)


def _find(name: str) -> tuple[Path | None, list[str]]:
    """Return a module's file and where its submodules are, without running the packages around it.

    Both are empty where there is no such module; a folder without `__init__.py` has no file.
    """
    above, _, last = name.rpartition(".")
    if above:
        return _find_below(_find(above)[1], last)
    if name == OUR_NAME:
        return None, []
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None, []
    if spec is None:
        return None, []
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    return file, list(spec.submodule_search_locations or ())


def _find_below(folders: Iterable[str], name: str) -> tuple[Path | None, list[str]]:
    without_init = []
    for folder in map(Path, folders):
        package = folder / name
        if (file := package / "__init__.py").is_file():
            return file, [str(package)]
        if (file := folder / f"{name}.py").is_file():
            return file, []
        if package.is_dir():
            without_init.append(str(package))
    return None, without_init


def _is_own(file: Path) -> bool:
    resolved = file.resolve()
    return not INSTALLED & set(resolved.parts) and not any(
        resolved.is_relative_to(folder) for folder in _library_folders()
    )


@functools.lru_cache
def _library_folders() -> tuple[Path, ...]:
    of_python = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    of_packages = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return tuple(Path(folder).resolve() for folder in of_python | of_packages)


def _imports(file: Path, package: str) -> Iterator[str]:
    """Yield every module that a file's import statements may name, submodules included."""
    if file.suffix != ".py":
        return
    try:
        tree = ast.parse(_read(file))
    except (SyntaxError, ValueError):
        return  # importing it says what is wrong
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            parts = [*above, node.module] if node.level else [node.module]
            base = ".".join(part for part in parts if part)
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _read(file: Path) -> bytes:
    """Return a file's text with a line feed after every line, as hashed ever since."""
    if file.suffix != ".py":
        return file.read_bytes()
    try:
        with tokenize.open(file) as opened:
            text = opened.read()
    except (SyntaxError, UnicodeDecodeError):
        return file.read_bytes()
    return (text if not text or text.endswith("\n") else text + "\n").encode()


def _digest(texts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for text in texts:
        digest.update(text)
    return digest.hexdigest()
