"""The data of a sweep, prepared or found prepared; pico's errors name the place in the spec."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from picosweep.pico.data.config import DataConfig, TokenizerConfig
from picosweep.pico.data.pairs import read_pairs, with_pairs
from picosweep.pico.data.preparation.prepare import check_long_enough, prepare
from picosweep.pico.data.prepared import Meta, PreparedData
from picosweep.pico.data.sources.source import short_name
from picosweep.pico.data.tokenizer_quality import check_prepared
from picosweep.pico.errors import FieldError
from picosweep.sweeps.errors import InputError, input_error, unreadable_prompt
from picosweep.sweeps.search.setup import CheckedSweep
from picosweep.sweeps.spec.document import Document, KeyPath, dotted, place_of, problem_of
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.folder import prepared_data_folder
from picosweep.sweeps.store.tables import PER_TOKEN

MOST_VOCABULARIES: Final = 16
"""Vocabularies that one sweep may search."""


@dataclass(frozen=True, kw_only=True)
class SweepData:
    """The prepared data of a sweep: one text, in as many vocabularies as its spaces ask for."""

    by_vocab_size: Mapping[int, PreparedData]
    """Prepared data by the size that was asked for, the spec's own first where it is used."""

    @property
    def own(self) -> PreparedData:
        """The data in the spec's own vocabulary, or in the first one that is used."""
        return next(iter(self.by_vocab_size.values()))

    @property
    def metas(self) -> dict[int, Meta]:
        """Description of each, by the vocabulary size that was asked for."""
        return {size: data.meta for size, data in self.by_vocab_size.items()}

    @cached_property
    def by_fingerprint(self) -> dict[str, PreparedData]:
        """Each that differs from the others, by the fingerprint in `trials`."""
        return {data.meta.fingerprint: data for data in self.by_vocab_size.values()}

    @property
    def fingerprint(self) -> str:
        """Fingerprint of all of it."""
        return "+".join(sorted(self.by_fingerprint))

    @property
    def reading(self) -> list[str]:
        """Say of each source which files were left out, or taken for the validation part."""
        files = self.own.meta.files.items()
        told = [one.told(short_name(name)) for name, one in files if one.left_out or one.validation]
        dropped = 0 if self.own.pairs is None else self.own.pairs.num_dropped
        if dropped:
            told.append(f"{dropped} of the pairs left out: a completion without tokens")
        return told

    def describe(self) -> dict[str, Any]:
        """Return the content of a sweep's `data.json`: the first data, and other tokenizers."""
        quality = [asdict(check_prepared(data)) for data in self.by_fingerprint.values()]
        described = asdict(self.own.meta) | {
            "reading": self.reading,
            "tokenizer_quality": quality[0],
        }
        return described | ({"other_tokenizers": quality[1:]} if quality[1:] else {})

    def tokenizers(self) -> dict[str | None, str]:
        """Return each tokenizer's content by its fingerprint; that of the first one is None.

        See `SweepFolder.tokenizer`.
        """
        first, *others = self.by_fingerprint.values()
        return {None: first.tokenizer_json} | {
            data.meta.tokenizer_fingerprint: data.tokenizer_json for data in others
        }


def prepare_all(
    sweep: CheckedSweep, results: Path, say: Callable[[str], None] = lambda _text: None
) -> SweepData:
    """Prepare the data for every vocabulary of a sweep, once for all sweeps of a results folder.

    Args:
        sweep: a sweep whose spaces may ask for vocabularies of their own.
        results: the results folder; prepared data lies in `.cache/data` there.
        say: called with a text for each stage of the preparation.

    Raises:
        InputError: the data cannot be read or used, or trials on it could not be compared.
    """
    spec, document, spaces = sweep.spec, sweep.document, sweep.spaces
    prepared = {}
    for size, key in _vocab_sizes(spec, document, spaces).items():
        config = replace(spec.data_config, tokenizer=_tokenizer_with(spec, size, document, key))
        prepared[size] = prepare_data(config, document, results, say)
    data = SweepData(by_vocab_size=_with_pairs(prepared, spec, document))
    _check_comparable(spec, document, data)
    _check_block_sizes(document, spaces, data)
    _check_prompts(spec, document, data)
    return data


def _with_pairs(
    prepared: Mapping[int, PreparedData], spec: Spec, document: Document
) -> Mapping[int, PreparedData]:
    """Return the data with the user's own pairs beside it, where the spec names a file of them."""
    path = spec.preference.get("pairs")
    if path is None:
        return prepared
    try:
        if not isinstance(path, str):
            allowed = "a JSONL or Parquet file"
            raise FieldError(field="preference.pairs", found=path, allowed=allowed)
        pairs = read_pairs(Path(path).expanduser())
        fraction = spec.data_config.validation_fraction
        return {size: with_pairs(data, pairs, fraction) for size, data in prepared.items()}
    except FieldError as error:
        raise InputError(problem_of(error, document, ("preference", "pairs"))) from error


def _check_prompts(spec: Spec, document: Document, data: SweepData) -> None:
    for number, prompt in enumerate(spec.samples.prompts):
        for prepared in data.by_fingerprint.values():
            try:
                prepared.tokenizer.encode(prompt)
            except ValueError as error:
                key: KeyPath = ("samples", "prompts", number)
                place = {"where": document.where(key), "key": dotted(key)}
                raise unreadable_prompt(prompt, error, **place) from error


def prepare_data(
    config: DataConfig,
    document: Document,
    results: Path,
    say: Callable[[str], None] = lambda _text: None,
) -> PreparedData:
    """Prepare the data of one configuration, or find it prepared.

    Raises:
        InputError: the data cannot be read or used.
    """
    try:
        return prepare(
            config,
            prepared_data_folder(results),
            progress=lambda stage, share: say(f"preparing the data: {stage} {share:.0%}"),
        )
    except FieldError as error:
        raise InputError(problem_of(error, document)) from error


def data_of_trial(
    row: Mapping[str, Any], spec: Spec, document: Document, results: Path
) -> PreparedData:
    """Open the data that a trial was trained on, prepared again where it is no longer cached.

    Args:
        row: the trial's row in `trials`.
        spec: spec of the trial's sweep.
        document: where the spec stands, for messages.
        results: the results folder.

    Raises:
        InputError: the data cannot be read, or is not what it was.
    """
    config = spec.data_config
    data = prepare_data(config, document, results)
    (data,) = _with_pairs({0: data}, spec, document).values()
    if data.meta.fingerprint != row["data_fingerprint"] and config.tokenizer.kind == "bpe":
        # One of several vocabularies that the sweep searched.
        tokenizer = replace(config.tokenizer, vocab_size=row["vocab_size"])
        data = prepare_data(replace(config, tokenizer=tokenizer), document, results)
        (data,) = _with_pairs({0: data}, spec, document).values()
    if data.meta.fingerprint != row["data_fingerprint"]:
        raise input_error(
            "the data is no longer what this trial was trained on",
            where=str(document.path.parent),
            found=data.meta.fingerprint,
            allowed=row["data_fingerprint"],
        )
    return data


def _vocab_sizes(spec: Spec, document: Document, spaces: Mapping[str, Space]) -> dict[int, KeyPath]:
    """Return every vocabulary size that a trial may have, with the place that asks for it."""
    own: KeyPath = ("data", "tokenizer", "vocab_size")
    asked: dict[int, KeyPath] = {}
    some_do_not_ask = False
    for name, space in spaces.items():
        parameter = space.find("vocab_size")
        if parameter is None:
            some_do_not_ask = True
            continue
        some_do_not_ask |= parameter.when is not None
        key = place_of("vocab_size", name, document)
        tokenizer = spec.data_config.tokenizer
        if tokenizer.kind != "bpe" or tokenizer.path is not None:
            raise input_error(
                "the size of this vocabulary is given by its tokenizer",
                where=document.where(key),
                key=dotted(key),
                found=f"data.tokenizer.kind {tokenizer.kind!r}",
                allowed="data.tokenizer.kind 'bpe' that is trained here, without a path",
            )
        sizes = parameter.whole_numbers()
        if len(sizes) > MOST_VOCABULARIES:
            raise input_error(
                "each vocabulary is a tokenizer to train and a copy of the data",
                where=document.where(key),
                key=dotted(key),
                found=f"{len(sizes):,} sizes",
                allowed=f"at most {MOST_VOCABULARIES}: a list of choices, or a range with a step",
            )
        asked |= dict.fromkeys(sizes, key)
    first = {spec.data_config.tokenizer.vocab_size: own} if some_do_not_ask else {}
    return first | {size: key for size, key in asked.items() if size not in first}


def _tokenizer_with(spec: Spec, size: int, document: Document, key: KeyPath) -> TokenizerConfig:
    try:
        return replace(spec.data_config.tokenizer, vocab_size=size)
    except FieldError as error:
        raise InputError(problem_of(error, document, key)) from error


def _check_comparable(spec: Spec, document: Document, data: SweepData) -> None:
    tokenizers = {meta.tokenizer_fingerprint for meta in data.metas.values()}
    for place, objective in enumerate(spec.objectives):
        if len(tokenizers) > 1 and objective.metric in PER_TOKEN:
            key: KeyPath = ("objectives", place, "metric")
            raise input_error(
                "under different tokenizers a loss per token compares nothing",
                where=document.where(key),
                key=dotted(key),
                found=f"{objective.metric}, with {len(tokenizers)} vocabularies in the search",
                allowed="bits_per_byte, which does compare",
            )


def _check_block_sizes(document: Document, spaces: Mapping[str, Space], data: SweepData) -> None:
    for name, space in spaces.items():
        parameter = space.find("block_size")
        sizes = [] if parameter is None else parameter.whole_numbers()
        # Of a range, however wide, the largest is the first that does not fit.
        for size in sizes[-1:] if isinstance(sizes, range) else sizes:
            for meta in data.metas.values():
                try:
                    check_long_enough(meta, size)
                except FieldError as error:
                    key = place_of("block_size", name, document)
                    raise InputError(problem_of(error, document, key)) from error
