"""A file or a folder as one source: which files are read, for which part, and which are not."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Final

from picosweep.pico.data.config import DataConfig
from picosweep.pico.data.sources.formats import (
    COMPRESSIONS,
    LEAVE_OUT,
    RECORD_SUFFIXES,
    TABLE_SUFFIXES,
    TEXT_SUFFIXES,
    FileKind,
    UnreadableFileError,
    unreadable,
)
from picosweep.pico.data.sources.named_splits import splits_of
from picosweep.pico.data.sources.records import (
    arrow_documents,
    csv_documents,
    json_documents,
    jsonl_documents,
    parquet_documents,
)
from picosweep.pico.data.sources.saved_datasets import saved_files, saved_splits
from picosweep.pico.data.sources.source import (
    FilesRead,
    LeftOut,
    Source,
    files_signature,
)
from picosweep.pico.data.sources.text_field import TextField
from picosweep.pico.data.sources.text_files import documents_of, section_size
from picosweep.pico.errors import FieldError

_FEW_FILES: Final = 64
"""A source of fewer text files has its files cut into sections, so that a split exists."""

_UNREAD_ARCHIVES: Final = frozenset(
    {".zip", ".zst", ".lz4", ".7z", ".rar", ".br", ".tar", ".tgz", ".tbz2", ".txz"}
)


def path_source(path: Path, config: DataConfig) -> Source:
    """Return the source of a file or a folder.

    Raises:
        FieldError: it holds nothing that can be read; the message says what it holds. Reading
            raises it for a file that cannot be read.
    """
    chosen = _choose(path, config)
    paths = [*chosen.training, *chosen.validation]
    sizes = [entry.stat().st_size for entry in paths]
    if not sum(sizes):
        raise FieldError("empty", field="data.source", found=str(path))
    num_texts = sum(not FileKind.of(entry).is_rows for entry in paths)
    section = section_size(sum(sizes)) if num_texts < _FEW_FILES else None
    training = _Files(chosen.training, config, section)
    validation = _Files(chosen.validation, config, section)
    kind = "file" if path.is_file() else f"folder of {len(paths)} files"

    def files_read() -> FilesRead:
        left_out = {**chosen.left_out, **training.unreadable, **validation.unreadable}
        return FilesRead(
            training=_by_suffix([one for one in chosen.training if one not in left_out]),
            validation=_by_suffix([one for one in chosen.validation if one not in left_out]),
            left_out=_by_reason(left_out, path),
        )

    return Source(
        description=f"{path.name} ({kind})",
        signature=("path", *files_signature(path, paths)),
        documents=training.documents,
        validation=validation.documents if chosen.validation else None,
        files=files_read,
    )


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """The files of a path, by what becomes of them."""

    training: Sequence[Path]
    validation: Sequence[Path] = ()
    left_out: Mapping[Path, str] = field(default_factory=dict)
    """Why, by file or folder."""


def _choose(path: Path, config: DataConfig) -> _Chosen:
    if path.is_file():
        _check_suffix(path)
        return _Chosen(training=[path])
    saved = saved_splits(path)
    if saved:
        return _choose_saved(path, saved, config)
    paths, left_out = _readable_files(path, config)
    splits = splits_of(paths, path) if config.named_splits else {}
    validating = _validating(set(splits.values()), config)
    for entry, split in splits.items():
        if split not in {"train", validating}:
            left_out[entry] = _named(split)
    return _Chosen(
        training=[entry for entry in paths if splits.get(entry, "train") == "train"],
        validation=[entry for entry in paths if validating and splits.get(entry) == validating],
        left_out=left_out,
    )


def _choose_saved(folder: Path, saved: Mapping[str, Path], config: DataConfig) -> _Chosen:
    if "train" not in saved and len(saved) > 1:
        raise FieldError(
            "several splits, none called 'train'",
            field="data.source",
            found=", ".join(saved),
            allowed=f"the folder of one split, such as {next(iter(saved.values()))}",
        )
    training = "train" if "train" in saved else next(iter(saved))
    validating = _validating(set(saved) - {training}, config) if config.named_splits else None
    return _Chosen(
        training=saved_files(saved[training]),
        validation=saved_files(saved[validating]) if validating else (),
        left_out={
            path: _named(split)
            for split, path in saved.items()
            if split not in {training, validating}
        },
    )


def _validating(splits: set[str], config: DataConfig) -> str | None:
    """Return which split is the validation part; none where another source is."""
    if config.validation_source is not None:
        return None
    return next((split for split in ("validation", "test") if split in splits), None)


def _named(split: str) -> str:
    return f"named as the split {split!r}"


def _check_suffix(path: Path) -> None:
    """Refuse one file whose name says that it is an archive."""
    kind = FileKind.of(path)
    for suffix in (path.suffix.lower(), kind.suffix):
        if suffix in _UNREAD_ARCHIVES:
            raise unreadable(
                "an archive or compressed in a way that is not read",
                str(path),
                f"unpacked, or one of {', '.join(sorted(COMPRESSIONS))}",
            )


def _readable_files(folder: Path, config: DataConfig) -> tuple[list[Path], dict[Path, str]]:
    """Return the files of a folder that are to be read, in order, and why others are not."""
    entries, left_out = _walk(folder, config)
    usual: list[Path] = []
    tables: list[Path] = []
    for entry in sorted(entries):
        kind = FileKind.of(entry)
        if not entry.stat().st_size:
            left_out[entry] = "empty"
        elif config.include:
            if _is_included(entry.relative_to(folder), config.include):
                usual.append(entry)
            else:
                left_out[entry] = "not in data.include"
        elif kind.suffix in TEXT_SUFFIXES | RECORD_SUFFIXES and (
            kind.suffix or not kind.compression
        ):
            usual.append(entry)
        elif kind.suffix in TABLE_SUFFIXES:
            tables.append(entry)
        else:
            left_out[entry] = "a suffix that is not read unless data.include names it"
    paths = usual or tables
    if usual:
        left_out |= dict.fromkeys(tables, "a table beside other files, not named in data.include")
    if not paths:
        raise _nothing_to_read(folder, entries, config)
    return paths, left_out


def _is_included(path: Path, patterns: Sequence[str]) -> bool:
    """Return whether a pattern fits a file's name or, where it has a `/`, its path."""
    return any(
        fnmatchcase(path.as_posix() if "/" in pattern else path.name, pattern)
        for pattern in patterns
    )


def _walk(folder: Path, config: DataConfig) -> tuple[list[Path], dict[Path, str]]:
    """Return every visible file below a folder, links followed, loops of links cut."""
    files: list[Path] = []
    left_out: dict[Path, str] = {}

    def refuse(error: OSError) -> None:
        problem = "cannot be read"
        if not config.skip_unreadable:
            raise unreadable(problem, f"{error.filename}: {error.strerror}", LEAVE_OUT)
        left_out[Path(error.filename)] = problem

    above: dict[Path, frozenset[str]] = {}
    for name, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        place = Path(name)
        around = above.pop(place, frozenset()) | {os.path.realpath(place)}
        for path in [place / one for one in (*folders, *names)]:
            if path.name.startswith("."):
                left_out[path] = "hidden"
            elif path.is_file():
                files.append(path)
            elif path.is_dir():
                if os.path.realpath(path) in around:
                    left_out[path] = "a link to a folder around it"
                else:
                    above[path] = around
            else:
                left_out[path] = "a link to nothing" if path.is_symlink() else "no ordinary file"
        folders[:] = [one for one in folders if place / one in above]
    return files, left_out


def _nothing_to_read(folder: Path, entries: Sequence[Path], config: DataConfig) -> FieldError:
    suffixes = sorted({entry.suffix or entry.name for entry in entries})
    found = f"{folder} with {', '.join(suffixes) if suffixes else 'no files'}"
    if config.include:
        return FieldError(
            "fits no file with text in this folder",
            field="data.include",
            found=f"{', '.join(config.include)}; {found}",
        )
    return FieldError(
        "no file with text in this folder",
        field="data.source",
        found=found,
        allowed=", ".join(sorted(TEXT_SUFFIXES | RECORD_SUFFIXES | TABLE_SUFFIXES)[1:])
        + "; or others that data.include names",
    )


def _by_reason(left_out: Mapping[Path, str], folder: Path) -> tuple[LeftOut, ...]:
    by_reason: defaultdict[str, list[Path]] = defaultdict(list)
    for path, reason in sorted(left_out.items()):
        by_reason[reason].append(path)
    return tuple(
        LeftOut(
            reason=reason,
            files=_by_suffix(paths),
            example=paths[0].relative_to(folder).as_posix() + ("/" if paths[0].is_dir() else ""),
        )
        for reason, paths in by_reason.items()
    )


def _by_suffix(paths: Sequence[Path]) -> dict[str, int]:
    """Count files by their suffix, most frequent first; one without a suffix by its name."""
    return dict(Counter(map(_suffix, paths)).most_common())


def _suffix(path: Path) -> str:
    inner = Path(path.stem).suffix if FileKind.of(path).compression else ""
    return inner + path.suffix or path.name


class _Files:
    """Files that are read one after another."""

    def __init__(self, paths: Sequence[Path], config: DataConfig, section: int | None) -> None:
        self._paths = paths
        self._config = config
        self._section = section
        self._text_field = TextField.of_config(config)

    def documents(self) -> Iterator[str]:
        for path in self._paths:
            if path not in self.unreadable:
                yield from self._documents_of(path)

    @cached_property
    def unreadable(self) -> dict[Path, str]:
        """Why a file cannot be read to its end, where such files are to be left out."""
        found: dict[Path, str] = {}
        for path in self._paths if self._config.skip_unreadable else ():
            try:
                for _ in self._documents_of(path):
                    pass
            except UnreadableFileError as error:
                found[path] = error.problem
        return found

    def _documents_of(self, path: Path) -> Iterator[str]:
        field, encoding = self._text_field, self._config.encoding
        match FileKind.of(path).suffix:
            case ".jsonl" | ".ndjson":
                return jsonl_documents(path, field, encoding)
            case ".json":
                return json_documents(path, field, encoding)
            case ".csv":
                return csv_documents(path, field, encoding, delimiter=",")
            case ".tsv":
                return csv_documents(path, field, encoding, delimiter="\t")
            case ".parquet":
                return parquet_documents(path, field)
            case ".arrow":
                return arrow_documents(path, field)
        unit = self._config.document_unit
        if unit == "auto" and self._config.mode == "padded":
            unit = "line"
        return documents_of(path, unit=unit, section=self._section, encoding=encoding)
