"""The K-gram model against a loop over every place and every token of its context."""

from typing import Any

import pytest
import torch
from torch import Tensor

from picosweep.pico.models.kgram import KGram, KGramConfig

VOCAB_SIZE = 11


def slow_logits(model: KGram, ids: list[int], place: int) -> Tensor:
    """Return the logits after `ids[place]`, from one row of input made number by number."""
    width = VOCAB_SIZE if isinstance_onehot(model) else model.context.embedding.weight.shape[1]
    row: list[float] = []
    for back in reversed(range(model.context_size)):
        if place - back < 0:
            row += [0.0] * width
        elif isinstance_onehot(model):
            row += [float(token == ids[place - back]) for token in range(VOCAB_SIZE)]
        else:
            row += model.context.embedding.weight[ids[place - back]].tolist()
    if isinstance_onehot(model):
        hidden = torch.tensor(row) @ model.context.rows + model.context.bias
    else:
        hidden = model.context.linear(torch.tensor(row))
    hidden = model.activation(model.norms[0](hidden))
    for linear, norm in zip(model.inner, model.norms[1:], strict=True):
        hidden = model.activation(norm(linear(hidden)))
    return model.head(hidden)


def isinstance_onehot(model: KGram) -> bool:
    return hasattr(model.context, "rows")


def small(**options: Any) -> KGram:
    return KGram(KGramConfig(**({"embed_size": 6, "hidden_size": 9} | options)), VOCAB_SIZE, 8)


@pytest.mark.parametrize("kind", ["embedded", "onehot"])
@pytest.mark.parametrize("context_size", [1, 3, 10])
@pytest.mark.parametrize("norm", ["none", "rms", "layer"])
def test_matches_loop(kind: str, context_size: int, norm: str) -> None:
    """Every row of logits equals that of the loop, the start of the text included."""
    model = small(input=kind, context_size=context_size, norm=norm, num_inner_layers=2)
    ids_BT = torch.randint(VOCAB_SIZE, (2, 7))
    logits_BTV = model(ids_BT)
    for row, ids in enumerate(ids_BT.tolist()):
        for place in range(7):
            expected_V = slow_logits(model, ids, place)
            torch.testing.assert_close(logits_BTV[row, place], expected_V, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["embedded", "onehot"])
@pytest.mark.parametrize("chunk_size", [1, 3, 8, 100])
def test_chunks_change_neither_logits_nor_gradients(kind: str, chunk_size: int) -> None:
    """Whatever the chunk size, logits and gradients are those of the whole block."""
    torch.manual_seed(1)
    whole = small(input=kind, norm="layer")
    torch.manual_seed(1)
    chunked = small(input=kind, norm="layer", chunk_size=chunk_size)
    ids_BT = torch.randint(VOCAB_SIZE, (4, 8))
    whole_BTV, chunked_BTV = whole(ids_BT), chunked(ids_BT)
    torch.testing.assert_close(chunked_BTV, whole_BTV, rtol=1e-5, atol=1e-6)
    weights_BTV = torch.randn_like(whole_BTV)
    (whole_BTV * weights_BTV).sum().backward()
    (chunked_BTV * weights_BTV).sum().backward()
    for expected, got in zip(whole.parameters(), chunked.parameters(), strict=True):
        torch.testing.assert_close(got.grad, expected.grad, rtol=1e-4, atol=1e-5)


def test_chunks_bound_what_the_backward_pass_keeps() -> None:
    """A chunked model keeps less for the backward pass than a whole one."""

    def kept_bytes(model: KGram) -> int:
        storages = {}

        def pack(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            logits = model(torch.randint(VOCAB_SIZE, (8, 64)))
        del logits
        return sum(storages.values())

    sizes = {"hidden_size": 64, "context_size": 8, "num_inner_layers": 3}
    assert kept_bytes(small(**sizes, chunk_size=4)) < 0.5 * kept_bytes(small(**sizes))


def test_onehot_builds_nothing_as_wide_as_the_vocabulary() -> None:
    """The first layer over one-hot input makes no V-wide row: only an index is read."""
    model = KGram(KGramConfig(input="onehot", hidden_size=4), 10_000, 8)
    numbers = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: numbers.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        ids_BT = torch.randint(10_000, (4, 10))
        model.context(ids_BT, 8)
    largest_but_weights = max(n for n in numbers if n != model.context.rows.numel())
    assert largest_but_weights < 10_000


def test_token_beyond_the_context_is_not_seen() -> None:
    """Token t - K changes nothing at t, token t - K + 1 does."""
    model = small(context_size=3)
    ids_BT = torch.randint(VOCAB_SIZE, (1, 8))
    before_V = model(ids_BT)[0, 7]
    for place, seen in [(4, False), (5, True)]:
        changed_BT = ids_BT.clone()
        changed_BT[0, place] = (ids_BT[0, place] + 1) % VOCAB_SIZE
        assert torch.equal(model(changed_BT)[0, 7], before_V) is not seen
