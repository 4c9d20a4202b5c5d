"""From a data configuration to tokens on disk, once.

Reading, splitting, training the tokenizer on the training part alone, and encoding: each pass
holds a bounded amount of text, so a source may be larger than memory.
"""

import hashlib
import json
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path

import numpy as np
import tokenizers

from picosweep.pico.data.config import DataConfig
from picosweep.pico.data.preparation.corpus import Corpus
from picosweep.pico.data.preparation.split import (
    TRAIN,
    VALIDATION,
    Scan,
    Sides,
    split_by_hash,
    split_by_source,
    split_rest,
    split_tail,
)
from picosweep.pico.data.preparation.token_file import TokenFile
from picosweep.pico.data.prepared import Meta, Part, PreparedData
from picosweep.pico.data.sources.registry import open_source
from picosweep.pico.data.sources.source import Source
from picosweep.pico.data.tokenizers.registry import make_tokenizer
from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.errors import FieldError

DATA_VERSION = 1
"""To be raised whenever the same configuration gives other tokens or other training rows."""

Progress = Callable[[str, float], None]

_TOKENIZER_CHARACTERS = 1 << 26
"""A tokenizer is trained on at most about this much text, taken evenly from all documents."""


def prepare(
    config: DataConfig, cache_dir: Path, *, progress: Progress | None = None
) -> PreparedData:
    """Prepare the data of `config`, or open what an earlier call prepared.

    Nothing half-written is ever found in `cache_dir`: a folder appears there whole. Two processes
    may prepare the same data at once; one result is kept.

    Args:
        config: sources, tokenizer, split and rows to prepare.
        cache_dir: folder for prepared data; made when it is missing.
        progress: called with the name of the current stage and the share of all work that is
            done; None: nobody is informed.

    Raises:
        FieldError: the data cannot be read or used; the message names the setting to change.
    """
    report = progress or (lambda _stage, _fraction: None)
    sources = [open_source(name, config, cache_dir / "downloads") for name in _names(config)]
    folder = cache_dir / _cache_key(config, sources)
    prepared = _open_whole(folder)
    if prepared is None:
        _make_folder(cache_dir)
        unfinished = cache_dir / f".{folder.name}-{uuid.uuid4().hex}"
        unfinished.mkdir()
        try:
            _build(config, sources, unfinished, report)
            _put_in_place(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        prepared = PreparedData.open(folder)
    check_long_enough(prepared.meta, config.block_size)
    report("ready", 1.0)
    return prepared


def _names(config: DataConfig) -> list[str]:
    """Return the names of all sources, that of the validation part last."""
    names = [name for name, _ in config.components]
    return names if config.validation_source is None else [*names, config.validation_source]


def _cache_key(config: DataConfig, sources: list[Source]) -> str:
    settings = asdict(config)
    del settings["block_size"]  # rows are cut out of the same tokens later
    what = {
        "version": DATA_VERSION,
        "config": settings,
        "sources": [source.signature for source in sources],
        "tokenizers": tokenizers.__version__,
        "byteorder": sys.byteorder,
    }
    text = json.dumps(what, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _open_whole(folder: Path) -> PreparedData | None:
    try:
        return PreparedData.open(folder)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # absent, damaged, or of another version: to be made again


def _make_folder(cache_dir: Path) -> None:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FieldError(
            "prepared data cannot be written",
            field="results",
            found=f"{cache_dir}: {error.strerror}",
        ) from None


def _put_in_place(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.rename(folder)
    except OSError:
        # Either another process was faster, and its result is as good, or damaged files lie there.
        if _open_whole(folder) is None:
            shutil.rmtree(folder)
            unfinished.rename(folder)


def _build(config: DataConfig, sources: list[Source], folder: Path, report: Progress) -> None:
    report("reading", 0.0)
    limits = {"max_documents": config.max_documents, "max_bytes": config.max_bytes}
    corpora = [Corpus(source.documents, source.description, **limits) for source in sources]
    own = [
        None
        if source.validation is None
        else Corpus(source.validation, source.description, **limits)
        for source in sources
    ]
    scans = [corpus.scan(config.seed) for corpus in corpora]
    own_scans = [None if corpus is None else corpus.scan(config.seed) for corpus in own]
    sides = _split(config, scans, own_scans)

    report("training the tokenizer", 0.2)
    num_characters = sum(int(scan.sizes.sum()) for scan in scans)
    texts = _training_texts(corpora, sides, one_in=-(-num_characters // _TOKENIZER_CHARACTERS))
    tokenizer = make_tokenizer(config.tokenizer, texts)

    report("encoding", 0.5)
    with (
        TokenFile(folder, "train", tokenizer) as train,
        TokenFile(folder, "validation", tokenizer) as validation,
    ):
        parts = _encode(config, corpora, own, sides, train, validation)
    meta = _meta(config, sources, tokenizer, train, validation, *parts)
    (folder / "tokenizer.json").write_text(tokenizer.to_json(), encoding="utf-8")
    (folder / "meta.json").write_text(meta.to_json(), encoding="utf-8")


def _split(config: DataConfig, scans: list[Scan], own_scans: list[Scan | None]) -> list[Sides]:
    """Return the side of every document; a validation source comes last, all of it on one side."""
    if config.validation_source is not None:
        own = np.full(len(scans[-1].hashes), VALIDATION, dtype=np.int8)
        return [*split_by_source(scans[:-1], scans[-1]), own]
    split = split_by_hash if config.split == "hash" else split_tail
    if any(scan is not None for scan in own_scans):
        return split_rest(scans, own_scans, config.validation_fraction, split)
    return split(scans, config.validation_fraction)


def _training_texts(corpora: list[Corpus], sides: list[Sides], *, one_in: int) -> Iterator[str]:
    for corpus, side in zip(corpora, sides, strict=True):
        texts = (text for text, where in zip(corpus, side.tolist(), strict=True) if where == TRAIN)
        yield from islice(texts, 0, None, one_in)


def _encode(
    config: DataConfig,
    corpora: list[Corpus],
    own: list[Corpus | None],
    sides: list[Sides],
    train: TokenFile,
    validation: TokenFile,
) -> tuple[list[Part], list[Part]]:
    names = list(config.components)
    own_split = config.validation_source is not None
    if config.validation_source is not None:
        names.append((config.validation_source, 1.0))
    train_parts: list[Part] = []
    validation_parts: list[Part] = []
    for corpus, given, side, (name, weight) in zip(corpora, own, sides, names, strict=True):
        for text, where in zip(corpus, side.tolist(), strict=True):
            if where == TRAIN:
                train.add(text)
            elif where == VALIDATION:
                validation.add(text)
        for text in given or ():
            validation.add(text)
        is_for_training = len(train_parts) < len(config.components)
        if is_for_training:
            train_parts.append(train.end_part(name, weight))
        if not (is_for_training and own_split):
            validation_parts.append(validation.end_part(name, weight))
    return train_parts, validation_parts


def check_long_enough(meta: Meta, block_size: int) -> None:
    """Refuse rows of more tokens than a source has for training.

    Raises:
        FieldError: a source is shorter than one row.
    """
    least = block_size + 1 if meta.mode == "contiguous" else 2
    for part in meta.train_parts:
        if part.num_tokens < least:
            raise FieldError(
                f"too short for one block of {block_size} tokens",
                field="data.source",
                found=f"{part.num_tokens} training tokens in {part.name!r}",
                allowed=f"at least {least} tokens, or a smaller data.block_size",
            )


def _meta(
    config: DataConfig,
    sources: list[Source],
    tokenizer: Tokenizer,
    train: TokenFile,
    validation: TokenFile,
    train_parts: list[Part],
    validation_parts: list[Part],
) -> Meta:
    sees = {
        "version": DATA_VERSION,
        "tokenizer": tokenizer.fingerprint,
        "mode": config.mode,
        "context_tokens": config.context_tokens,
        "predict_end": config.predict_end,
        "train": [train.digest(), *map(_place, train_parts)],
        "validation": [validation.digest(), *map(_place, validation_parts)],
    }
    fingerprint = hashlib.blake2b(json.dumps(sees).encode(), digest_size=16).hexdigest()
    num_documents = sum(part.num_documents for part in chain(train_parts, validation_parts))
    num_marks = train.num_starts + validation.num_starts
    num_text_tokens = train.num_tokens + validation.num_tokens - num_marks
    num_characters = train.num_characters + validation.num_characters
    return Meta(
        version=DATA_VERSION,
        fingerprint=fingerprint,
        tokenizer_fingerprint=tokenizer.fingerprint,
        tokenizer_kind=config.tokenizer.kind,
        vocab_size=tokenizer.vocab_size,
        end_of_text_id=tokenizer.end_of_text_id,
        mode=config.mode,
        context_tokens=config.context_tokens,
        predict_end=config.predict_end,
        train_tokens=train.num_tokens,
        validation_tokens=validation.num_tokens,
        num_documents=num_documents,
        num_validation_documents=sum(part.num_documents for part in validation_parts),
        num_characters=num_characters,
        num_bytes=train.num_bytes + validation.num_bytes,
        characters_per_token=num_characters / max(1, num_text_tokens),
        source="; ".join(source.description for source in sources),
        train_parts=tuple(train_parts),
        validation_parts=tuple(validation_parts),
        files={
            name: source.files()
            for name, source in zip(_names(config), sources, strict=True)
            if source.files is not None
        },
    )


def _place(part: Part) -> list[float | int]:
    """Return what of a part changes training: share and tokens, never the name of its source."""
    return [part.weight, part.first_token, part.end_token, part.first_start, part.end_start]
