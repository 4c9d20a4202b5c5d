"""Preference training: known losses, pairs that stay pairs, and a reference that stays itself."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from torch import nn

from picosweep.pico.data.prepared import PairSide, StoredPairs
from picosweep.pico.errors import FieldError
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.targets import IGNORED
from picosweep.pico.tasks.preference import Preference, _kl, _log_probabilities, _scores
from picosweep.pico.tasks.preference_losses import LOSSES, PairScores
from picosweep.pico.tasks.preference_pairs import CORRUPTIONS, CorruptedPairs, batch_of
from picosweep.pico.training.train import train
from picosweep.pico.trial import TrialConfig
from picosweep.pico.weights.checkpoint import CheckpointError
from picosweep.pico.weights.restore import starting_model, weights_fingerprint
from tests.pico.tiny_trials import SMALL, numbers, tiny_trial


def scores(margin: float, *, tokens: tuple[int, int] = (5, 5)) -> PairScores:
    """A pair whose chosen member has gained a margin on its reference."""
    chosen, rejected = (torch.tensor([float(count)]) for count in tokens)
    return PairScores(
        chosen=torch.tensor([margin - 7.0], requires_grad=True),
        rejected=torch.tensor([-7.0], requires_grad=True),
        chosen_reference=torch.tensor([-7.0]),
        rejected_reference=torch.tensor([-7.0]),
        chosen_tokens=chosen,
        rejected_tokens=rejected,
    )


def loss(name: str, margin: float, **options: Any) -> float:
    """The loss of one pair."""
    tokens = options.pop("tokens", (5, 5))
    config = PreferenceConfig(preference_loss=name, **options)  # type: ignore[arg-type]
    return LOSSES[name](scores(margin, tokens=tokens), config).item()


@pytest.mark.parametrize(
    ("name", "margin", "options", "known"),
    [
        ("dpo", 0.0, {"beta": 0.1}, 0.693147),
        ("dpo", 10.0, {"beta": 0.1}, 0.313262),
        ("dpo", 20.0, {"beta": 0.1}, 0.126928),
        ("ipo", 0.0, {"beta": 0.1}, 25.0),
        ("ipo", 25.0, {"beta": 0.1}, 0.0),  # five nats a token: 1 / (2 beta)
        ("simpo", 0.0, {"beta": 2.0, "gamma": 1.0}, 1.313262),
        ("dpo_length_normalised", 50.0, {"beta": 0.1}, 0.313262),
        ("cdpo", 10.0, {"beta": 0.1, "label_flip": 0.1}, 0.413262),
    ],
)
def test_losses_have_their_known_values(
    name: str, margin: float, options: dict[str, Any], known: float
) -> None:
    """Sums in DPO, means per token in IPO and SimPO."""
    assert loss(name, margin, **options) == pytest.approx(known, abs=1e-6)


def test_lengths_count_where_papers_say_so() -> None:
    """The mean is over each member's own tokens; sums do not look at them."""
    assert loss("dpo", 10.0, tokens=(2, 9)) == loss("dpo", 10.0)
    assert loss("ipo", 10.0, tokens=(2, 9)) == pytest.approx((10 / 2 - 5) ** 2)
    simpo = loss("simpo", 0.0, beta=1.0, tokens=(7, 14))
    assert simpo == pytest.approx(math.log(1 + math.exp(1.0 - 0.5)))


def test_gradients_at_the_start_are_half_beta() -> None:
    """Down for the chosen one's log-probability, up for the rejected one's."""
    start = scores(0.0)
    LOSSES["dpo"](start, PreferenceConfig(beta=0.3)).sum().backward()
    assert start.chosen.grad is not None
    assert start.rejected.grad is not None
    assert start.chosen.grad.item() == pytest.approx(-0.15)
    assert start.rejected.grad.item() == pytest.approx(0.15)


@given(strategies.floats(-50, 50), strategies.floats(0.01, 2))
@settings(deadline=None)
def test_swapping_a_pair_adds_beta_times_its_margin(margin: float, beta: float) -> None:
    """L(swapped) - L = beta * margin."""
    swapped = loss("dpo", -margin, beta=beta)
    assert swapped - loss("dpo", margin, beta=beta) == pytest.approx(beta * margin, abs=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"gamma": 0.5},
        {"label_flip": 0.1},
        {"preference_loss": "cdpo"},
        {"preference_loss": "simpo", "label_flip": 0.1},
        {"beta": 0.0},
        {"label_flip": 0.5, "preference_loss": "cdpo"},
    ],
)
def test_what_a_loss_would_ignore_is_refused(options: dict[str, Any]) -> None:
    """A setting that is taken and not used is a wrong experiment."""
    with pytest.raises(FieldError):
        PreferenceConfig(**options)


def pairs_of(corruption: str, tokens: list[list[int]], block_size: int = 12) -> CorruptedPairs:
    """Pairs of documents of which 0 is the mark."""
    flat = [0, *itertools.chain.from_iterable([*document, 0] for document in tokens)]
    starts = [0, *np.cumsum([len(document) + 1 for document in tokens])]
    config = PreferenceConfig(corruption=corruption, prompt_tokens=3)  # type: ignore[arg-type]
    return CorruptedPairs(np.array(flat, dtype="<u2"), np.array(starts), config, block_size)


DOCUMENTS = [list(range(1, 10)), list(range(11, 31)), [40, 41], list(range(50, 56))]


@pytest.mark.parametrize("corruption", list(CORRUPTIONS))
def test_members_share_their_prompt_and_differ_after_it(corruption: str) -> None:
    """The same whenever asked; too short documents are counted, long ones cut."""
    pairs = pairs_of(corruption, DOCUMENTS)
    assert (len(pairs), pairs.num_dropped) == (3, 1)
    batch = pairs.batch(np.array([0, 1, 2]))
    assert torch.equal(batch.x, pairs.batch(np.array([0, 1, 2])).x)
    assert batch.x[0].tolist() == [0, *range(1, 9), 0, 0, 0]
    assert batch.y[0].tolist() == [IGNORED] * 2 + [*range(3, 10)] + [IGNORED] * 3
    assert batch.y[1].tolist() == [IGNORED] * 2 + [*range(13, 23)]
    for number in range(3):
        chosen, rejected = batch.y[number], batch.y[number + 3]
        assert torch.equal(batch.x[number, :3], batch.x[number + 3, :3])
        assert not torch.equal(chosen, rejected)
        count = int((rejected != IGNORED).sum())
        assert 0 < count <= int((chosen != IGNORED).sum())


def test_corruptions_do_what_they_are_called() -> None:
    """By name: a permutation, another's continuation, some tokens, the first half again."""
    chosen = pairs_of("shuffled", DOCUMENTS).batch(np.array([0])).y[0, 2:9].tolist()
    by_name = {
        name: pairs_of(name, DOCUMENTS).batch(np.array([0])).y[1, 2:9].tolist()
        for name in CORRUPTIONS
    }
    assert sorted(by_name["shuffled"]) == chosen
    others = {*range(13, 31), *range(52, 56), IGNORED}
    assert set(by_name["other_document"]) <= others
    kept = sum(a == b for a, b in zip(chosen, by_name["token_noise"], strict=True))
    assert 0 < kept < 7
    assert by_name["repeated"] == [3, 4, 5, 3, 4, 5, 3]


def test_no_pair_is_a_clear_error() -> None:
    """A prompt that fills the block, and documents that are all too short."""
    with pytest.raises(FieldError, match="the prompt fills the block"):
        pairs_of("shuffled", DOCUMENTS, block_size=5)
    with pytest.raises(FieldError, match="no document is long enough"):
        pairs_of("shuffled", [[1, 2], [3]])


def started(
    data: Any, architecture: str = "transformer", **fields: Any
) -> tuple[TrialConfig, bytes]:
    """A preference trial, and the checkpoint of twenty steps that it starts from."""
    options = {name: fields.pop(name) for name in [*fields] if name in _PREFERENCE}
    *_, first = (
        report.checkpoint() for report in train(tiny_trial(architecture), data, report_steps=[20])
    )
    lora_rank = fields.pop("lora_rank", None)
    plain = tiny_trial(architecture, **fields)
    preference = PreferenceConfig(**{"prompt_tokens": 4} | options)
    trial = replace(
        plain,
        task="preference",
        preference=preference,
        init_from=weights_fingerprint(first),
        training=replace(plain.training, lora_rank=lora_rank),
    )
    return trial, first


_PREFERENCE = set(PreferenceConfig.__dataclass_fields__)


def task_of(trial: TrialConfig, data: Any, initial: bytes) -> Preference:
    """The task, and the model that it trains, as the loop makes them."""
    meta = data.meta
    torch.manual_seed(0)
    model = starting_model(trial, meta.vocab_size, meta.tokenizer_fingerprint, initial)
    return Preference(trial, data, model, torch.device("cpu"), initial)


@pytest.mark.parametrize("fields", [{}, {"lora_rank": 2}])
@pytest.mark.parametrize("architecture", list(SMALL))
def test_training_starts_at_ln_2_and_leaves_it(
    padded_data: Any, architecture: str, fields: dict[str, Any]
) -> None:
    """Margin 0, accuracy a half, no distance; after a step none of it, and the chosen gains."""
    trial, first = started(padded_data, architecture, block_size=160, learning_rate=3e-3, **fields)
    begin = task_of(trial, padded_data, first).evaluate(torch.no_grad)
    assert begin["val_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert begin["preference_margin"] == pytest.approx(0, abs=1e-5)
    assert begin["preference_accuracy"] == pytest.approx(0.5, abs=0.35)
    assert begin["reference_kl"] == pytest.approx(0, abs=1e-6)
    one, last = (r.metrics() for r in train(trial, padded_data, report_steps=[1, 60],
                                            initial=first))  # fmt: skip
    assert one["val_loss"] < math.log(2) - 1e-5
    assert last["preference_accuracy"] > 0.8
    assert last["preference_margin"] > one["preference_margin"] > 0
    assert last["reference_kl"] > 0
    assert last["chosen_change"] > last["rejected_change"]


def test_ties_count_half(padded_data: Any) -> None:
    """An untouched policy prefers nothing: exactly the same bits on either side."""
    trial, first = started(padded_data, "kgram", block_size=160)
    task = task_of(trial, padded_data, first)
    assert task.evaluate(torch.no_grad)["preference_accuracy"] == 0.5


def test_the_reference_stays_as_it_is(padded_data: Any) -> None:
    """Bit for bit, however far the policy goes."""
    trial, first = started(padded_data, block_size=160)
    task = task_of(trial, padded_data, first)
    before = {name: value.clone() for name, value in task._reference.state_dict().items()}
    optimizer = torch.optim.SGD(task._model.parameters(), lr=0.1)
    for step in range(3):
        for batch in task.batches(step):
            task.objective(batch)[0].backward()
        optimizer.step()
    for name, value in task._reference.state_dict().items():
        assert torch.equal(value, before[name])


def test_padding_prompts_and_companions_change_no_log_probability(padded_data: Any) -> None:
    """A member alone, in a longer row, beside others: the same; one more prompt token is none."""
    trial, first = started(padded_data, block_size=160)
    task = task_of(trial, padded_data, first)
    (batch, _), *_ = task.batches(0)
    together, tokens = _log_probabilities(task._reference, batch)
    for row in range(len(batch.x)):
        end = int((batch.y[row] != IGNORED).nonzero().max()) + 1
        one = slice(row, row + 1)
        alone = replace(batch, x=batch.x[one, :end], y=batch.y[one, :end])
        found, count = _log_probabilities(task._reference, alone)
        assert found.item() == pytest.approx(together[row].item(), abs=1e-4)
        assert count.item() == tokens[row].item()


def test_accumulated_gradients_are_those_of_the_whole_step(padded_data: Any) -> None:
    """One micro-batch of eight pairs, and eight of one."""
    gradients = []
    for accumulation in (1, 8):
        trial, first = started(padded_data, block_size=160, batch_size=16)
        trial = replace(trial, training=replace(trial.training, accumulation=accumulation))
        task = task_of(trial, padded_data, first)
        batches = task.batches(0)
        assert len(batches) == accumulation
        for batch in batches:
            task.objective(batch)[0].backward()
        gradients.append([p.grad for p in task._model.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("name", list(LOSSES))
def test_every_loss_is_the_one_that_the_trial_names(padded_data: Any, name: str) -> None:
    """A training step's loss at the start is its own, for the trial's beta."""
    extra = {"simpo": {"gamma": 1.0, "beta": 2.0}, "cdpo": {"label_flip": 0.2}}.get(name, {})
    trial, first = started(padded_data, block_size=160, preference_loss=name, **extra)
    task = task_of(trial, padded_data, first)
    (batch, share), *_ = task.batches(0)
    assert share == 1.0
    found = task.objective((batch, share))[1].item()
    policy, tokens = _log_probabilities(task._reference, batch)
    means = (policy / tokens).chunk(2)
    simpo = torch.log1p(torch.exp(-(2.0 * (means[0] - means[1]) - 1.0))).mean().item()
    known = {"ipo": 25.0, "simpo": simpo}.get(name, math.log(2))
    assert found == pytest.approx(known, rel=1e-4)


class Bigram(nn.Module):
    """A table of the next token's probabilities, for what can be worked out by hand."""

    def __init__(self, probabilities: list[list[float]]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(probabilities).log())

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits `[B, T, V]`."""
        return self.table[ids]


def test_a_bigram_worked_out_by_hand() -> None:
    """Prompt 0; chosen 1 2, rejected 2 1: sums of logs, margin, and the loss of a pair."""
    policy: Any = Bigram([[0.0, 0.5, 0.5], [0.25, 0.25, 0.5], [0.5, 0.25, 0.25]])
    reference: Any = Bigram([[0.0, 0.25, 0.75], [0.25, 0.5, 0.25], [0.5, 0.25, 0.25]])
    rows = [np.array([0, 1, 2]), np.array([0, 2, 1])]
    pairs = batch_of(np.array([0]), rows, [1, 1], block_size=4)
    found, tokens = _log_probabilities(policy, pairs)
    before, _ = _log_probabilities(reference, pairs)
    assert tokens.tolist() == [2, 2]
    assert found.exp().tolist() == pytest.approx([0.5 * 0.5, 0.5 * 0.25])
    assert before.exp().tolist() == pytest.approx([0.25 * 0.25, 0.75 * 0.25])
    pair = _scores(found, before, tokens)
    # 1/4 over 1/16 is 4, 1/8 over 3/16 is 2/3: the margin is the logarithm of 6.
    assert pair.margin.item() == pytest.approx(math.log(6))
    dpo = LOSSES["dpo"](pair, PreferenceConfig(beta=1.0)).item()
    assert dpo == pytest.approx(math.log(1 + 1 / 6))
    simpo = LOSSES["simpo"](pair, PreferenceConfig(preference_loss="simpo", beta=2.0)).item()
    assert simpo == pytest.approx(math.log(1 + 1 / 2))  # means differ by log(2) / 2
    ipo = LOSSES["ipo"](pair, PreferenceConfig(preference_loss="ipo", beta=0.5)).item()
    assert ipo == pytest.approx((math.log(6) / 2 - 1) ** 2)
    own, other = (model(pairs.x).log_softmax(-1) for model in (policy, reference))
    by_hand = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)  # after token 0
    assert _kl(own, other)[0, 0].item() == pytest.approx(by_hand)


@pytest.mark.parametrize(("trained_on", "accuracy"), [("as validated", 1.0), ("flipped", 0.0)])
def test_one_pair_is_learnt_and_a_flipped_one_unlearnt(
    padded_data: Any, trained_on: str, accuracy: float
) -> None:
    """Measured on the same pair, the accuracy goes to 1, or to 0."""
    members = [np.array(part, dtype=np.int32) for part in ([0, 3], [4, 5, 0], [5, 4, 0])]
    swapped = [members[0], members[2], members[1]]
    side, flipped = (
        PairSide(tokens=np.concatenate(one), ends=np.cumsum([len(part) for part in one]))
        for one in (members, swapped)
    )
    train_side = side if trained_on == "as validated" else flipped
    pairs = StoredPairs(train=train_side, validation=side, num_dropped=0)
    data = replace(padded_data, pairs=pairs, folder=None)
    trial, first = started(data, block_size=160, learning_rate=1e-2)
    (report,) = train(trial, data, report_steps=[20], initial=first)
    assert report.metrics()["preference_accuracy"] == accuracy


def test_a_preference_trial_resumes_bit_for_bit(padded_data: Any) -> None:
    """From its own checkpoint, its reference from the weights that it started from."""
    trial, first = started(padded_data, block_size=160)
    whole = [
        (numbers(report), report.checkpoint())
        for report in train(trial, padded_data, report_steps=[5, 9], initial=first)
    ]
    (resumed,) = [
        numbers(report)
        for report in train(
            trial, padded_data, report_steps=[5, 9], initial=first, checkpoint=whole[0][1]
        )
    ]
    assert resumed == whole[1][0]


def test_settings_that_mean_nothing_for_pairs_are_refused(padded_data: Any) -> None:
    """Smoothing, dropped tokens, odd batches, and no model to compare with."""
    for fields in ({"label_smoothing": 0.1}, {"token_dropout": 0.1}, {"batch_size": 3}):
        with pytest.raises(FieldError, match=next(iter(fields))):
            started(padded_data, block_size=160, **fields)
    trial, _ = started(padded_data, block_size=160)
    with pytest.raises(FieldError, match="compares with the model that it starts from"):
        next(iter(train(replace(trial, init_from=None), padded_data, report_steps=[1])))
    with pytest.raises(FieldError, match="preference"):
        replace(trial, preference=None)


def test_another_reference_is_refused(padded_data: Any) -> None:
    """Also where training goes on from a checkpoint, which holds the policy alone."""
    trial, first = started(padded_data, block_size=160)
    (report,) = train(trial, padded_data, report_steps=[1], initial=first)
    other = report.checkpoint()
    with pytest.raises(CheckpointError, match="not the model that the trial started from"):
        next(train(trial, padded_data, report_steps=[1, 2], initial=other, checkpoint=other))


def test_trials_of_other_tasks_keep_their_identity(padded_data: Any) -> None:
    """No setting of preferences is part of them; one of a preference trial comes back whole."""
    assert "preference" not in tiny_trial("kgram").to_dict()
    trial, _ = started(padded_data, block_size=160, beta=0.2)
    assert TrialConfig.from_dict(trial.to_dict()) == trial
