"""Files that are named as splits, as data hubs lay them out: `train-00000-of-00002.parquet`.

The names are those that the library `datasets` knows ("Structure your repository" in the
documentation of the Hugging Face hub), but no name decides alone: `test_parser.py` in a folder of
code is no split. Some file must be called the same but for `train` in the split's place.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from picosweep.pico.data.sources.formats import RECORD_SUFFIXES, TABLE_SUFFIXES, FileKind

Split = Literal["train", "validation", "test"]

_WORDS: Final[dict[str, Split]] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_SUFFIXES: Final = RECORD_SUFFIXES | TABLE_SUFFIXES | {".txt", ".text", ".tokens", ".raw"}
"""Of code and of documents for people the names mean something else."""

_NAMED: Final = re.compile(
    rf"(?P<before>(?:.*[-_. ])?)(?P<word>{'|'.join(_WORDS)})(?:[-_. ]\d+(?:-of-\d+)?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class _Name:
    split: Split
    shape: tuple[str, ...]
    """The name with the split's word left out: equal for the splits of one data set."""


def splits_of(paths: Sequence[Path], folder: Path) -> Mapping[Path, Split]:
    """Return the split of each file that is named as one; empty where the names mean nothing.

    Args:
        paths: files below `folder`.
        folder: the folder that the user named.
    """
    names = {path: found for path in paths if (found := _name_of(path.relative_to(folder)))}
    by_shape: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for name in names.values():
        by_shape[name.shape].add(name.split)
    whole = {shape for shape, splits in by_shape.items() if "train" in splits and len(splits) > 1}
    return {path: name.split for path, name in names.items() if name.shape in whole}


def _name_of(path: Path) -> _Name | None:
    kind = FileKind.of(path)
    if kind.suffix not in _SUFFIXES:
        return None
    folders = path.parent.parts
    named = [part.lower() for part in folders if part.lower() in _WORDS]
    stem = Path(path.stem).stem if kind.compression else path.stem
    if match := _NAMED.fullmatch(stem):
        around = tuple("*" if part.lower() in _WORDS else part for part in folders)
        shape = (*around, match["before"] + "*", kind.suffix)
        return _Name(split=_WORDS[match["word"].lower()], shape=shape)
    if named:
        before = [part.lower() for part in folders].index(named[0])
        return _Name(split=_WORDS[named[0]], shape=(*folders[:before], "*/"))
    return None
