"""Rows with a text column as documents: JSONL, Parquet and the Arrow files of `save_to_disk`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from picosweep.pico.errors import FieldError, nearest


def jsonl_documents(path: Path, text_field: str) -> Iterator[str]:
    """Yield the text of every line's JSON object; a null text is empty.

    Raises:
        FieldError: the file is not UTF-8, or a line is no JSON object with text in `text_field`.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _line_text(line, f"{path} line {number}", text_field)
    except UnicodeDecodeError as error:
        raise FieldError(
            "not UTF-8 text",
            field="data.source",
            found=f"byte 0x{error.object[error.start]:02x} in {path}",
        ) from None


def _line_text(line: str, place: str, text_field: str) -> str:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise FieldError(
            "not JSON", field="data.source", found=f"{error.msg} at column {error.colno} of {place}"
        ) from None
    if not isinstance(row, dict):
        raise FieldError(
            "not a JSON object", field="data.source", found=f"{type(row).__name__} on {place}"
        )
    if text_field not in row:
        raise missing_text_field(text_field, list(row), place)
    text = row[text_field]
    if not isinstance(text, str | None):
        raise FieldError(
            f"{text_field!r} is not text",
            field="data.text_field",
            found=f"{type(text).__name__} on {place}",
        )
    return text or ""


def parquet_documents(path: Path, text_field: str) -> Iterator[str]:
    """Yield the text column of a Parquet file, read a batch of rows at a time.

    Raises:
        FieldError: it is not a Parquet file, or has no text column `text_field`.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError):
        raise FieldError("not a Parquet file", field="data.source", found=str(path)) from None
    with file:
        _check_text_column(file.schema_arrow, text_field, str(path))
        for batch in file.iter_batches(batch_size=1024, columns=[text_field]):
            yield from (text or "" for text in batch.column(0).to_pylist())


def saved_dataset_files(folder: Path) -> list[Path]:
    """Return the Arrow files of a folder written by `save_to_disk`, in order; none for others.

    Of a folder of splits `train` is taken, or the only one there is.

    Raises:
        FieldError: the folder has several splits and none is called `train`.
    """
    if (folder / "dataset_dict.json").is_file():
        splits = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
        if "train" not in splits and len(splits) != 1:
            raise FieldError(
                "several splits, none called 'train'",
                field="data.source",
                found=", ".join(splits),
                allowed=f"the folder of one split, such as {folder / splits[0]}",
            )
        return saved_dataset_files(folder / ("train" if "train" in splits else splits[0]))
    if not (folder / "state.json").is_file():
        return []
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return [folder / part["filename"] for part in state["_data_files"]]


def arrow_documents(path: Path, text_field: str) -> Iterator[str]:
    """Yield the text column of one Arrow stream file, through a memory map.

    Raises:
        FieldError: it is not an Arrow stream, or has no text column `text_field`.
    """
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            _check_text_column(stream.schema, text_field, str(path))
            column = stream.schema.get_field_index(text_field)
            for batch in stream:
                yield from (text or "" for text in batch.column(column).to_pylist())
    except (pa.ArrowInvalid, OSError):
        raise FieldError("not an Arrow file", field="data.source", found=str(path)) from None


def _check_text_column(schema: Any, text_field: str, place: str) -> None:
    if text_field not in schema.names:
        raise missing_text_field(text_field, schema.names, place)
    kind = schema.field(text_field).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise FieldError(
            f"{text_field!r} is not text", field="data.text_field", found=f"{kind} in {place}"
        )


def missing_text_field(text_field: str, names: Sequence[str], place: str) -> FieldError:
    """Return the error for rows without the text column; it names the columns there are."""
    return FieldError(
        f"no field {text_field!r}",
        field="data.text_field",
        near=nearest(text_field, names),
        found=f"fields {', '.join(map(repr, names)) or '(none)'} on {place}",
    )
