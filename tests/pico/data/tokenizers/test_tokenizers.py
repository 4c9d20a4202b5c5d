import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from tokenizers import Tokenizer as Engine, pre_tokenizers

from picosweep.pico.data.config import TokenizerConfig
from picosweep.pico.data.tokenizers.byte_bpe import train_bpe
from picosweep.pico.data.tokenizers.pretokens import split_pieces, thinned_pieces
from picosweep.pico.data.tokenizers.registry import make_tokenizer, tokenizer_from_json
from picosweep.pico.data.tokenizers.tokenizer import CharacterTokenizer, IntegerTokenizer
from picosweep.pico.errors import FieldError
from tests.pico.data.stories import STORIES

# Every kind of neighbour the pre-tokenizer's pattern knows, and white space Python and Unicode
# disagree about.
HARD = st.text(
    st.sampled_from("aZ é\u0301ß東9٣²½_'\"-(.\u00a0\u2003\u2028\x1c\x85\u200b\t\n\r\f\v🙂 'sltrev"),
    max_size=40,
)


@given(text=st.one_of(HARD, st.text(max_size=40)))
@example("we'll 've can't 's '")
@example("<|endoftext|> is text here")
def test_bpe_gives_any_text_back(small_bpe, text):
    """Byte-level BPE writes any text and reads it back unchanged."""
    assert small_bpe.decode(small_bpe.encode(text)) == text


@given(texts=st.lists(st.one_of(HARD, st.text(max_size=40)), min_size=1, max_size=4))
@example(["foo\x1c bar", "a\u00a0 b", "  x", "'s", "a's'b"])
def test_encoding_by_piece_is_encoding_whole(small_bpe, texts):
    """Encoding each piece once and gathering gives the very ids of the whole text."""
    engine = Engine.from_str(small_bpe.to_json())
    engine.encode_special_tokens = True
    rows = [engine.encode(text, add_special_tokens=False).ids for text in texts]
    ids, lengths = small_bpe.encode_documents(texts)
    assert lengths.tolist() == [len(row) for row in rows]
    assert ids.tolist() == [token for row in rows for token in row]


@settings(max_examples=400)
@given(text=st.one_of(HARD, st.text(max_size=40)))
@example("don't ('s) a's'b x'll'")
@example("café(éa) a1(2b) _a-_")
@example("foo\x1c bar \x1c\u00a0 \u00a0a\x1c  b \x1c")
def test_pieces_end_where_words_do(text):
    """No piece ends inside a word of the pre-tokenizer, and joined the pieces are the text."""
    cutter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces = split_pieces(text)
    assert "".join(pieces) == text
    words = [word for piece in pieces for word, _ in cutter.pre_tokenize_str(piece)]
    assert words == [word for word, _ in cutter.pre_tokenize_str(text)]


def test_marks_in_a_text_are_text(small_bpe):
    """A document that quotes `<|endoftext|>` does not end there."""
    text = "a <|endoftext|> b"
    ids, _ = small_bpe.encode_documents([text])
    assert ids.tolist() == small_bpe.encode(text)
    assert small_bpe.end_of_text_id not in ids


def test_code_is_cut_finely():
    """Names and marks of a program are pieces of their own: few differ, so encoding is fast."""
    assert split_pieces("  return self.foo(bar)\n") == [
        "  return",
        " self",
        ".",
        "foo",
        "(",
        "bar",
        ")",
        "\n",
    ]


def test_a_thinned_sample_keeps_shares():
    """A frequent piece keeps its share to within one, and the sample is as large as asked for."""
    sample = thinned_pieces([" a" * 900 + " b" * 90 + " c" * 10], at_most=100)
    assert [sample.count(piece) for piece in (" a", " b", " c")] == [90, 9, 1]


def test_thinning_hardly_costs_compression(monkeypatch):
    """Trained on a tenth of the pieces, the vocabulary is nearly as good as trained on all."""
    words = [f"{first}{second}ing" for first in "bcdfghk" for second in ("al", "or", "un")]
    draw = np.random.default_rng(0)
    text = " ".join(draw.choice(words, 40_000, p=np.arange(1, 22) / 231))
    num_tokens = []
    for pieces_per_token in (13, 1000):
        monkeypatch.setattr(
            "picosweep.pico.data.tokenizers.byte_bpe._TRAINING_PIECES_PER_TOKEN", pieces_per_token
        )
        num_tokens.append(len(train_bpe([text], 300).encode_documents([text])[0]))
    assert num_tokens[0] <= 1.01 * num_tokens[1]


def test_training_is_the_same_in_every_process():
    """Another hash seed and another number of threads learn the same merges."""
    code = (
        "from picosweep.pico.data.tokenizers.byte_bpe import train_bpe\n"
        f"print(train_bpe({STORIES!r}, 400).fingerprint)"
    )
    fingerprints = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads},
            capture_output=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }
    assert len(fingerprints) == 1


def test_forked_processes_encode_without_a_warning():
    """A fork after threads ran neither warns nor waits for threads it does not have."""
    code = (
        "import os\n"
        "from picosweep.pico.data.tokenizers.byte_bpe import train_bpe\n"
        "texts = [f'word{number} and{number}' for number in range(9000)]\n"
        "bpe = train_bpe(texts, 300)\n"
        "expected = bpe.encode_documents(texts)[0].tolist()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os._exit(0 if bpe.encode_documents(texts)[0].tolist() == expected else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
    )
    environment = {key: value for key, value in os.environ.items() if "TOKENIZERS" not in key}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment | {"RAYON_NUM_THREADS": "2"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert result.stderr == b""


def test_token_bytes_add_up(small_bpe):
    """The bytes of a text's tokens are the bytes of the text; the mark between texts has none."""
    for text in STORIES:
        assert small_bpe.token_bytes()[small_bpe.encode(text)].sum() == len(text.encode())
    assert small_bpe.token_bytes()[small_bpe.end_of_text_id] == 0
    assert len(small_bpe.token_bytes()) == small_bpe.vocab_size == 320


def test_a_small_text_gives_a_smaller_vocabulary():
    """When no pair is left to merge, there are fewer tokens than asked for, and that is known."""
    assert train_bpe(["ab ab"], 1000).vocab_size == 257 + 2


def test_lone_surrogates_do_not_stop_a_run(small_bpe):
    """What is no text at all is replaced, or kept as a character of its own."""
    text = "a\ud800b"
    assert small_bpe.decode(small_bpe.encode(text)) == "a?b"
    characters = CharacterTokenizer.train([text])
    assert characters.decode(characters.encode(text)) == text


@given(texts=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_characters_come_back(texts):
    """What the training part holds is written character by character."""
    tokenizer = CharacterTokenizer.train(texts)
    ids, lengths = tokenizer.encode_documents(texts)
    assert lengths.tolist() == [len(text) for text in texts]
    assert tokenizer.decode(ids.tolist()) == "".join(texts)
    assert tokenizer.vocab_size == 2 + len(set("".join(texts)))


def test_unknown_characters_are_told_apart():
    """A character the training part lacks is unknown, whether its code point is high or low."""
    tokenizer = CharacterTokenizer.train(["bd"])
    assert tokenizer.encode("abcde\U0010ffff") == [1, 2, 1, 3, 1, 1]
    assert tokenizer.decode([1, 2]) == "\N{REPLACEMENT CHARACTER}b"
    assert tokenizer.token_bytes().tolist() == [0, 1, 1, 1]


@given(numbers=st.lists(st.integers(-(10**20), 10**20), min_size=1, max_size=20))
def test_numbers_come_back(numbers):
    """Each number is one token, whichever way it is separated."""
    text = " ".join(map(str, numbers))
    tokenizer = IntegerTokenizer.train([text])
    assert len(tokenizer.encode(text)) == len(numbers)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode(text.replace(" ", ",\n")) == tokenizer.encode(text)


def test_numbers_are_values_not_spellings():
    """`007` and `+7` are 7; a number never seen is unknown and stays so; a word is an error."""
    tokenizer = IntegerTokenizer.train(["7 8"])
    assert tokenizer.encode("007 +7 9") == [2, 2, 1]
    assert tokenizer.encode(tokenizer.decode([1, 3])) == [1, 3]
    assert tokenizer.token_bytes().tolist() == [0, 2, 2, 2]
    with pytest.raises(FieldError, match=r"whole numbers only; found 'seven'"):
        tokenizer.encode("seven")


@pytest.mark.parametrize("kind", ["bpe", "char", "int"])
def test_tokenizers_survive_storage(kind):
    """Read back from JSON, or pickled, a tokenizer encodes as before under the same name."""
    text = "12 7 12" if kind == "int" else STORIES[0]
    tokenizer = make_tokenizer(TokenizerConfig(kind=kind, vocab_size=300), [text])
    assert tokenizer.encode(text)
    for copy in (tokenizer_from_json(tokenizer.to_json()), pickle.loads(pickle.dumps(tokenizer))):
        assert copy.encode(text) == tokenizer.encode(text)
        assert copy.fingerprint == tokenizer.fingerprint
        assert copy.kind == kind


def write_gpt2_files(folder, *, names=("vocab.json", "merges.txt")):
    """GPT-2's two files for a language of a few words."""
    letters = ["<|endoftext|>", "a", "b", "c", "Ġ", "ab", "Ġab"]
    vocabulary, merges = (folder / name for name in names)
    vocabulary.write_text(json.dumps({token: index for index, token in enumerate(letters)}))
    merges.write_text("#version: 0.2\na b\nĠ ab\n")


@pytest.mark.parametrize(
    "names",
    [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"), ("x_vocab.json", "x_merges.txt")],
)
def test_gpt2_is_read_from_its_files(tmp_path, names):
    """The files' usual names are found, and their ids kept."""
    write_gpt2_files(tmp_path, names=names)
    tokenizer = make_tokenizer(TokenizerConfig(kind="gpt2", path=str(tmp_path)), [])
    assert tokenizer.encode("ab abc") == [5, 6, 3]
    assert tokenizer.end_of_text_id == 0
    assert tokenizer.vocab_size == 7
    assert tokenizer.token_bytes().tolist() == [0, 1, 1, 1, 1, 2, 3]


def test_a_trained_tokenizer_can_be_used_again(tmp_path, small_bpe):
    """`path` takes the place of training."""
    path = tmp_path / "tokenizer.json"
    path.write_text(small_bpe.to_json())
    again = make_tokenizer(TokenizerConfig(path=str(path)), ["other text"])
    assert again.fingerprint == small_bpe.fingerprint


def test_a_tokenizer_of_another_making_is_encoded_whole(tmp_path, small_bpe):
    """One that cuts text in another way is not cut by ours first."""
    settings = json.loads(small_bpe.to_json())
    settings["pre_tokenizer"]["add_prefix_space"] = True
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(settings))
    tokenizer = make_tokenizer(TokenizerConfig(path=str(path)), [])
    ids, _ = tokenizer.encode_documents(["time is(here)"])
    assert ids.tolist() == tokenizer.encode("time is(here)")


@pytest.mark.parametrize("carried", ["truncation", "padding", "dropout"])
def test_a_tokenizer_encodes_every_text_whole(tmp_path, small_bpe, carried):
    """What public files carry along, from the use that they were made for, changes nothing."""
    engine = Engine.from_str(small_bpe.to_json())
    if carried == "truncation":
        engine.enable_truncation(4)
    elif carried == "padding":
        engine.enable_padding(length=64)
    settings = json.loads(engine.to_str())
    if carried == "dropout":
        settings["model"]["dropout"] = 0.5
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(settings))
    tokenizer = make_tokenizer(TokenizerConfig(path=str(path)), [])
    text = " ".join(STORIES[:3])
    assert tokenizer.encode(text) == small_bpe.encode(text)
    assert tokenizer.fingerprint == small_bpe.fingerprint


def test_a_tokenizer_with_holes_is_refused(tmp_path, small_bpe):
    """A model would have rows for tokens that there are not; the hole is named."""
    settings = json.loads(small_bpe.to_json())
    vocabulary = settings["model"]["vocab"]
    last = max(vocabulary, key=vocabulary.get)
    hole = vocabulary[last]
    vocabulary[last] += 20
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(settings))
    with pytest.raises(FieldError, match=f"ids that are not 0 to {hole}: {hole} is missing"):
        make_tokenizer(TokenizerConfig(path=str(path)), [])


@pytest.mark.parametrize("content", [None, "{", "[]", '{"model": {"type": "WordPiece"}}'])
def test_an_unusable_tokenizer_file_is_refused(tmp_path, content):
    """The error names the file and what it should have been."""
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FieldError, match=r"data\.tokenizer\.path: not a usable tokenizer.*\.json"):
        make_tokenizer(TokenizerConfig(path=str(path)), [])


def test_gpt2_without_its_files_is_refused(tmp_path, monkeypatch):
    """The error names the file that is missing, or that there is no network."""
    with pytest.raises(FieldError, match=r"no \*vocab\.json or encoder\.json in"):
        make_tokenizer(TokenizerConfig(kind="gpt2", path=str(tmp_path)), [])
    write_gpt2_files(tmp_path)
    (tmp_path / "merges.txt").write_text("#version: 0.2\na q\n")
    with pytest.raises(FieldError, match="not a usable tokenizer"):
        make_tokenizer(TokenizerConfig(kind="gpt2", path=str(tmp_path)), [])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    with pytest.raises(FieldError, match="HF_HUB_OFFLINE is set; allowed: a network"):
        make_tokenizer(TokenizerConfig(kind="gpt2"), [])
