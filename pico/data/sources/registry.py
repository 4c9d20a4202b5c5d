"""From the name a user wrote to a source of documents."""

from collections.abc import Callable, Iterator
from pathlib import Path

from picosweep.pico.data.config import DataConfig
from picosweep.pico.data.sources import hub, number_sequences
from picosweep.pico.data.sources.installed import language_manual, standard_library
from picosweep.pico.data.sources.records import (
    arrow_documents,
    jsonl_documents,
    parquet_documents,
    saved_dataset_files,
)
from picosweep.pico.data.sources.source import Source, files_signature
from picosweep.pico.data.sources.text_files import documents_of, section_size
from picosweep.pico.errors import FieldError, nearest

INSTALLED: dict[str, Callable[[], Source]] = {"stdlib": standard_library, "pydocs": language_manual}

TEXT_SUFFIXES = frozenset({"", ".txt", ".text", ".md", ".rst", ".py", ".tokens", ".raw"})
RECORD_SUFFIXES = frozenset({".jsonl", ".ndjson", ".parquet"})

_FEW_FILES = 64
"""A source of fewer text files has its files cut into sections, so that a split exists."""


def open_source(name: str, config: DataConfig, download_dir: Path) -> Source:
    """Find the source called `name`.

    Args:
        name: one source, as `DataConfig.source` describes it.
        config: settings that say what a document is and how much to read.
        download_dir: folder to keep what was read over a network.

    Raises:
        FieldError: there is no such source, or nothing in it can be read.
    """
    if name in INSTALLED:
        return INSTALLED[name]()
    if name.startswith(hub.PREFIX):
        return hub.hub_source(name, config, download_dir)
    if name.startswith(number_sequences.PREFIX):
        return number_sequences.number_source(name, config.numbers)
    path = Path(name).expanduser()
    if not path.exists():
        raise _unknown_source(name, path)
    return _open_path(path, config)


def _unknown_source(name: str, path: Path) -> FieldError:
    looks_like_path = "/" in name or bool(path.suffix)
    if not looks_like_path:
        families = [number_sequences.PREFIX + family for family in number_sequences.FAMILIES]
        return FieldError(
            "unknown source",
            field="data.source",
            near=nearest(name, [*INSTALLED, *families]),
            found=repr(name),
            allowed=f"{', '.join(INSTALLED)}, numbers:<family>, hf:<dataset>, or the path of a "
            "file or folder",
        )
    return FieldError(
        "no such file or folder", field="data.source", found=repr(name), near=_nearest_path(path)
    )


def _nearest_path(path: Path) -> str | None:
    """Return what is there in place of the first part of `path` that is not."""
    while not path.parent.exists():
        path = path.parent
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = nearest(path.name, beside)
    return None if near is None else str(path.parent / near)


def _open_path(path: Path, config: DataConfig) -> Source:
    paths = [path] if path.is_file() else saved_dataset_files(path) or _readable_files(path)
    sizes = [entry.stat().st_size for entry in paths]
    if not sum(sizes):
        raise FieldError("empty", field="data.source", found=str(path))
    num_texts = sum(not _is_records(entry) for entry in paths)
    section = section_size(sum(sizes)) if num_texts < _FEW_FILES else None
    kind = "file" if path.is_file() else f"folder of {len(paths)} files"

    def documents() -> Iterator[str]:
        for entry in paths:
            yield from _file_documents(entry, config, section)

    return Source(
        description=f"{path.name} ({kind})",
        signature=("path", *files_signature(path, paths)),
        documents=documents,
    )


def _readable_files(folder: Path) -> list[Path]:
    entries = sorted(entry for entry in folder.rglob("*") if entry.is_file())
    visible = [
        entry
        for entry in entries
        if not any(part.startswith(".") for part in entry.relative_to(folder).parts)
    ]
    paths = [
        entry
        for entry in visible
        if (entry.suffix in TEXT_SUFFIXES or _is_records(entry)) and entry.stat().st_size
    ]
    if not paths:
        suffixes = sorted({entry.suffix or entry.name for entry in visible})
        raise FieldError(
            "no file with text in this folder",
            field="data.source",
            found=f"{folder} with {', '.join(suffixes) if suffixes else 'no files'}",
            allowed=", ".join(sorted(TEXT_SUFFIXES | RECORD_SUFFIXES)[1:]),
        )
    return paths


def _is_records(path: Path) -> bool:
    return path.suffix in RECORD_SUFFIXES or path.suffix == ".arrow"


def _file_documents(path: Path, config: DataConfig, section: int | None) -> Iterator[str]:
    if path.suffix in {".jsonl", ".ndjson"}:
        return jsonl_documents(path, config.text_field)
    if path.suffix == ".parquet":
        return parquet_documents(path, config.text_field)
    if path.suffix == ".arrow":
        return arrow_documents(path, config.text_field)
    unit = config.document_unit
    if unit == "auto" and config.mode == "padded":
        unit = "line"
    return documents_of(path, unit=unit, section=section)
