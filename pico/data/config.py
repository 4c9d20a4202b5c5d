"""What a user may set about data: one frozen dataclass each for tokenizer, numbers and the whole.

Every default lives here and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from picosweep.pico.errors import FieldError, nearest

TOKENIZER_KINDS = ("bpe", "char", "int", "gpt2")
MODES = ("contiguous", "packed", "padded")
SPLITS = ("hash", "tail")
DOCUMENT_UNITS = ("auto", "line", "file")

HUB_MAX_BYTES = 1 << 26
"""Text to take from a hub source when neither `max_documents` nor `max_bytes` is set."""

SMALLEST_BPE_VOCABULARY = 257
"""256 bytes, so that any text can be written, and `<|endoftext|>`."""


def _check_choice(key: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise FieldError(
            f"unknown {key.rsplit('.', maxsplit=1)[-1]}",
            field=key,
            found=repr(value),
            allowed=", ".join(allowed),
            near=nearest(value, allowed),
        )


def _check_at_least(key: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise FieldError("too small", field=key, found=value, allowed=f"at least {least}")


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """How text becomes token ids."""

    kind: str = "bpe"
    """`bpe`: byte-level byte-pair encoding trained on the training part; `char`: one token a
    character; `int`: one token a whole number, for number sequences; `gpt2`: GPT-2's own
    50,257 tokens."""

    vocab_size: int = 2048
    """Tokens of a trained `bpe`, `<|endoftext|>` and the 256 bytes included; other kinds take the
    size they need. A small text may not hold enough different pairs to reach it."""

    path: str | None = None
    """`bpe`: an existing `tokenizer.json` to use instead of training one. `gpt2`: a folder with
    GPT-2's vocabulary and merges; without it they come from the Hugging Face hub."""

    def __post_init__(self) -> None:
        _check_choice("data.tokenizer.kind", self.kind, TOKENIZER_KINDS)
        _check_at_least(
            "data.tokenizer.vocab_size",
            self.vocab_size,
            SMALLEST_BPE_VOCABULARY if self.kind == "bpe" and self.path is None else 1,
        )


@dataclass(frozen=True, kw_only=True)
class NumbersConfig:
    """How `numbers:<family>` sources make their sequences."""

    num_sequences: int = 4096
    """Sequences to draw; each is one document."""

    length: int = 32
    """Numbers in a sequence; a geometric one ends sooner where it would pass `max_value`."""

    max_value: int = 255
    """Largest number written, but for powers of two: there are always `length` of those, and they
    soon pass it."""

    seed: int = 0
    """Which sequences are drawn."""

    def __post_init__(self) -> None:
        _check_at_least("data.numbers.num_sequences", self.num_sequences, 2)
        _check_at_least("data.numbers.length", self.length, 2)
        _check_at_least("data.numbers.max_value", self.max_value, 2)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Everything that decides which tokens a model is trained and judged on."""

    source: str | dict[str, float] = "stdlib"
    """`stdlib`, `pydocs`, `numbers:<family>`, `hf:<dataset>[:<configuration>[:<split>]]`, the path
    of a text, JSONL or Parquet file, of a folder of such files or of a `save_to_disk` folder; or
    a mixture: a weight for each of several sources."""

    validation_source: str | None = None
    """A source that is the validation part, for data that come with their own split. Without it
    the validation part is cut from `source`."""

    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    """How text becomes token ids."""

    block_size: int = 64
    """Tokens in a training row; a text with fewer is refused."""

    validation_fraction: float = 0.1
    """Share of the text, in characters, that is set aside as whole documents."""

    split: str = "hash"
    """`hash`: documents chosen by a hash of their content and `seed`; `tail`: the last documents
    of each source."""

    mode: str = "contiguous"
    """`contiguous`: documents joined into one stream and cut anywhere; `packed`: as many whole
    documents in a row as fit; `padded`: one document a row. What is left of a row carries no
    loss."""

    document_unit: str = "auto"
    """What one document of a text file is. `auto`: in padded mode a line; otherwise what lies
    between `<|endoftext|>` marks, or an article with a ` = Title = ` heading, or a stretch of
    paragraphs. `line`: each line. `file`: the whole file."""

    context_tokens: int = 0
    """Padded mode: this many first tokens of a document are given and carry no loss."""

    predict_end: bool = True
    """Packed and padded mode: whether the end of a document is predicted and scored."""

    text_field: str = "text"
    """Column with the text, in JSONL, Parquet, `save_to_disk` and hub sources."""

    max_documents: int | None = None
    """Most documents used of each source, from its start; None: all."""

    max_bytes: int | None = None
    """Bytes of text after which the reading of each source stops; None: never, but a hub source
    without either limit stops at 64 MiB."""

    seed: int = 0
    """Which documents are validation."""

    numbers: NumbersConfig = field(default_factory=NumbersConfig)
    """Settings of `numbers:` sources."""

    def __post_init__(self) -> None:
        _check_choice("data.mode", self.mode, MODES)
        _check_choice("data.split", self.split, SPLITS)
        _check_choice("data.document_unit", self.document_unit, DOCUMENT_UNITS)
        _check_at_least("data.block_size", self.block_size, 1)
        _check_at_least("data.context_tokens", self.context_tokens, 0)
        _check_at_least("data.max_documents", self.max_documents, 2)
        _check_at_least("data.max_bytes", self.max_bytes, 1)
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
        if not 0 < self.validation_fraction < 1:
            raise FieldError(
                "not a share of the text",
                field="data.validation_fraction",
                found=self.validation_fraction,
                allowed="above 0 and below 1",
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
