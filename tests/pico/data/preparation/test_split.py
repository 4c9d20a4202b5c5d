import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from picosweep.pico.data.preparation.split import (
    DROPPED,
    TRAIN,
    VALIDATION,
    Scan,
    content_hash,
    split_by_hash,
    split_by_source,
    split_rest,
    split_tail,
)
from picosweep.pico.errors import FieldError

# Few different documents, so that many are alike, within a source and across sources.
documents = st.lists(st.sampled_from("abcdefgh").map(lambda letter: letter * 9), min_size=1)
mixtures = st.lists(documents, min_size=1, max_size=3)


def scan(texts, seed=0):
    return Scan(
        hashes=np.array([content_hash(text, seed) for text in texts], dtype=np.uint64),
        sizes=np.array([len(text) for text in texts], dtype=np.int64),
    )


def texts_on(side, mixture, sides):
    return {
        text
        for texts, where in zip(mixture, sides, strict=True)
        for text, place in zip(texts, where.tolist(), strict=True)
        if place == side
    }


@pytest.mark.parametrize("split", [split_by_hash, split_tail])
@given(mixture=mixtures, fraction=st.floats(0.01, 0.9), seed=st.integers(0, 2**70))
def test_no_document_is_on_both_sides(split, mixture, fraction, seed):
    """However often and in whichever sources a text appears, it is on one side only."""
    scans = [scan(texts, seed) for texts in mixture]
    try:
        sides = split(scans, fraction)
    except FieldError:
        # Only when a source has nothing that the other sources' validation parts lack.
        assume(False)
    train = texts_on(TRAIN, mixture, sides)
    validation = texts_on(VALIDATION, mixture, sides)
    assert train.isdisjoint(validation)
    assert validation
    assert train | validation == {text for texts in mixture for text in texts}


@pytest.mark.parametrize("split", [split_by_hash, split_tail])
@given(mixture=mixtures, own=documents, fraction=st.floats(0.01, 0.9))
def test_own_validation_documents_are_on_one_side(split, mixture, own, fraction):
    """The first source's own validation documents, and what is cut from the others, train nobody.

    A text that the own part has may be in no other's validation part: it would count twice.
    """
    scans = [scan(texts) for texts in mixture]
    own_scans = [scan(own), *(None for _ in scans[1:])]
    try:
        sides = split_rest(scans, own_scans, fraction, split)
    except FieldError:
        assume(False)
    validation = texts_on(VALIDATION, mixture, sides)
    assert texts_on(TRAIN, mixture, sides).isdisjoint(validation | set(own))
    assert validation.isdisjoint(own)
    assert not np.any(sides[0] == VALIDATION)
    assert bool(validation) == (len(scans) > 1)


@given(seed=st.integers(0, 100), fraction=st.floats(0.05, 0.5))
def test_the_share_is_that_asked_for(seed, fraction):
    """Of documents of very unequal size, the validation part holds its share, or all that fits."""
    draw = np.random.default_rng(seed)
    texts = [f"{index} " + "x" * int(size) for index, size in enumerate(draw.pareto(1.2, 300) * 50)]
    scans = [scan(texts, seed)]
    sizes = scans[0].sizes / scans[0].sizes.sum()
    (sides,) = split_by_hash(scans, fraction)
    share = sizes[sides == VALIDATION].sum()
    # Where one document is most of the text, every other may be too little.
    smallest_left = sizes[sides == TRAIN].min()
    assert share == pytest.approx(fraction, rel=0.021) or (
        share < fraction < (share + smallest_left) / 1.02
    )
    (sides,) = split_tail(scans, fraction)
    # A tail can miss its share by half of the document at the cut.
    assert abs(sizes[sides == VALIDATION].sum() - fraction) <= sizes.max() / 2


def test_another_seed_gives_another_split():
    """The seed decides which documents are validation; the same seed decides the same."""
    texts = [f"document {index}" for index in range(100)]
    chosen = [tuple(split_by_hash([scan(texts, seed)], 0.2)[0]) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_the_order_of_documents_does_not_matter():
    """A document's side depends on what it says, not on where it stands."""
    texts = [f"document {index}" for index in range(50)]
    forward = texts_on(VALIDATION, [texts], split_by_hash([scan(texts)], 0.2))
    backward = texts_on(VALIDATION, [texts[::-1]], split_by_hash([scan(texts[::-1])], 0.2))
    assert forward == backward


def test_a_tail_is_the_end():
    """The last documents are validation, and an earlier copy of one goes with it."""
    texts = ["copy", "b", "c", "d", "e", "f", "g", "h", "i", "copy"]
    (sides,) = split_tail([scan([text * 9 for text in texts])], 0.2)
    assert sides.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_a_split_of_its_own_is_kept():
    """With a validation source, training loses only what the validation source has too."""
    (sides,) = split_by_source([scan(["a", "b", "c"])], scan(["b", "d"]))
    assert sides.tolist() == [TRAIN, DROPPED, TRAIN]


def test_white_space_hides_no_copy():
    """Texts that differ in blanks and line ends alone are the same document."""
    assert content_hash("def f():\n\treturn 1\n", 0) == content_hash(" def f():  return 1", 0)
    assert content_hash("a b", 0) != content_hash("ab", 0)


@pytest.mark.parametrize("split", [split_by_hash, split_tail])
def test_one_document_cannot_be_split(split):
    """The error says that all there is would be validation."""
    with pytest.raises(FieldError, match="nothing is left to train on; found 1 distinct document"):
        split([scan(["a", "a "])], 0.5)
