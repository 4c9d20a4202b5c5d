import pytest
import torch
from torch import nn

from picosweep.pico.models.registry import MODELS
from picosweep.pico.training.optim import build_optimizers, clip_gradients
from picosweep.pico.training_config import TrainingConfig

OPTIMIZERS = ("adamw", "adam", "sgd", "muon")


def model_of(architecture, vocab_size=32, **fields):
    torch.manual_seed(0)
    architecture = MODELS[architecture]
    return architecture.build(architecture.config_class(**fields), vocab_size, 8)


def optimizers_by_parameter(model, config, vocab_size=32):
    owners = {}
    for optimizer in build_optimizers(model, config, vocab_size=vocab_size):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                assert id(parameter) not in owners
                owners[id(parameter)] = (type(optimizer).__name__, group["weight_decay"])
    return {name: owners.get(id(p)) for name, p in model.named_parameters()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("architecture", MODELS)
def test_every_parameter_has_one_optimizer(architecture, optimizer):
    """No parameter is left out or stepped twice; vectors do not decay and matrices do."""
    model = model_of(architecture)
    config = TrainingConfig(optimizer=optimizer, weight_decay=0.3)
    owners = optimizers_by_parameter(model, config)
    for name, parameter in model.named_parameters():
        assert owners[name][1] == (0.3 if parameter.dim() >= 2 else 0.0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_parameters_have_no_optimizer(optimizer):
    """A parameter that takes no gradient is left alone."""
    model = model_of("transformer")
    model.embedding.weight.requires_grad_(False)
    owners = optimizers_by_parameter(model, TrainingConfig(optimizer=optimizer))
    assert [name for name, owner in owners.items() if owner is None] == ["embedding.weight"]


@pytest.mark.parametrize("tied_head", [False, True])
@pytest.mark.parametrize("vocab_size", [32, 64, 256])
def test_muon_takes_the_hidden_matrices(vocab_size, tied_head):
    """Muon gets hidden matrices alone, also where the vocabulary is as large as a layer is wide."""
    model = model_of(
        "transformer", vocab_size, embed_size=64, tied_head=tied_head, position="learned"
    )
    config = TrainingConfig(optimizer="muon")
    owners = optimizers_by_parameter(model, config, vocab_size)
    hidden = {n for n, p in model.named_parameters() if n.startswith("blocks.") and p.dim() == 2}
    assert {name for name, owner in owners.items() if owner[0] == "Muon"} == hidden


@pytest.mark.parametrize(
    ("architecture", "hidden"),
    [("lstm", {"lstm.weight_ih_l0", "lstm.weight_hh_l0"}), ("kgram", {"context.linear.weight"})],
)
def test_muon_in_other_architectures(architecture, hidden):
    """An LSTM's gates and a K-gram's hidden layer are hidden matrices too."""
    owners = optimizers_by_parameter(model_of(architecture), TrainingConfig(optimizer="muon"))
    assert {name for name, owner in owners.items() if owner[0] == "Muon"} == hidden


def test_muon_differs_from_adamw_on_hidden_matrices_only():
    """After one step the two optimizers agree exactly where AdamW does the work of both."""
    after = {}
    for name in ("adamw", "muon"):
        model = model_of("transformer")
        optimizers = build_optimizers(model, TrainingConfig(optimizer=name), vocab_size=32)
        model(torch.arange(8).unsqueeze(0)).square().mean().backward()
        for optimizer in optimizers:
            optimizer.step()
        after[name] = dict(model.named_parameters())
    same = {n for n, p in after["adamw"].items() if torch.equal(p, after["muon"][n])}
    assert {"embedding.weight", "head.weight", "norm.weight"} <= same
    assert not {n for n in same if n.endswith(("qkv.weight", "up.weight"))}


def parameters_with_gradients(scale):
    torch.manual_seed(1)
    parameters = [nn.Parameter(torch.zeros(size)) for size in (3, 70, 1)]
    for parameter in parameters:
        parameter.grad = scale * torch.randn(parameter.shape)
    return [*parameters, nn.Parameter(torch.zeros(2))]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_clipping_is_that_of_torch(scale):
    """Clipped gradients and the norm agree with torch's own function; sizes are as defined."""
    ours, theirs = parameters_with_gradients(scale), parameters_with_gradients(scale)
    size = clip_gradients(ours, 1.0, measure=True)
    norm = torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    assert size.norm == pytest.approx(norm.item())
    largest = max(p.grad.abs().max().item() for p in parameters_with_gradients(scale)[:3])
    assert size.largest == pytest.approx(largest)
    for our, their in zip(ours[:3], theirs[:3], strict=True):
        torch.testing.assert_close(our.grad, their.grad)
    clipped = torch.cat([p.grad for p in ours[:3]]).norm().item()
    assert size.norm_clipped == pytest.approx(clipped, rel=1e-5)
    assert clipped <= 1.0001


def test_measuring_changes_nothing():
    """Looking at the gradient gives the same bits as not looking."""
    looked, not_looked = parameters_with_gradients(5.0), parameters_with_gradients(5.0)
    clip_gradients(looked, 1.0, measure=True)
    assert clip_gradients(not_looked, 1.0, measure=False) is None
    for one, other in zip(looked[:3], not_looked[:3], strict=True):
        assert torch.equal(one.grad, other.grad)


def test_no_limit_leaves_gradients_alone():
    """Without a limit the norm before is the norm after."""
    parameters = parameters_with_gradients(5.0)
    before = [p.grad.clone() for p in parameters[:3]]
    size = clip_gradients(parameters, None, measure=True)
    assert size.norm == size.norm_clipped
    assert all(torch.equal(p.grad, g) for p, g in zip(parameters[:3], before, strict=True))
