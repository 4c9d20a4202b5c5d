"""What a spec asks, held to its data before anything is trained."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.evaluation.code_suite import SuiteError, check_fits
from picosweep.pico.sandbox.runner import Sandbox, SandboxUnavailableError
from picosweep.sweeps.asking.plan import UserTexts
from picosweep.sweeps.errors import InputError, input_error, unreadable_prompt
from picosweep.sweeps.spec.document import Document, KeyPath, dotted
from picosweep.sweeps.spec.schema import Spec

MOST_BYTES: Final = 16 << 20
"""Size of a text file whose perplexity is asked for: it travels to every worker."""


def check_asked(spec: Spec, document: Document, prepared: Iterable[PreparedData]) -> UserTexts:
    """Read the files that a spec's questions name, and hold all of it to the tokenizers.

    Raises:
        InputError: a file cannot be read, a tokenizer cannot write a text, a suite does not fit a
            tokenizer, or code that the search needs to run cannot be confined here.
    """
    texts = UserTexts(
        named=tuple(
            (Path(path).name, read_text(Path(path), f"{dotted(key)}", document.where(key)))
            for number, path in enumerate(spec.evaluate.texts)
            for key in [("evaluate", "texts", number)]
        ),
        labelled=tuple(_groups(spec, document)),
    )
    if "attention" in spec.probes.kinds and not spec.probes.prompt:
        raise input_error(
            "attention is looked at over a prompt",
            where=document.where(("probes",)),
            key="probes.prompt",
            found="none",
        )
    for data in prepared:
        _check_data(spec, document, data, texts)
    if "code_pass" in {objective.metric for objective in spec.objectives}:
        _check_sandbox(spec, document)
    return texts


def _groups(spec: Spec, document: Document) -> Iterator[tuple[str, str]]:
    if spec.probes.groups is not None:
        key = ("probes", "groups")
        yield from read_groups(Path(spec.probes.groups), dotted(key), document.where(key))


def _check_data(spec: Spec, document: Document, data: PreparedData, texts: UserTexts) -> None:
    if "code" in spec.evaluate.suite:
        key: KeyPath = ("evaluate", "suite")
        try:
            check_fits(data.tokenizer)
        except SuiteError as error:
            raise input_error(
                f"the code suite does not fit this data: {error}",
                where=document.where(key),
                key=dotted(key),
                found=f"data.tokenizer.kind {data.meta.tokenizer_kind!r}",
                allowed="a tokenizer that writes all of Python's characters, such as bpe",
            ) from error
    to_write: list[tuple[KeyPath, str]] = []
    if "attention" in spec.probes.kinds:
        to_write.append((("probes", "prompt"), spec.probes.prompt))
    to_write += [(("evaluate", "texts", n), text) for n, (_, text) in enumerate(texts.named)]
    to_write += [(("probes", "groups"), text) for _, text in texts.labelled]
    for key, text in to_write:
        try:
            data.tokenizer.encode(text)
        except ValueError as error:
            shown = text if len(text) < 80 else text[:80] + "…"
            place = {"where": document.where(key), "key": dotted(key)}
            raise unreadable_prompt(shown, error, **place) from error


def _check_sandbox(spec: Spec, document: Document) -> None:
    try:
        Sandbox(spec.evaluate.sandbox).close()
    except SandboxUnavailableError as error:
        key = ("evaluate", "sandbox")
        raise input_error(
            f"the sweep searches for code_pass, and {error}",
            where=document.where(key),
            key=dotted(key),
        ) from error


def read_text(path: Path, key: str = "", where: str = "") -> str:
    """Return the content of a text file.

    Raises:
        InputError: it cannot be read, is empty, too large, or no UTF-8.
    """
    place = {"where": where, "key": key, "found": str(path)}
    try:
        if path.stat().st_size > MOST_BYTES:
            allowed = f"at most {MOST_BYTES >> 20} MB"
            raise input_error("the text is too large", allowed=allowed, **place)
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise input_error(f"the text cannot be read: {error.strerror}", **place) from error
    except UnicodeDecodeError as error:
        raise input_error(f"the text is no UTF-8: byte {error.start}", **place) from error
    if not text:
        raise input_error("the text is empty", **place)
    return text


def read_groups(path: Path, key: str = "", where: str = "") -> list[tuple[str, str]]:
    """Return labels and texts of a file of JSON lines.

    Raises:
        InputError: it cannot be read, or a line is no object with `label` and `text`.
    """
    found = []
    for number, line in enumerate(read_text(path, key, where).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            label, text = row["label"], row["text"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _bad_line(path, number, key, line) from error
        if not isinstance(text, str) or not isinstance(label, str | int):
            raise _bad_line(path, number, key, line)
        found.append((str(label), text))
    return found


def _bad_line(path: Path, number: int, key: str, line: str) -> InputError:
    return input_error(
        "a line of labelled texts is a JSON object with label and text",
        where=f"{path}:{number}",
        key=key,
        found=line if len(line) < 80 else line[:80] + "…",
        allowed='{"label": "prose", "text": "Once upon a time"}',
    )
