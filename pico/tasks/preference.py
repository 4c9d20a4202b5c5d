"""Preference training: of two continuations of a prompt the chosen one is to become likelier.

The reference is the model that the trial starts from, frozen. Dropout is off for both: what the
loss compares are log-probabilities of one model before and after, and noise in them is no
preference. Everything a step reads is a pure function of data, seed and step.

Shape suffixes: B members (chosen ones first), P pairs, T positions, V vocabulary.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from picosweep.pico.data.batching.shuffle import keys, shuffled
from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.errors import FieldError
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.targets import IGNORED
from picosweep.pico.tasks.preference_losses import LOSSES, PREFERENCES, PairScores
from picosweep.pico.tasks.preference_pairs import PairBatch, pairs_of
from picosweep.pico.tasks.reference_scores import ReferenceScores, kept_in
from picosweep.pico.trial import TrialConfig
from picosweep.pico.weights.checkpoint import CheckpointError
from picosweep.pico.weights.restore import restore_model, weights_fingerprint

PAIRS_AT_ONCE: Final = 8
"""Pairs in one batch of an evaluation: not the trial's batch size, see language modelling."""

MicroBatch = tuple[PairBatch, float]
"""Pairs, and their share of the step's."""


class Preference:
    """Preference pairs of a prompt's continuations: see `pico.tasks.task.Task`.

    Raises:
        CheckpointError: the weights given are not those that the trial starts from.
        ValueError: the trial does not say what it starts from, no pair can be made, or a setting
            makes no sense for pairs.
    """

    columns: Final = (
        "val_loss",
        "val_accuracy",
        "val_perplexity",
        "bits_per_byte",
        "preference_accuracy",
        "preference_margin",
        "chosen_log_probability",
        "rejected_log_probability",
        "chosen_change",
        "rejected_change",
        "reference_kl",
    )

    def __init__(
        self,
        trial: TrialConfig,
        data: PreparedData,
        model: LanguageModel,
        device: torch.device,
        initial: bytes | None,
    ) -> None:
        if trial.preference is None or trial.init_from is None or initial is None:
            raise FieldError(
                "preference training compares with the model that it starts from",
                field="init_from",
                found=trial.init_from,
                allowed="a trained trial",
            )
        if weights_fingerprint(initial) != trial.init_from:
            raise CheckpointError("the reference is not the model that the trial started from")
        self._config: PreferenceConfig = trial.preference
        self._model, self._device, self._seed = model, device, trial.seed
        self._accumulation = trial.training.accumulation
        self._pairs_per_step = trial.training.batch_size // 2
        self._reference = restore_model(initial, block_size=trial.block_size).model.to(device)
        self._reference.requires_grad_(False)
        self._train = pairs_of(data, self._config, trial.block_size, validates=False)
        self._references = self._reference_scores(trial, data)
        validation = pairs_of(data, self._config, trial.block_size, validates=True)
        number = min(len(validation), max(1, trial.validation_tokens // (2 * trial.block_size)))
        chosen = np.linspace(0, len(validation) - 1, number).astype(np.int64)
        self._validation = [
            self._on_device(validation.batch(chosen[start : start + PAIRS_AT_ONCE]))
            for start in range(0, number, PAIRS_AT_ONCE)
        ]
        self._token_bytes_V = torch.as_tensor(data.token_bytes).to(device)

    def _reference_scores(self, trial: TrialConfig, data: PreparedData) -> ReferenceScores:
        micro_batch = self._pairs_per_step // self._accumulation
        file = kept_in(trial, data, len(self._train), micro_batch, self._device)

        @torch.no_grad()
        def compute(pairs: PairBatch) -> Tensor:
            return _log_probabilities(self._reference, pairs)[0]

        return ReferenceScores(compute, len(self._train), file)

    def batches(self, step: int) -> list[MicroBatch]:
        """Return the pairs of one optimizer step: each once an epoch, in a new order."""
        places = np.arange(step * self._pairs_per_step, (step + 1) * self._pairs_per_step)
        epoch, place = np.divmod(places, len(self._train))
        numbers = shuffled(place, len(self._train), keys(self._seed, 0, epoch))
        parts = np.array_split(numbers, self._accumulation)
        return [
            (self._on_device(self._train.batch(part)), len(part) / len(numbers)) for part in parts
        ]

    def objective(self, batch: MicroBatch) -> tuple[Tensor, Tensor]:
        """Return the mean loss over pairs twice: with a gradient, and without."""
        pairs, share = batch
        was_training = self._model.training
        self._model.eval()
        policy_B, tokens_B = _log_probabilities(self._model, pairs)
        self._model.train(was_training)
        # What has no reference in its loss is compared with itself: no gradient, no cost.
        reference_B = self._references.of(pairs) if self._config.has_reference else policy_B
        scores = _scores(policy_B, reference_B.detach(), tokens_B)
        loss = LOSSES[self._config.preference_loss](scores, self._config).mean() * share
        return loss, loss.detach()

    @torch.no_grad()
    def evaluate(self, autocast: Callable[[], AbstractContextManager[object]]) -> dict[str, float]:
        """Measure the model on pairs of validation documents.

        Returns:
            a value for each of `columns`: `val_loss` is the preference loss, accuracy, perplexity
            and bits per byte are those of the chosen completions' tokens, log-probabilities are
            means over pairs in nats, `reference_kl` is the exact KL divergence from the reference
            in nats per completion token of both members.
        """
        was_training = self._model.training
        self._model.eval()
        scores, totals = [], torch.zeros(5, dtype=torch.float64)
        for pairs in self._validation:
            with autocast():
                logits_BTV = self._model(pairs.x)
                reference_BTV = self._reference(pairs.x)
            own_BTV = logits_BTV.float().log_softmax(-1)
            other_BTV = reference_BTV.float().log_softmax(-1)
            counted_BT = pairs.y != IGNORED
            kl_BT = _kl(own_BTV, other_BTV).masked_fill(~counted_BT, 0)
            found_B, tokens_B = _of_targets(own_BTV, pairs.y)
            reference_B, _ = _of_targets(other_BTV, pairs.y)
            scores.append(_scores(found_B, reference_B, tokens_B))
            half = pairs.num_pairs
            y_CT = pairs.y[:half]
            right_CT = (own_BTV[:half].argmax(-1) == y_CT) & counted_BT[:half]
            num_bytes = (self._token_bytes_V[y_CT.clamp(min=0)] * counted_BT[:half]).sum()
            values = (kl_BT.sum(), counted_BT.sum(), right_CT.sum(),
                      tokens_B[:half].sum(), num_bytes)  # fmt: skip
            totals += torch.stack([value.double().cpu() for value in values])
        self._model.train(was_training)
        return self._means(_joined(scores), *totals.tolist())

    def _means(
        self,
        scores: PairScores,
        kl: float,
        counted: float,
        right: float,
        tokens: float,
        size: float,
    ) -> dict[str, float]:
        nats = -float(scores.chosen.double().sum())
        losses_P = LOSSES[self._config.preference_loss](scores, self._config).double()
        difference_P = PREFERENCES[self._config.preference_loss](scores)
        wins_P = (difference_P > 0).double() + 0.5 * (difference_P == 0).double()
        change = {
            "chosen_change": scores.chosen - scores.chosen_reference,
            "rejected_change": scores.rejected - scores.rejected_reference,
            "chosen_log_probability": scores.chosen,
            "rejected_log_probability": scores.rejected,
            "preference_margin": scores.margin,
        }
        return {
            "val_loss": float(losses_P.mean()),
            "val_accuracy": right / tokens,
            "val_perplexity": float(np.exp(min(700.0, nats / tokens))),
            "bits_per_byte": nats / float(np.log(2)) / size if size else float("nan"),
            "preference_accuracy": float(wins_P.mean()),
            "reference_kl": max(0.0, kl / counted),
            **{name: float(values_P.double().mean()) for name, values_P in change.items()},
        }

    def _on_device(self, pairs: PairBatch) -> PairBatch:
        return replace(pairs, x=pairs.x.to(self._device), y=pairs.y.to(self._device))


def _log_probabilities(model: LanguageModel, pairs: PairBatch) -> tuple[Tensor, Tensor]:
    """Return each member's log-probability of its completion, and the completion's tokens."""
    return _of_targets(model(pairs.x).float().log_softmax(-1), pairs.y)


def _kl(own_BTV: Tensor, other_BTV: Tensor) -> Tensor:
    """Return the KL divergence of log-probabilities from others, exact: over the vocabulary."""
    own_p_BTV = own_BTV.exp()
    # What has no probability adds nothing, also where the other gives it none either.
    return (own_p_BTV * (own_BTV - other_BTV)).masked_fill(own_p_BTV == 0, 0).sum(-1)


def _of_targets(log_probs_BTV: Tensor, y_BT: Tensor) -> tuple[Tensor, Tensor]:
    counted_BT = y_BT != IGNORED
    target_BT1 = y_BT.clamp(min=0).unsqueeze(-1)
    found_BT = log_probs_BTV.gather(-1, target_BT1).squeeze(-1)
    # Not multiplied: where a model rules a token out, its log-probability is minus infinity.
    return found_BT.masked_fill(~counted_BT, 0).sum(-1), counted_BT.sum(-1)


def _scores(policy_B: Tensor, reference_B: Tensor, tokens_B: Tensor) -> PairScores:
    (chosen, rejected), (before, after), (num_chosen, num_rejected) = (
        one.chunk(2) for one in (policy_B, reference_B, tokens_B)
    )
    return PairScores(
        chosen=chosen,
        rejected=rejected,
        chosen_reference=before,
        rejected_reference=after,
        chosen_tokens=num_chosen,
        rejected_tokens=num_rejected,
    )


def _joined(scores: list[PairScores]) -> PairScores:
    return PairScores(
        **{name: torch.cat([getattr(one, name) for one in scores]) for name in vars(scores[0])}
    )
