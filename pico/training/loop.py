"""One trial in training: its state, one step, one evaluation, its checkpoint."""

import math
import time
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.facts import compute_facts, forward_passes
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.models.registry import find_architecture
from picosweep.pico.tasks.registry import find_task
from picosweep.pico.training.clock import TrainingClock
from picosweep.pico.training.memory import peak_memory_bytes, reset_peak_memory
from picosweep.pico.training.optim import GradientSize, build_optimizers, clip_gradients, joint_norm
from picosweep.pico.training.precision import Precision
from picosweep.pico.training.progress import Progress
from picosweep.pico.training.report import Report
from picosweep.pico.training.schedule import learning_rate_at
from picosweep.pico.trial import TrialConfig, training_version
from picosweep.pico.weights.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_model_tensors,
    load_optimizer_tensors,
    load_random_tensors,
    model_tensors,
    optimizer_tensors,
    random_tensors,
)
from picosweep.pico.weights.restore import starting_model, untrained_model

ACCELERATOR_SYNC_STEPS: Final = 64
"""Steps between looks at the losses where looking means waiting for the device."""


class TrainingLoop:
    """One trial in training, step by step: what `pico.training.train.train` drives.

    Attributes:
        model: model in training, never its compiled wrapper.
        progress: counters of the trial; `progress.step` optimizer steps are done.
        clock: clock that shows how long training has taken so far.
    """

    def __init__(
        self,
        trial: TrialConfig,
        data: PreparedData,
        *,
        device: str | torch.device = "cpu",
        checkpoint: bytes | None = None,
        initial: bytes | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Build the model and its optimizers, or put them back from a checkpoint.

        Args:
            trial: complete configuration, its precision resolved.
            data: prepared data to train and evaluate on.
            device: device to train on.
            checkpoint: checkpoint of this trial on these data, to go on from; None: start anew.
            initial: checkpoint of another trial, to start from its weights; needed where the trial
                has `init_from` and there is no `checkpoint`.
            now: function that returns the time in seconds, from any start.

        Raises:
            CheckpointError: a checkpoint is damaged or not the one that the trial needs.
            ValueError: the validation part has no whole block, or the precision is `auto` or not
                available on the device.
        """
        self.trial, self.data, self.device = trial, data, torch.device(device)
        reset_peak_memory(self.device)
        config, vocab_size = trial.training, data.meta.vocab_size
        self.model = self._first_model(initial, resumed=checkpoint is not None)
        self._parameters = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizers = build_optimizers(self.model, config, vocab_size=vocab_size)
        self._precision = Precision.named(config.precision, self.device)
        self._task = find_task(trial.task)(trial, data, self.model, self.device, initial)
        self._flops_per_step = trial.tokens_per_step * _flops_per_token(trial, vocab_size)
        self._gradient: GradientSize | None = None
        self._unseen_losses: list[Tensor] = []
        self.progress = Progress()
        # The random stream of training while others may draw: None while training draws from it.
        self._random: dict[str, Tensor] | None = random_tensors(self.device)
        if checkpoint is not None:
            self._restore(Checkpoint.from_bytes(checkpoint))
        self._now = now
        self.clock = TrainingClock(self.progress, now)

    def advance(self, *, measure: bool = False) -> None:
        """Take one optimizer step.

        Args:
            measure: whether the next call is `report`, which needs the size of this gradient.
        """
        self.clock.start_step()
        if self._random is not None:
            load_random_tensors(self._random, self.device)
            self._random = None
        self._set_learning_rate()
        self._unseen_losses.append(self._accumulate_gradients())
        self._precision.unscale(self._optimizers)
        limit = self.trial.training.grad_clip
        self._gradient = clip_gradients(self._parameters, limit, measure=measure)
        self._precision.step(self._optimizers)
        for parameter in self._parameters:
            parameter.grad = None
        self.progress.step += 1
        if measure or self.device.type == "cpu" or not self.progress.step % ACCELERATOR_SYNC_STEPS:
            self._look_at_losses()
        self.clock.end_step(waited=not self._unseen_losses)

    def report(self, *, last: bool = False) -> Report:
        """Evaluate after a measured step; leave the training's random stream as it was.

        Args:
            last: whether the caller stops here, which the report then says.
        """
        if self._random is None:
            self._random = random_tensors(self.device)
        progress = self.progress
        self._look_at_losses()
        train_loss, tokens_per_second = progress.since_report(self.trial.tokens_per_step)
        evaluation = self._evaluate()
        progress.note_validation(evaluation["val_loss"], patience=self.trial.training.patience)
        gradient = self._gradient or GradientSize.unknown()
        return Report(
            step=progress.step,
            tokens=progress.step * self.trial.tokens_per_step,
            flops=progress.step * self._flops_per_step,
            seconds=progress.seconds,
            training_seconds=progress.trained_seconds,
            train_loss=train_loss,
            evaluation=evaluation,
            learning_rate=self._learning_rate(progress.step - 1),
            grad_norm=gradient.norm,
            grad_norm_clipped=gradient.norm_clipped,
            weight_norm=float(joint_norm([p.detach() for p in self._parameters])),
            max_param_grad=gradient.largest,
            tokens_per_second=tokens_per_second,
            peak_memory_bytes=peak_memory_bytes(self.device),
            diverged=progress.diverged,
            finished=last or progress.ended,
            snapshot=Snapshot(self),
        )

    def checkpoint(self) -> bytes:
        """Return the whole state; a loop built from it goes on bit for bit as this one would."""
        self._look_at_losses()
        meta = self.data.meta
        tensors = model_tensors(self.model) | optimizer_tensors(self.model, self._optimizers)
        tensors |= self._random if self._random is not None else random_tensors(self.device)
        state = {
            "training_version": training_version(self.trial.training.precision),
            "trial": self.trial.to_dict(),
            "data_fingerprint": meta.fingerprint,
            "tokenizer_fingerprint": meta.tokenizer_fingerprint,
            "vocab_size": meta.vocab_size,
            "progress": self.progress.to_dict(),
            "scaler": self._precision.state(),
        }
        return Checkpoint(tensors=tensors, state=state).to_bytes()

    def _first_model(self, initial: bytes | None, *, resumed: bool) -> LanguageModel:
        trial, meta = self.trial, self.data.meta
        # Before seeding: importing a user's own class may draw random numbers, once in a process.
        find_architecture(trial.architecture)
        torch.manual_seed(trial.seed)
        if resumed:
            model = untrained_model(trial, meta.vocab_size)
        else:
            model = starting_model(trial, meta.vocab_size, meta.tokenizer_fingerprint, initial)
        return model.to(self.device)

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        if state.get("training_version") != training_version(self.trial.training.precision):
            raise CheckpointError("a checkpoint of another training version")
        if not self.trial.equals(checkpoint.section("trial")):
            raise CheckpointError("a checkpoint of another trial")
        if state.get("data_fingerprint") != self.data.meta.fingerprint:
            raise CheckpointError("a checkpoint of another data fingerprint")
        load_model_tensors(self.model, checkpoint.tensors)
        load_optimizer_tensors(self.model, self._optimizers, checkpoint.tensors)
        self._precision.load_state(checkpoint.section("scaler"))
        self.progress = Progress.from_dict(checkpoint.section("progress"))
        self._random = {n: t for n, t in checkpoint.tensors.items() if n.startswith("rng.")}

    def _accumulate_gradients(self) -> Tensor:
        """Leave the gradient of the step's objective in the parameters; return its mean loss."""
        losses = []
        for batch in self._task.batches(self.progress.step):
            with self._precision.autocast():
                objective, loss = self._task.objective(batch)
            self._precision.backward(objective)
            losses.append(loss)
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _look_at_losses(self) -> None:
        """Bring the losses since the last look to the host: one wait for the device in all."""
        if self._unseen_losses:
            self.progress.add_losses(torch.stack(self._unseen_losses).tolist())
            self._unseen_losses.clear()

    def _evaluate(self) -> dict[str, float]:
        if self.progress.diverged:
            return dict.fromkeys(self._task.columns, math.nan)
        started = self._now()
        evaluation = self._task.evaluate(self._precision.autocast)
        self.progress.seconds += self._now() - started
        return evaluation

    def _learning_rate(self, step: int) -> float:
        return learning_rate_at(step, self.trial.training, self.trial.horizon_steps)

    def _set_learning_rate(self) -> None:
        learning_rate = self._learning_rate(self.progress.step)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate


class Snapshot:
    """A function that makes the checkpoint of one report, until training goes on."""

    def __init__(self, loop: TrainingLoop) -> None:
        self._loop, self._step = loop, loop.progress.step

    def __call__(self) -> bytes:
        """Serialise the loop's state; see `pico.training.report.Report.checkpoint`."""
        if self._loop.progress.step != self._step:
            raise RuntimeError(
                f"the checkpoint of step {self._step} is gone: training is at step "
                f"{self._loop.progress.step}; ask for it before the next report"
            )
        return self._loop.checkpoint()


def _flops_per_token(trial: TrialConfig, vocab_size: int) -> float:
    return compute_facts(
        trial.architecture,
        trial.model,
        vocab_size=vocab_size,
        block_size=trial.block_size,
        batch_size=trial.training.batch_size // trial.training.accumulation,
        optimizer=trial.training.optimizer,
        forward_passes=forward_passes(trial.preference),
    ).flops_per_token
