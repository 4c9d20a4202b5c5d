"""Byte-level BPE that someone else trained: a `tokenizer.json`, or GPT-2's own."""

import json
from pathlib import Path

from tokenizers import Tokenizer as Engine, models

from picosweep.pico.data.sources.hub_access import in_one_line, why_unreachable
from picosweep.pico.data.sources.text_files import END_OF_TEXT
from picosweep.pico.data.tokenizers.byte_bpe import ByteBPE, new_engine
from picosweep.pico.errors import FieldError

_GPT2 = "openai-community/gpt2"


def read_bpe(path: Path) -> ByteBPE:
    """Read a `tokenizer.json` with a byte-level BPE.

    Raises:
        FieldError: there is no such file, or it holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        settings = json.loads(text)
        is_byte_level = (
            settings["model"]["type"] == "BPE" and settings["decoder"]["type"] == "ByteLevel"
        )
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from None
    except (ValueError, KeyError, TypeError):
        is_byte_level = False
    if not is_byte_level:
        raise _unusable(path, "something else than a byte-level BPE")
    try:
        engine = Engine.from_str(text)
    except Exception as error:  # noqa: BLE001 - the engine raises bare Exception
        raise _unusable(path, f"a file that the library cannot load ({error})") from None
    return _whole(engine, path)


def _whole(engine: Engine, path: Path) -> ByteBPE:
    """Return a tokenizer that encodes every text whole and always in the same way.

    Public files often carry along what they were used with: truncation, padding, dropout.

    Raises:
        FieldError: its ids are not those from 0 to its size, mark included: a model's layers
            would have rows for tokens that there are not.
    """
    engine.no_truncation()
    engine.no_padding()
    engine.model.dropout = None
    ids = set(engine.get_vocab(with_added_tokens=True).values())
    if ids != set(range(len(ids))):
        first = next(index for index in range(len(ids)) if index not in ids)
        raise _unusable(path, f"ids that are not 0 to {len(ids) - 1}: {first} is missing")
    engine.add_special_tokens([END_OF_TEXT])
    return ByteBPE(engine.to_str())


def _unusable(path: Path, found: str) -> FieldError:
    return FieldError(
        "not a usable tokenizer",
        field="data.tokenizer.path",
        found=f"{found}: {path}",
        allowed="a tokenizer.json of the `tokenizers` library with a byte-level BPE",
    )


def gpt2_from_folder(folder: Path) -> ByteBPE:
    """Read GPT-2's tokenizer from its vocabulary (`*vocab.json`, `encoder.json`) and its merges.

    Raises:
        FieldError: the folder lacks one of the two files, or they do not fit each other.
    """
    vocabulary = _first(folder, "*vocab.json", "encoder.json")
    merges = _first(folder, "*merges.txt", "vocab.bpe")
    try:
        model = models.BPE.from_file(str(vocabulary), str(merges))
    except Exception as error:  # noqa: BLE001 - the engine raises bare Exception
        raise _unusable(folder, str(error)) from None
    return _whole(new_engine(model), folder)


def _first(folder: Path, *patterns: str) -> Path:
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    if not found:
        raise FieldError(
            "GPT-2's tokenizer needs its vocabulary and its merges",
            field="data.tokenizer.path",
            found=f"no {' or '.join(patterns)} in {folder}",
        )
    return found[0]


def gpt2_from_hub() -> ByteBPE:
    """Read GPT-2's tokenizer from the local cache of the Hugging Face hub, or from the hub.

    Raises:
        FieldError: it is not in the cache and the hub cannot be reached.
    """
    # The hub's client comes with `tokenizers` and is slow to import.
    from huggingface_hub import hf_hub_download, try_to_load_from_cache  # noqa: PLC0415

    cached = try_to_load_from_cache(_GPT2, "tokenizer.json")
    if isinstance(cached, str):
        return read_bpe(Path(cached))
    reason = why_unreachable()
    if reason is None:
        try:
            return read_bpe(Path(hf_hub_download(_GPT2, "tokenizer.json")))
        except OSError as error:
            reason = in_one_line(error)
    raise FieldError(
        "GPT-2's tokenizer cannot be had from the Hugging Face hub",
        field="data.tokenizer.path",
        found=reason,
        allowed="a network, or the folder of GPT-2's vocab.json and merges.txt",
    )
