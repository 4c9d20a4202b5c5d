"""A first spec for somebody's data and machine: `picosweep init`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from picosweep.start.look import Look, look_at
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import prepared_data_folder
from picosweep.sweeps.workers.machine import usable_cpus

TOKENS_PER_SECOND: Final = 40_000
"""Of one slot, with models of some hundred thousand parameters on one core. The demo took 21.5 M
tokens in 233 s on two cores of a cloud machine, start, evaluation and report in it: 46,000."""
TRIALS: Final = 8
FACTOR: Final = 3
RUNGS: Final = 3
SEEDS: Final = 3
BATCH_SIZES: Final = (8, 16)
ARCHITECTURES: Final = ("kgram", "lstm", "transformer")
SMALL_TEXT: Final = 300_000
"""Bytes below which a text has too few words for byte pairs to be worth it."""
SIZES: Final = ((5_000_000, 1024), (50_000_000, 2048))
"""Sizes of text, and of the vocabularies that they get; larger ones get the last of `look`."""
MANY_PASSES: Final = 20
BLOCKS_TO_VALIDATE: Final = 8
GPU_LINE: Final = (
    "# resources: {cpu: 1, gpu: 0.25}   # four trials on the graphics card that is here\n"
)
LEAST_BLOCK: Final = 8


@dataclass(frozen=True, kw_only=True)
class FirstSpec:
    """A spec that was written, and why it is as it is."""

    path: Path
    look: Look
    tokenizer: str
    """`char`, `int` or `bpe` and the size of its vocabulary."""
    block_size: int
    slots: int
    first_rung: int
    """Tokens that every trial is trained on."""
    minutes: float

    @property
    def tokens(self) -> int:
        """Tokens of the whole text in that tokenizer."""
        return self.look.tokens[self.tokenizer]

    @property
    def longest(self) -> int:
        """Tokens of the longest trial."""
        longest: int = self.first_rung * FACTOR ** (RUNGS - 1)
        return longest

    @property
    def total(self) -> int:
        """Tokens of the whole sweep, about."""
        return round(self.first_rung * _rungs_in_all())

    @property
    def passes(self) -> float:
        """How often the longest trial reads the training part."""
        return self.longest / max(1, 0.9 * self.tokens)

    def remarks(self) -> list[str]:
        """Return what the user should know of the data, in sentences."""
        found = self.look
        said = []
        if found.files is not None and (found.files.left_out or found.files.validation):
            said.append(found.files.told(found.source))
        more = "" if found.is_whole else " and more, which was not looked at"
        said.append(
            f"{_documents(found)}, {found.characters:,} characters{more}; tokens: "
            + _alternatives(found)
        )
        if found.documents == 1:
            said.append(
                "One document cannot be split into a training and a validation part: another "
                "text, or `validation_source`, is needed."
            )
        if self.passes > MANY_PASSES and found.is_whole:
            said.append(
                f"The longest trials read it {self.passes:,.0f} times: they will learn it by "
                "heart. More text, or a smaller `budget.min`, says more."
            )
        return said


def init(
    source: str = "stdlib",
    *,
    output: str | Path | None = None,
    text_field: str = "text",
    minutes: float = 10,
    overwrite: bool = False,
    results: str | Path = "results",
) -> FirstSpec:
    """Look at data and at this machine, and write a spec that fits both.

    Args:
        source: what `data.source` of a spec can be: a file, a folder, `hf:…`, `stdlib`.
        output: file for the spec; None: named after the source, in the current folder.
        text_field: where the text is in a record of JSON, CSV or Parquet.
        minutes: how long the sweep may take here, about.
        overwrite: whether a spec that is there already may be replaced.
        results: folder in which sweeps land, and in whose cache a download is kept.

    Raises:
        InputError: the data cannot be read, or the spec cannot be written.
    """
    name = _name_of(source)
    path = Path(f"{name}.yaml") if output is None else Path(output)
    if path.exists() and not overwrite:
        hint = "give another one with --output, or replace it with --overwrite"
        raise input_error("this file is there already", where=str(path), hint=hint)
    found = look_at(
        source, text_field=text_field, downloads=prepared_data_folder(Path(results)) / "downloads"
    )
    slots = usable_cpus()
    tokenizer = _tokenizer(found)
    block = _block_size(found, tokenizer)
    first = FirstSpec(
        path=path,
        look=found,
        tokenizer=tokenizer,
        block_size=block,
        slots=slots,
        first_rung=_first_rung(minutes, slots, block),
        minutes=minutes,
    )
    text = spec_text(first, name=name, text_field=text_field)
    try:
        replace_file(path, text.encode())
    except OSError as error:
        message = "the spec cannot be written"
        raise input_error(message, where=str(path), found=error.strerror or "") from error
    return first


def _name_of(source: str) -> str:
    """Return a name for the sweep and the file, made of the source's last part."""
    is_file = Path(source).exists()
    last = Path(source).resolve().name if is_file else re.split(r"[/:]", source.rstrip("/:"))[-1]
    stem = last.partition(".")[0] or "sweep"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:60]
    return name or "sweep"


def _rungs_in_all() -> float:
    """Return how many first rungs' tokens a sweep trains, early stopping as it is expected."""
    searched, reaching, before = 0.0, 1.0, 0
    for rung in range(RUNGS):
        searched += reaching * (FACTOR**rung - before)
        reaching, before = reaching / FACTOR, FACTOR**rung
    return len(ARCHITECTURES) * (TRIALS * searched + SEEDS * float(FACTOR) ** (RUNGS - 1))


def _first_rung(minutes: float, slots: int, block_size: int) -> int:
    """Return the tokens of the first rung: whole steps in every batch size."""
    tokens = minutes * 60 * slots * TOKENS_PER_SECOND / _rungs_in_all()
    step = max(BATCH_SIZES) * block_size
    return step * max(1, round(tokens / step))


def _tokenizer(found: Look) -> str:
    if found.is_numbers:
        return "int"
    if found.num_bytes < SMALL_TEXT or found.is_lines:
        return "char"
    size = next((size for most, size in SIZES if found.num_bytes < most), None)
    return f"bpe {size}" if size else list(found.tokens)[-1]


def spec_text(first: FirstSpec, *, name: str, text_field: str) -> str:
    """Return the spec with its comments."""
    found = first.look
    kind, _, size = first.tokenizer.partition(" ")
    tokenizer = f"{{kind: {kind}, vocab_size: {size}}}" if size else f"{{kind: {kind}}}"
    budget = first.first_rung
    more = "" if found.is_whole else ", or more: no more was looked at"
    own_field = "" if text_field == "text" else f"  text_field: {_quoted(text_field)}\n"
    mode = ""
    if kind == "int" or found.is_lines:
        mode = "  mode: padded                    # one document a row\n"
    if found.is_lines:
        mode += "  document_unit: line             # a document is a line\n"
    limit = "" if found.is_whole else "  max_bytes: 500_000_000          # of text; null: all\n"
    validation = "by its files' names" if found.has_validation else "a tenth of it, by documents"
    passes = f"{first.passes:.1f}" if first.passes < 10 else f"{first.passes:.0f}"
    cards = GPU_LINE if sorted(Path("/dev").glob("nvidia[0-9]*")) else ""
    prompts = "" if kind == "int" or not found.opening else _samples(found.opening)
    return f"""\
# {found.description}: {_documents(found)}, {found.characters:,} characters{more}.
# Written by `picosweep init`. What a key means: picosweep explain data
#   picosweep run {first.path} --dry-run      what it would do, and how long that takes here
#   picosweep run {first.path}                does it; the same command resumes it
name: {_quoted(name)}

data:
  source: {_quoted(found.source)}
{own_field}{limit}  # Tokens in each tokenizer: {_alternatives(found)}.
  tokenizer: {tokenizer}
  block_size: {first.block_size}                  # tokens that a model sees at once
{mode}  # The validation part is {validation}.

# Each trial trains to {budget:,} tokens, the better third to {budget * FACTOR:,}, and the better
# third of these to {first.longest:,}: {passes} passes over the training text.
# In all some {first.total:,} tokens, about {first.minutes:g} minutes in {first.slots} slots
# at {TOKENS_PER_SECOND:,} tokens a second each: a guess, which --dry-run replaces by measuring.
budget: {{unit: tokens, min: {budget:_}, factor: {FACTOR}, rungs: {RUNGS}}}
early_stopping: {{scheduler: asha}}
search: {{sampler: tpe, trials_per_architecture: {TRIALS}}}
confirm: {{top: 1, seeds: {SEEDS}}}      # the best of each again, to tell merit from luck
{cards}{prompts}
common:                            # what every architecture has
  learning_rate: {{log_uniform: [1e-3, 2e-2]}}
  batch_size: {list(BATCH_SIZES)}
  embed_size: [32, 64, 128]

architectures:                     # what else each has: picosweep explain transformer
  kgram:
    context_size: [2, 4, 8]
    hidden_size: [64, 128, 256]
  lstm:
    hidden_size: [64, 128, 256]
    num_layers: [1, 2]
  transformer:
    num_layers: [1, 2, 3]
    num_heads: [2, 4]
"""


def _block_size(found: Look, tokenizer: str) -> int:
    """Return the tokens of a block: many times as many are to be in the validation part."""
    if tokenizer == "int":
        return found.longest
    if found.is_lines:
        return found.longest + 1  # the end of a line is foretold, too
    usual = 128 if tokenizer == "char" else 64
    room = found.tokens[tokenizer] // (10 * BLOCKS_TO_VALIDATE)
    return max(LEAST_BLOCK, min(usual, 1 << (room.bit_length() - 1) if room else 0))


def _documents(found: Look) -> str:
    return "1 document" if found.documents == 1 else f"{found.documents:,} documents"


def _alternatives(found: Look) -> str:
    """Return how many tokens the text has in each tokenizer, in a line."""
    return ", ".join(f"{count:,} {name}" for name, count in found.tokens.items())


def _samples(opening: str) -> str:
    prompt = _quoted(opening)
    return f"samples: {{prompts: [{prompt}], num_tokens: 60}}   # what the best ones write\n"


def _quoted(text: str) -> str:
    """Return a text as YAML has it in quotes."""
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10_000).strip()
