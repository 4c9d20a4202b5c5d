"""What a user may set about data: one frozen dataclass each for tokenizer, numbers and the whole.

Every default lives here and nowhere else.
"""

from dataclasses import dataclass, field, replace
from string import Formatter
from typing import Annotated

from picosweep.pico.errors import FieldError, nearest
from picosweep.pico.field_checks import (
    Count,
    CountFromZero,
    number,
    one_of,
    ranges_of,
    whole_number,
)

HUB_MAX_BYTES = 1 << 26
"""Text to take from a hub source when neither `max_documents` nor `max_bytes` is set."""

SMALLEST_BPE_VOCABULARY = 257
"""256 bytes, so that any text can be written, and `<|endoftext|>`."""


AtLeastTwo = Annotated[int, whole_number(2)]
PartOfText = Annotated[
    float,
    replace(number("above 0 and below 1", above=0, below=1), problem="not a share of the text"),
]


def _check_fields(config: object, prefix: str) -> None:
    """Hold a section of the data settings to the ranges of its fields.

    Raises:
        FieldError: a value lies outside; its field is a key path in a spec.
    """
    for name, range_ in ranges_of(type(config)).items():
        value = getattr(config, name)
        if not range_.holds(value):
            raise FieldError(
                f"unknown {name}" if range_.choices else range_.problem,
                field=prefix + name,
                found=repr(value) if range_.choices else value,
                allowed=", ".join(range_.choices) or range_.allowed,
                near=nearest(value, range_.choices),
            )


def _check_template(template: str) -> None:
    """Hold a template to what it can be filled with.

    Raises:
        FieldError: it lacks `{content}`, has another field, or is no template at all.
    """
    try:
        parts = [(name, spec, how) for _, name, spec, how in Formatter().parse(template)]
    except ValueError:
        parts = []
    names = [name for name, _, _ in parts if name is not None]
    plain = not any(spec or how for _, spec, how in parts)
    if not plain or "content" not in names or not set(names) <= {"role", "content"}:
        raise FieldError(
            "not a template",
            field="data.message_template",
            found=repr(template),
            allowed="a text with {content} and, where who speaks matters, {role}; {{ for a brace",
        )


def _check_encoding(encoding: str) -> None:
    """Hold an encoding to those of text that Python knows.

    Raises:
        FieldError: it is another one.
    """
    try:
        "".encode(encoding)  # `rot13` and `base64`, which make no bytes of text, raise here
    except (LookupError, ValueError):
        raise FieldError(
            "unknown encoding",
            field="data.encoding",
            found=repr(encoding),
            allowed="one that Python knows, such as utf-8, utf-16, latin-1, cp1252 or shift_jis",
        ) from None


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """How text becomes token ids."""

    kind: Annotated[str, one_of("bpe", "char", "int", "gpt2")] = "bpe"
    """`bpe`: byte-level byte-pair encoding trained on the training part; `char`: one token a
    character; `int`: one token a whole number, for number sequences; `gpt2`: GPT-2's own
    50,257 tokens."""

    vocab_size: Count = 2048
    """Tokens of a trained `bpe`, `<|endoftext|>` and the 256 bytes included; other kinds take the
    size they need. A small text may not hold enough different pairs to reach it."""

    path: str | None = None
    """`bpe`: an existing `tokenizer.json` to use instead of training one. `gpt2`: a folder with
    GPT-2's vocabulary and merges; without it they come from the Hugging Face hub."""

    def __post_init__(self) -> None:
        _check_fields(self, "data.tokenizer.")
        is_trained = self.kind == "bpe" and self.path is None
        if is_trained and self.vocab_size < SMALLEST_BPE_VOCABULARY:
            raise FieldError(
                "too small",
                field="data.tokenizer.vocab_size",
                found=self.vocab_size,
                allowed=f"a whole number of at least {SMALLEST_BPE_VOCABULARY}",
            )


@dataclass(frozen=True, kw_only=True)
class NumbersConfig:
    """How `numbers:<family>` sources make their sequences."""

    num_sequences: AtLeastTwo = 4096
    """Sequences to draw; each is one document."""

    length: AtLeastTwo = 32
    """Numbers in a sequence; a geometric one ends sooner where it would pass `max_value`, and one
    of `recall` has a multiple of four."""

    max_value: AtLeastTwo = 255
    """Largest number written, but for powers of two: there are always `length` of those, and they
    soon pass it."""

    seed: int = 0
    """Which sequences are drawn."""

    def __post_init__(self) -> None:
        _check_fields(self, "data.numbers.")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Everything that decides which tokens a model is trained and judged on."""

    source: str | dict[str, float] = "stdlib"
    """`stdlib`, `stdlib:functions`, `pydocs`, `numbers:<family>`,
    `hf:<dataset>[:<configuration>[:<split>]]`, the path of a text, JSONL or Parquet file, of a
    folder of such files or of a `save_to_disk` folder; or a mixture: a weight for each of several
    sources."""

    validation_source: str | None = None
    """A source that is the validation part, for data that come with their own split. Without it
    the validation part is cut from `source`."""

    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    """How text becomes token ids."""

    block_size: Count = 64
    """Tokens in a training row; a text with fewer is refused."""

    validation_fraction: PartOfText = 0.1
    """Share of the text, in characters, that is set aside as whole documents."""

    split: Annotated[str, one_of("hash", "tail")] = "hash"
    """`hash`: documents chosen by a hash of their content and `seed`; `tail`: the last documents
    of each source."""

    mode: Annotated[str, one_of("contiguous", "packed", "padded")] = "contiguous"
    """`contiguous`: documents joined into one stream and cut anywhere; `packed`: as many whole
    documents in a row as fit; `padded`: one document a row. What is left of a row carries no
    loss."""

    document_unit: Annotated[str, one_of("auto", "line", "file")] = "auto"
    """What one document of a text file is. `auto`: in padded mode a line; otherwise what lies
    between `<|endoftext|>` marks, or an article with a ` = Title = ` heading, or a stretch of
    paragraphs. `line`: each line. `file`: the whole file."""

    context_tokens: CountFromZero = 0
    """Padded mode: this many first tokens of a document are given and carry no loss."""

    predict_end: bool = True
    """Packed and padded mode: whether the end of a document is predicted and scored."""

    text_field: str = "text"
    """Where the text is in a row of JSON, CSV, Parquet, `save_to_disk` and hub sources: a column,
    or a path into it such as `choices.0.turns`, where `*` is every entry of a list. Texts of a
    list are joined by line ends, and a conversation is written with `message_template`."""

    message_template: str = "{role}: {content}\n"
    """How a message of a conversation (an object with `role` and `content`, or `from` and `value`)
    is written; the messages follow each other."""

    include: tuple[str, ...] = ()
    """Which files of a folder are read, as patterns of names (`*.cpp`) or, with a `/`, of paths;
    none: `.txt`, `.text`, `.md`, `.rst`, `.py`, `.tokens`, `.raw`, `.jsonl`, `.ndjson`, `.parquet`
    and names without a suffix, and where there are none `.json`, `.csv`, `.tsv` and `.arrow`; each
    compressed by gzip, bzip2 or xz, too."""

    named_splits: bool = True
    """Whether files of a folder that are named as splits (`train-…`, `validation-…`, `test-…`) are
    what they are called: `validation`, or else `test`, is the validation part, and a further split
    is not read. Files that are not named so are trained on."""

    encoding: str = "utf-8"
    """Encoding of text, JSON and CSV files, by Python's name of it."""

    skip_unreadable: bool = False
    """Whether files of a folder that are damaged, or of another encoding, are left out; otherwise
    they end the command."""

    max_documents: AtLeastTwo | None = None
    """Most documents used of each source, from its start; None: all."""

    max_bytes: Count | None = None
    """Bytes of text after which the reading of each source stops; None: never, but a hub source
    without either limit stops at 64 MiB."""

    seed: int = 0
    """Which documents are validation."""

    numbers: NumbersConfig = field(default_factory=NumbersConfig)
    """Settings of `numbers:` sources."""

    def __post_init__(self) -> None:
        _check_fields(self, "data.")
        _check_template(self.message_template)
        _check_encoding(self.encoding)
        if self.context_tokens and self.mode != "padded":
            raise FieldError(
                "only documents that are rows of their own can have given tokens",
                field="data.context_tokens",
                found=f"{self.context_tokens} with mode {self.mode!r}",
                allowed="0, or mode 'padded'",
            )
        if not self.predict_end and self.mode == "contiguous":
            raise FieldError(
                "a contiguous stream scores every token",
                field="data.predict_end",
                found="false with mode 'contiguous'",
                allowed="true, or mode 'packed' or 'padded'",
            )
        if not self.source:
            raise FieldError("names no source", field="data.source", found=repr(self.source))
        for name, weight in self.source.items() if isinstance(self.source, dict) else ():
            if not 0 < weight < float("inf"):
                raise FieldError(
                    "not a weight",
                    field=f"data.source.{name}",
                    found=weight,
                    allowed="a finite number above 0",
                )

    @property
    def components(self) -> tuple[tuple[str, float], ...]:
        """Each source's name and its share of the training rows; the shares add up to 1.

        Sorted by name: the order in which a user wrote a mixture changes nothing.
        """
        if isinstance(self.source, str):
            return ((self.source, 1.0),)
        total = sum(self.source.values())
        return tuple((name, weight / total) for name, weight in sorted(self.source.items()))
