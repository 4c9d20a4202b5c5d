import pytest
from tokenizers import Tokenizer as Engine, models, pre_tokenizers

from picosweep.pico.data.config import TokenizerConfig
from picosweep.pico.data.tokenizer_quality import PROBES, check_prepared, check_tokenizer
from picosweep.pico.data.tokenizers.tokenizer import CharacterTokenizer
from tests.pico.data.stories import STORIES


class Broken(CharacterTokenizer):
    """Joins its tokens with blanks, as a tokenizer does whose decoder was forgotten."""

    def decode(self, ids):
        return " ".join(self.vocabulary[token] for token in ids)


def test_a_good_tokenizer_passes(small_bpe):
    """Every text comes back, and the figures are those of the texts."""
    quality = check_tokenizer(small_bpe, STORIES, probes=PROBES)
    num_tokens = sum(len(small_bpe.encode(story)) for story in STORIES)
    assert (quality.num_round_trips, quality.num_broken_words) == (quality.num_texts, 0)
    assert quality.num_texts == quality.num_round_trips == len(STORIES) + len(PROBES)
    assert quality.characters_per_token == pytest.approx(sum(map(len, STORIES)) / num_tokens)
    assert quality.bytes_per_token > quality.characters_per_token > 2
    assert 0.1 < quality.used_fraction <= 1


def test_spacing_that_was_not_there_is_found():
    """ "O n c e" for "Once" counts each word that came back in pieces."""
    tokenizer = Broken.train(STORIES)
    quality = check_tokenizer(tokenizer, ["Once upon a time"])
    assert quality.num_round_trips < quality.num_texts or quality.num_broken_words
    assert quality.num_broken_words == 3  # `a` is one letter and cannot break
    assert quality.num_round_trips == 0


def test_words_glued_together_are_found():
    """A tokenizer that loses blanks breaks words as well."""
    engine = Engine(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.Whitespace()

    class Glued(CharacterTokenizer):
        def decode(self, ids):
            return super().decode(ids).replace(" ", "")

    assert check_tokenizer(Glued.train(STORIES), ["upon a time"]).num_broken_words == 3


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_prepared_data_are_checked_from_their_tokens(prepared, kind):
    """What lies on disk decodes to text that encodes to itself."""
    data = prepared(tokenizer=TokenizerConfig(kind=kind, vocab_size=300))
    quality = check_prepared(data)
    assert (quality.num_round_trips, quality.num_broken_words) == (quality.num_texts, 0)
    assert quality.kind == kind
    num_probes = len(PROBES) if kind == "bpe" else 0
    assert quality.num_texts == data.meta.num_validation_documents + num_probes


def test_nothing_to_check_is_an_error(small_bpe):
    """No text, no verdict."""
    with pytest.raises(ValueError, match="at least one text"):
        check_tokenizer(small_bpe, ["", ""])
