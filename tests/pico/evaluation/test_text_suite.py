"""The text suite: figures that are known for texts and models that are known."""

import math
import random
from typing import Any

import numpy as np
import pytest
import torch

from picosweep.pico.evaluation.diversity import cut_to_equal, distinct, repetition
from picosweep.pico.evaluation.memorisation import longest_matches, share_of_runs
from picosweep.pico.evaluation.position_loss import (
    Windows,
    loss_by_place,
    training_like_windows,
    windows_of,
)
from picosweep.pico.evaluation.scores import HELD_OUT, SuiteResult
from picosweep.pico.evaluation.text_suite import (
    Longer,
    NamedText,
    evaluate_text,
    perplexity_band,
)
from tests.pico import tiny_models


def brute(training: list[int], text: list[int], start: int) -> int:
    """The longest run from a place on, by looking everywhere."""
    best = 0
    for place in range(len(training)):
        length = 0
        while (
            start + length < len(text)
            and place + length < len(training)
            and training[place + length] == text[start + length]
        ):
            length += 1
        best = max(best, length)
    return best


@pytest.mark.parametrize("kind", ["<u2", "<u4"])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 70, 300])
def test_longest_runs_are_those_found_by_looking_everywhere(kind: str, number: int) -> None:
    """Across the pieces, up to the data's end, for either width of tokens; zeros are tokens."""
    draw = random.Random(number)
    training = np.array([draw.randrange(3) for _ in range(number)], dtype=kind)
    texts = [[draw.randrange(3) for _ in range(length)] for length in (0, 1, 5, 40)]
    found = longest_matches(training, texts, piece=64)
    for text, matches in zip(texts, found, strict=True):
        assert matches.tolist() == [brute(training.tolist(), text, n) for n in range(len(text))]


def test_runs_from_the_training_data_are_counted_by_share() -> None:
    """A copied text has all of them, a text of unseen tokens none, a half-copied one half."""
    training = np.arange(1000, dtype="<u2")
    copied, unseen = list(range(100, 150)), list(range(2000, 2050))
    matches = longest_matches(training, [copied, unseen, copied[:25] + unseen[:25]])
    assert [int(match.max()) for match in matches] == [50, 0, 25]
    assert share_of_runs(matches[:1], 8) == 1.0
    assert share_of_runs(matches[1:2], 8) == 0.0
    assert share_of_runs(matches[2:], 8) == pytest.approx(18 / 43)
    assert share_of_runs(matches, 60) is None


def test_diversity_counts_runs_of_words() -> None:
    """Over all texts together; texts are first cut to as many words."""
    assert distinct(["a b a b"], 1) == 0.5
    assert distinct(["a b a b"], 2) == pytest.approx(2 / 3)
    assert distinct(["a b", "a b"], 2) == 0.5
    assert distinct(["a"], 2) is None
    assert repetition("a b c a b c") == pytest.approx(1 / 4)
    assert cut_to_equal(["a b c"], ["d e"]) == (["a b"], ["d e"])


class Counting(torch.nn.Module):
    """Gives the next number all weight, but only from its third token on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, ids_BT: torch.Tensor) -> torch.Tensor:
        """Logits over 64 tokens."""
        logits = 100.0 * torch.nn.functional.one_hot((ids_BT + 1) % 64, 64).float()
        logits[:, :2] = 0.0
        return logits


def test_loss_by_place_is_that_of_each_place() -> None:
    """Nothing is known at places 1 and 2, everything after them."""
    windows = windows_of(np.arange(64, dtype="<u2"), 14)
    assert windows.shape == (4, 14)
    everything = Windows(ids=windows, counted=np.ones(windows.shape, dtype=bool))
    found = {(one.first, one.last): one.loss for one in loss_by_place(Counting(), everything)}
    assert list(found) == [(1, 1), (2, 2), (3, 4), (5, 8), (9, 13)]
    assert found[1, 1] == pytest.approx(math.log(64))
    assert found[2, 2] == pytest.approx(math.log(64))
    assert found[3, 4] == pytest.approx(0, abs=1e-6)
    everything.counted[:, 6:] = False
    cut = loss_by_place(Counting(), everything)
    assert [(one.first, one.last, one.tokens) for one in cut] == [
        (1, 1, 4), (2, 2, 4), (3, 4, 8), (5, 8, 4),
    ]  # fmt: skip
    assert len(windows_of(np.arange(5, dtype="<u2"), 14)) == 0


def test_windows_begin_with_a_document_where_rows_do(padded_data: Any) -> None:
    """And what is behind its end is not counted."""
    windows = training_like_windows(padded_data, 400)
    end = padded_data.tokenizer.end_of_text_id
    assert (windows.ids[:, 0] == end).all()
    for ids, counted in zip(windows.ids, windows.counted, strict=True):
        length = 1 + int(np.argmax(ids[1:] == end))
        assert counted.sum() == length + padded_data.meta.predict_end
        assert counted[:length].all()


def put(tiny_data: Any, architecture: str = "kgram", **options: Any) -> SuiteResult:
    """The suite, put to an untrained model."""
    torch.manual_seed(0)
    model = tiny_models.build(architecture, {}, tiny_data.meta.vocab_size, 16)
    return evaluate_text(
        model, tiny_data, longer=options.pop("longer", Longer(model=model)),
        validation_tokens=512, **options,
    )  # fmt: skip


def scores(result: SuiteResult, section: str) -> dict[str, float | None]:
    return {item.item: item.score for item in result.section(section)}


def test_an_untrained_model_knows_nothing(tiny_data: Any) -> None:
    """Its perplexity is the vocabulary, nothing is known by heart; held-out text stands beside."""
    found = put(tiny_data)
    vocabulary = tiny_data.meta.vocab_size
    assert scores(found, "perplexity")["validation"] == pytest.approx(vocabulary, rel=0.2)
    bits = scores(found, "bits per byte")["validation"]
    assert bits is not None
    assert found.objectives["suite_score"] == pytest.approx(2**-bits)
    run = "runs of 8 tokens that stand in the training data"
    own, held_out = (scores(found, f"memorisation{end}")[run] for end in ("", HELD_OUT))
    assert own == pytest.approx(0, abs=0.01)
    assert held_out is not None
    assert held_out > 0.5  # nine words in another order
    assert list(scores(found, "diversity")) == list(scores(found, f"diversity{HELD_OUT}"))
    assert scores(found, "tokenizer")["texts that come back unchanged"] == 1.0
    assert "17-32" not in scores(found, "loss by place")
    assert "33-64" in scores(found, "loss by place, past a block")
    assert found == put(tiny_data)


def test_a_model_that_cannot_read_further_says_so(tiny_data: Any) -> None:
    """With the reason, and no score."""
    found = put(tiny_data, longer=Longer(model=None, reason="its positions end with the block"))
    (item,) = found.section("loss by place, past a block")
    assert (item.score, item.status) == (None, "not applicable")
    assert item.detail == "its positions end with the block"


def test_perplexity_of_a_named_text_is_that_of_its_windows(tiny_data: Any) -> None:
    """Computed by hand: every token once, from the mark before the text, in blocks."""
    torch.manual_seed(0)
    model = tiny_models.build("kgram", {}, tiny_data.meta.vocab_size, 16)
    text = "the red fox runs on the log"
    found = evaluate_text(
        model, tiny_data, longer=Longer(model=None, reason="-"), validation_tokens=512,
        texts=[NamedText(name="mine", text=text)],
    )  # fmt: skip
    end = tiny_data.tokenizer.end_of_text_id
    ids = [end, *tiny_data.tokenizer.encode(text)] + [end] * tiny_data.meta.predict_end
    nats = 0.0
    for start in range(0, len(ids) - 1, 16):
        window = torch.tensor([ids[start : start + 17]])
        logits = model(window[:, :-1])
        nats += torch.nn.functional.cross_entropy(logits[0], window[0, 1:], reduction="sum").item()
    assert scores(found, "perplexity")["mine"] == pytest.approx(math.exp(nats / (len(ids) - 1)))
    assert scores(found, "bits per byte")["mine"] == pytest.approx(nats / math.log(2) / len(text))
    odd = evaluate_text(
        model, tiny_data, longer=Longer(model=None), validation_tokens=512,
        texts=[NamedText(name="mine", text="the Ω")],
    )  # fmt: skip
    said = next(i.detail for i in odd.section("perplexity") if i.item == "mine")
    assert said.startswith("1 of its 5 tokens are unknown; no band")
    with pytest.raises(ValueError, match="the text is empty"):
        evaluate_text(
            model, tiny_data, longer=Longer(model=None), validation_tokens=512,
            texts=[NamedText(name="mine", text="")],
        )  # fmt: skip


def test_bands_are_for_word_pieces_alone() -> None:
    """A perplexity of 40 over characters is terrible, and is not called good."""
    assert perplexity_band(40.0, 8000, "bpe").startswith("below 50")
    assert perplexity_band(99.0, 8000, "bpe").startswith("below 100")
    assert perplexity_band(150.0, 50257, "gpt2").startswith("below 200")
    assert perplexity_band(500.0, 8000, "bpe").startswith("200 or more")
    assert perplexity_band(40.0, 65, "char").startswith("no band")
    assert perplexity_band(40.0, 300, "bpe").startswith("no band")
