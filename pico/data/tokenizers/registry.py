"""Tokenizers by kind: made from a configuration, or read back from `tokenizer.json`."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from picosweep.pico.data.config import TokenizerConfig
from picosweep.pico.data.tokenizers.byte_bpe import ByteBPE, train_bpe
from picosweep.pico.data.tokenizers.pretrained_bpe import gpt2_from_folder, gpt2_from_hub, read_bpe
from picosweep.pico.data.tokenizers.tokenizer import CharacterTokenizer, IntegerTokenizer, Tokenizer

Make = Callable[[TokenizerConfig, Iterable[str]], Tokenizer]


def _bpe(config: TokenizerConfig, texts: Iterable[str]) -> Tokenizer:
    if config.path is not None:
        return read_bpe(Path(config.path).expanduser())
    return train_bpe(texts, config.vocab_size)


def _gpt2(config: TokenizerConfig, _texts: Iterable[str]) -> Tokenizer:
    if config.path is None:
        return gpt2_from_hub()
    return gpt2_from_folder(Path(config.path).expanduser())


TOKENIZERS: dict[str, Make] = {
    "bpe": _bpe,
    "char": lambda _config, texts: CharacterTokenizer.train(texts),
    "int": lambda _config, texts: IntegerTokenizer.train(texts),
    "gpt2": _gpt2,
}


def make_tokenizer(config: TokenizerConfig, training_texts: Iterable[str]) -> Tokenizer:
    """Make the tokenizer a configuration asks for, trained on `training_texts` if it is trained.

    Raises:
        FieldError: its files are missing or unusable, or the texts do not suit it.
    """
    return TOKENIZERS[config.kind](config, training_texts)


def tokenizer_from_json(text: str) -> Tokenizer:
    """Read what `Tokenizer.to_json` wrote."""
    values = json.loads(text)
    for kind in (CharacterTokenizer, IntegerTokenizer):
        if values.get("kind") == kind.kind:
            return kind(values["vocabulary"])
    return ByteBPE(text)
