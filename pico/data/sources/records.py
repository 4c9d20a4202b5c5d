"""Rows with a text column as documents: JSON, CSV, Parquet and Arrow files."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from picosweep.pico.data.sources.formats import (
    LEAVE_OUT,
    explaining,
    open_text,
    unreadable,
)
from picosweep.pico.data.sources.text_field import TextField, missing_text_field
from picosweep.pico.errors import FieldError

_NOT_JSON: Final = "not JSON"


def jsonl_documents(
    path: Path, text_field: TextField, encoding: str = "utf-8", *, problem: str = _NOT_JSON
) -> Iterator[str]:
    """Yield the text of every line's JSON object; `problem` is what a line without JSON is.

    Raises:
        FieldError: the file cannot be read, or a line is no JSON object with text in `text_field`.
    """
    with explaining(path, encoding), open_text(path, encoding) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                place = f"{path} line {number}"
                yield text_field.of(_object(_parsed(line, place, problem), place), f"on {place}")


def json_documents(path: Path, text_field: TextField, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the text of every object of a JSON array; a file with an object a line is read, too.

    Raises:
        FieldError: the file cannot be read, or an entry is no object with text in `text_field`.
    """
    with explaining(path, encoding), open_text(path, encoding) as file:
        first = file.readline()
        while first and not first.strip():
            first = file.readline()
        is_array = first.lstrip().startswith("[")
        content = first + file.read() if is_array else ""
    if not is_array:
        neither = "neither a JSON array of objects nor an object a line"
        yield from jsonl_documents(path, text_field, encoding, problem=neither)
        return
    for index, row in enumerate(_parsed(content, str(path))):
        place = f"entry {index} of {path}"
        yield text_field.of(_object(row, place), f"in {place}")


def csv_documents(
    path: Path, text_field: TextField, encoding: str = "utf-8", *, delimiter: str
) -> Iterator[str]:
    """Yield a column of a table whose first line names the columns.

    Raises:
        FieldError: the file cannot be read, is no table, or has no column `text_field`.
    """
    csv.field_size_limit(sys.maxsize)
    with explaining(path, encoding), open_text(path, encoding) as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            names = next(rows, [])
            if text_field.path not in names:
                raise missing_text_field(
                    text_field.path, dict.fromkeys(names), f"on the first line of {path}"
                )
            column = names.index(text_field.path)
            for row in rows:
                if row and len(row) != len(names):
                    raise unreadable(
                        "not a table",
                        f"{len(row)} fields on {path} line {rows.line_num}",
                        f"{len(names)}, as its first line has",
                    )
                if row:
                    yield row[column]
        except csv.Error as error:
            raise unreadable("not a table", f"{error} on {path} line {rows.line_num}") from None


def _parsed(text: str, place: str, problem: str = _NOT_JSON) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno} " if "\n" in text.strip() else ""
        found = f"{error.msg} at {line}column {error.colno} of {place}"
        raise unreadable(problem, found) from None
    except RecursionError:
        raise unreadable(_NOT_JSON, f"brackets nested too deep on {place}") from None
    except ValueError as error:  # a number of more digits than Python reads
        reason = str(error).partition(";")[0]
        raise unreadable(_NOT_JSON, f"{reason} on {place}") from None


def _object(row: object, place: str) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise FieldError(
            "not a JSON object", field="data.source", found=f"{type(row).__name__} on {place}"
        )
    return row


def parquet_documents(path: Path, text_field: TextField) -> Iterator[str]:
    """Yield the text column of a Parquet file, read a batch of rows at a time.

    Raises:
        FieldError: it is not a Parquet file, is damaged, or has no text in `text_field`.
    """
    with _explaining_arrow(path, "not a Parquet file"):
        file = pq.ParquetFile(path)
    with file:
        column = _column(file.schema_arrow, text_field, str(path))
        with _explaining_arrow(path, "a damaged Parquet file"):
            batches = file.iter_batches(batch_size=1024, columns=[column])
            yield from _texts(batches, column, text_field, path)


def arrow_documents(path: Path, text_field: TextField) -> Iterator[str]:
    """Yield the text column of one Arrow file, a stream or not, through a memory map.

    Raises:
        FieldError: it is not an Arrow file, is damaged, or has no text in `text_field`.
    """
    with (
        _explaining_arrow(path, "not an Arrow file, or a damaged one"),
        pa.memory_map(str(path)) as file,
    ):
        is_stream = file.read(len(_ARROW_MAGIC)) != _ARROW_MAGIC
        file.seek(0)
        with pa.ipc.open_stream(file) if is_stream else pa.ipc.open_file(file) as content:
            column = _column(content.schema, text_field, str(path))
            batches = (
                content if is_stream else map(content.get_batch, range(content.num_record_batches))
            )
            yield from _texts(batches, column, text_field, path)


_ARROW_MAGIC: Final = b"ARROW1"


@contextmanager
def _explaining_arrow(path: Path, problem: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0].strip(" .")
        found = f"{path}: {reason}" if reason else str(path)
        raise unreadable(problem, found, LEAVE_OUT) from None


def _column(schema: Any, text_field: TextField, place: str) -> str:
    """Return the column to read; what its type cannot be is refused before a row is read."""
    column = text_field.column(schema.names)
    if column not in schema.names:
        raise missing_text_field(text_field.path, dict.fromkeys(schema.names), f"in {place}")
    kind = schema.field(column).type
    if _is_text(kind) or pa.types.is_struct(kind) or pa.types.is_map(kind):
        return column
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if is_list and (not _is_text(kind.value_type) or text_field.joins_lists):
        return column
    raise FieldError(
        f"{text_field.path!r} is not text",
        field="data.text_field",
        found=f"{kind} in {place}",
        allowed=f"a column of text; {column}.* joins the texts of a list" if is_list else None,
    )


def _is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _texts(batches: Any, column: str, text_field: TextField, path: Path) -> Iterator[str]:
    first_row = 0
    for batch in batches:
        values = batch.column(batch.schema.get_field_index(column))
        is_plain = _is_text(values.type)
        for offset, value in enumerate(_values(values, first_row, path)):
            if is_plain and text_field.path == column:
                yield value or ""
            else:
                place = f"in row {first_row + offset} of {path}"
                yield text_field.of({column: value}, place)
        first_row += len(values)


def _values(values: Any, first_row: int, path: Path) -> Sequence[Any]:
    try:
        found: list[Any] = values.to_pylist()
    except UnicodeDecodeError:
        for offset in range(len(values)):
            try:
                values.slice(offset, 1).to_pylist()
            except UnicodeDecodeError as error:
                byte = error.object[error.start]
                found_at = f"byte 0x{byte:02x} in row {first_row + offset} of {path}"
                raise unreadable("not UTF-8 text", found_at, LEAVE_OUT) from None
        raise
    return found
