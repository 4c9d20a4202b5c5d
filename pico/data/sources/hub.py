"""A finite slice of a data set on the Hugging Face hub, read by streaming and kept on disk.

What was read is written to one JSONL file, so that the split, the tokenizer and the encoding each
see the same documents, the network is used once, and a later run needs none. No code of a data
set's repository is ever run: the library reads data files only.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picosweep.pico.data.config import HUB_MAX_BYTES, DataConfig
from picosweep.pico.data.sources.hub_access import in_one_line, why_unreachable
from picosweep.pico.data.sources.records import jsonl_documents
from picosweep.pico.data.sources.source import Source
from picosweep.pico.data.sources.text_field import TextField
from picosweep.pico.errors import FieldError
from picosweep.pico.optional_libraries import import_optional

PREFIX = "hf:"

_SHORT_NAMES = {"wikitext": ("Salesforce/wikitext", "wikitext-2-raw-v1")}
"""Names without an owner that people still use, and the configuration they mostly mean."""

_LINES_OF_ARTICLES = frozenset({"Salesforce/wikitext"})
"""Data sets whose rows are the lines of articles: a row is no document."""


_SLICE_FIELD = TextField(path="text", message_template="")


@dataclass(frozen=True, kw_only=True)
class HubName:
    """The parts of `hf:<dataset>[:<configuration>[:<split>]]`."""

    dataset: str
    """Owner and name."""

    configuration: str | None
    """Variant of the data set, such as a language."""

    split: str
    """Part of the data set."""

    @classmethod
    def parse(cls, name: str) -> "HubName":
        """Read a name.

        Raises:
            FieldError: it has no data set or more than three parts.
        """
        dataset, *rest = name.removeprefix(PREFIX).split(":")
        if not dataset or len(rest) > 2:
            raise FieldError(
                "not the name of a data set on the hub",
                field="data.source",
                found=repr(name),
                allowed="hf:<dataset>[:<configuration>[:<split>]], such as hf:allenai/c4:en",
            )
        configuration = rest[0] if rest and rest[0] else None
        if dataset in _SHORT_NAMES:
            dataset, usual = _SHORT_NAMES[dataset]
            configuration = configuration or usual
        split = rest[1] if len(rest) == 2 and rest[1] else "train"
        return cls(dataset=dataset, configuration=configuration, split=split)


def hub_source(name: str, config: DataConfig, download_dir: Path) -> Source:
    """Return the source `hf:…`; nothing is read before its documents are.

    Raises:
        FieldError: the name cannot be read. Reading raises it when `datasets` is not installed, the
            hub cannot be reached, or there is no such data set, variant, split or text column.
    """
    hub_name = HubName.parse(name)
    max_bytes = config.max_bytes
    if max_bytes is None and config.max_documents is None:
        max_bytes = HUB_MAX_BYTES
    signature: tuple[object, ...] = (
        "hf",
        hub_name.dataset,
        hub_name.configuration,
        hub_name.split,
        config.text_field,
        config.max_documents,
        max_bytes,
    )
    if config.message_template != DataConfig.message_template:
        signature += (config.message_template,)
    key = hashlib.blake2b(json.dumps(signature).encode(), digest_size=12).hexdigest()
    slice_file = download_dir / f"{key}.jsonl"
    text_field = TextField.of_config(config)

    def documents() -> Iterator[str]:
        if not slice_file.exists():
            texts = _texts(_open_stream(hub_name), text_field, hub_name.dataset)
            if hub_name.dataset in _LINES_OF_ARTICLES:
                texts = _articles(texts)
            with _telling(hub_name):
                _write_slice(texts, slice_file, config.max_documents, max_bytes)
        return jsonl_documents(slice_file, _SLICE_FIELD)

    return Source(
        description=f"{name} ({hub_name.split} split)", signature=signature, documents=documents
    )


def _write_slice(
    texts: Iterable[str], slice_file: Path, max_documents: int | None, max_bytes: int | None
) -> None:
    slice_file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = slice_file.with_name(f".{slice_file.name}-{uuid.uuid4().hex}")
    num_documents = num_bytes = 0
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            for text in texts:
                if not text.strip():
                    continue
                file.write(json.dumps({"text": text}) + "\n")
                num_documents += 1
                num_bytes += len(text.encode("utf-8", "replace"))
                if num_documents == max_documents:
                    break
                if max_bytes is not None and num_bytes >= max_bytes:
                    break
        unfinished.rename(slice_file)
    finally:
        unfinished.unlink(missing_ok=True)


def _open_stream(name: HubName) -> Iterable[Mapping[str, Any]]:
    try:
        datasets = import_optional("datasets")  # slow to import
    except ImportError:
        raise FieldError(
            "sources on the hub need the package 'datasets'",
            field="data.source",
            found="no such package",
            allowed="after `pip install 'picosweep[hub]'`",
        ) from None
    if reason := why_unreachable():
        raise _unreadable(name, reason)
    with _telling(name):
        rows: Iterable[Mapping[str, Any]] = datasets.load_dataset(
            name.dataset, name.configuration, split=name.split, streaming=True
        )
    return rows


@contextmanager
def _telling(name: HubName) -> Iterator[None]:
    """Turn whatever the library, its HTTP client or the hub raises into a `FieldError`."""
    try:
        yield
    except FieldError:
        raise
    except Exception as error:
        raise _unreadable(name, in_one_line(error)) from error


def _unreadable(name: HubName, reason: str) -> FieldError:
    return FieldError(
        f"{name.dataset!r} cannot be read from the Hugging Face hub",
        field="data.source",
        found=reason,
        allowed="a network and the name of an existing data set, variant and split; or a local "
        "file or folder",
    )


def _texts(rows: Iterable[Mapping[str, Any]], text_field: TextField, place: str) -> Iterator[str]:
    for row in rows:
        yield text_field.of(row, f"in {place}")


def _articles(lines: Iterable[str]) -> Iterator[str]:
    """Join lines up to the next ` = Title = ` heading."""
    article: list[str] = []
    for line in lines:
        words = line.split()
        is_heading = len(words) > 2 and words[0] == words[-1] == "=" and words[1] != "="
        if is_heading and article:
            yield "".join(article)
            article = []
        article.append(line if line.endswith("\n") else line + "\n")
    yield "".join(article)
