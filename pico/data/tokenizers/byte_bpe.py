"""Byte-level byte-pair encoding, and how to train one."""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer as Engine, decoders, models, pre_tokenizers, trainers

from picosweep.pico.data.sources.text_field import without_surrogates
from picosweep.pico.data.sources.text_files import END_OF_TEXT
from picosweep.pico.data.tokenizers.pretokens import encode_by_piece, thinned_pieces
from picosweep.pico.data.tokenizers.tokenizer import IntArray, Tokenizer

_PIECES_PER_CALL = 1024
_TRAINING_PIECES_PER_TOKEN = 64
"""Pieces per token to train on. On code, stories, articles and web pages this gives, at a
vocabulary of 2048, within 0.09 % of the characters per token of training on everything."""


class ByteBPE(Tokenizer):
    """Byte-level BPE; any text can be written with it and read back unchanged."""

    kind = "bpe"

    def __init__(self, engine_json: str) -> None:
        self._engine_json = engine_json

    @cached_property
    def _engine(self) -> Engine:
        engine = Engine.from_str(self._engine_json)
        # A document may hold the characters of a special token: they are text, not an end.
        engine.encode_special_tokens = True
        return engine

    def __getstate__(self) -> dict[str, str]:
        """Return only the text: the engine is rebuilt where it is used."""
        return {"_engine_json": self._engine_json}

    @property
    def vocab_size(self) -> int:
        """Number of merges, bytes and marks; a small training text yields fewer than asked for."""
        return int(self._engine.get_vocab_size())

    @cached_property
    def end_of_text_id(self) -> int:
        """The id of `<|endoftext|>`: 0 when trained here, 50256 for GPT-2."""
        index = self._engine.token_to_id(END_OF_TEXT)
        assert index is not None, "every way to make a tokenizer adds the mark"
        return index

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; marks such as `<|endoftext|>` in it are ordinary text."""
        return list(self._engine.encode(without_surrogates(text), add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of `ids`; bytes that are no UTF-8 become replacement characters."""
        return str(self._engine.decode(list(ids), skip_special_tokens=False))

    def encode_documents(self, texts: Sequence[str]) -> tuple[IntArray, IntArray]:
        """Return all ids one after another and the number of ids of each text, on all cores."""
        texts = [without_surrogates(text) for text in texts]
        if self._cuts_like_gpt2:
            return encode_by_piece(texts, self._encode_pieces)
        rows = self._engine.encode_batch_fast(texts, add_special_tokens=False)
        return _concatenate([row.ids for row in rows])

    def _encode_pieces(self, pieces: list[str]) -> tuple[IntArray, IntArray]:
        # Groups of pieces as "words" of one input: one input per piece costs five times as much.
        groups = [
            pieces[start : start + _PIECES_PER_CALL]
            for start in range(0, len(pieces), _PIECES_PER_CALL)
        ]
        # Not the `_fast` variant: it leaves out which word each id belongs to.
        rows = self._engine.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
        ids, _ = _concatenate([row.ids for row in rows])
        counts = [
            np.bincount(np.array(row.word_ids, dtype=np.int64), minlength=len(group))
            for row, group in zip(rows, groups, strict=True)
        ]
        return ids, np.concatenate(counts) if counts else np.zeros(0, dtype=np.int64)

    @cached_property
    def _cuts_like_gpt2(self) -> bool:
        settings = json.loads(self._engine_json)
        cutter = settings["pre_tokenizer"] or {}
        return (
            settings["normalizer"] is None
            and cutter.get("type") == "ByteLevel"
            and cutter.get("use_regex", True)
            and not cutter["add_prefix_space"]
        )

    def token_bytes(self) -> IntArray:
        """Return the bytes of each token, shape `[vocab_size]`; 0 for marks."""
        sizes = np.zeros(self.vocab_size, dtype=np.int64)
        for token, index in self._engine.get_vocab(with_added_tokens=True).items():
            sizes[index] = len(token)  # byte-level: one printable character per byte
        sizes[list(self._engine.get_added_tokens_decoder())] = 0
        return sizes

    def to_json(self) -> str:
        """Return the file format of the `tokenizers` library, which other tools read too."""
        return self._engine_json


def _concatenate(rows: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray]:
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    flat = (token for row in rows for token in row)
    return np.fromiter(flat, dtype=np.int64, count=int(lengths.sum())), lengths


def new_engine(model: models.BPE) -> Engine:
    """Return an engine that cuts and writes text as GPT-2's does."""
    engine = Engine(model)
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.decoder = decoders.ByteLevel()
    return engine


def train_bpe(texts: Iterable[str], vocab_size: int) -> ByteBPE:
    """Learn merges from `texts` until there are `vocab_size` tokens or no pair is left.

    Long texts are thinned out to 64 pieces per token, the same ones each time: see
    `pico.data.tokenizers.pretokens.thinned_pieces`.
    """
    at_most = vocab_size * _TRAINING_PIECES_PER_TOKEN
    sample = thinned_pieces(map(without_surrogates, texts), at_most=at_most)
    engine = new_engine(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    engine.train_from_iterator(sample, trainer)
    return ByteBPE(engine.to_str())
