"""The actor that trains one trial after another: a process of Ray that calls pico.

An actor lives for the whole sweep; importing torch and taking its first optimizer step cost
seconds, and are paid once per process.
"""

import contextlib
import faulthandler
import logging
import platform
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import ray
import torch

from picosweep.pico.training.auto_precision import step_seconds
from picosweep.pico.training.process import prepare_process
from picosweep.pico.training.train import train
from picosweep.pico.training_config import PrecisionName
from picosweep.pico.trial import TrialConfig
from picosweep.sweeps.asking.ask import Answers, ask
from picosweep.sweeps.workers.work import Delivery, OwnCode, Shared, StationaryActor, Work

log = logging.getLogger("picosweep")


STDERR: Final = 2
"""File descriptor of the process's log under Ray."""


class TrialActor(StationaryActor):
    """Trains trials, one report a step."""

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare the process and begin the first trial."""
        prepare_process()
        self._take_up(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another trial in the same process."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._take_up(new_config)
        return True

    def _take_up(self, config: dict[str, Any]) -> None:
        work: Work = config["work"]
        self._work = work
        with ends_when_stuck(work.silence_seconds):
            self._begin(work)

    def _begin(self, work: Work) -> None:
        # Tune sends this back with every result.
        self.config = {"trial_id": work.trial_id}
        self._device = _device()
        self._node = platform.node()
        self._failure: str | None = None
        self._before = work.known[-1] if work.known else None
        try:
            work.own_code.take_up(work.trial["architecture"])
            checkpoint = None if work.checkpoint is None else ray.get(work.checkpoint)
            self._reports = train(
                TrialConfig.from_dict(work.trial),
                work.data.open(),
                report_steps=work.plan.steps,
                report_seconds=work.plan.seconds,
                known=[(report["step"], report["training_seconds"]) for report in work.known],
                checkpoint=checkpoint,
                initial=None if work.initial is None else ray.get(work.initial),
                device=self._device,
            )
        except Exception as error:  # noqa: BLE001 - any failure is a recorded status
            self._failure = describe(error)

    def step(self) -> dict[str, Any]:
        """Train to the next report."""
        with ends_when_stuck(self._work.silence_seconds):
            return {"delivery": self._next_delivery()}

    def _next_delivery(self) -> Delivery:
        if self._failure is None:
            try:
                report = next(self._reports)
                metrics, checkpoint = report.metrics(), report.checkpoint()
                rung = self._work.plan.rung_of(metrics, self._before)
                if self._before is None or report.step > self._before["step"]:
                    self._before = metrics
                answers, started = Answers(), time.perf_counter()
                if not report.diverged:
                    answers = ask(self._work.asked.at(rung), checkpoint, self._work.data.open())
                for remark in answers.remarks:
                    log.warning("%s", remark)
                return Delivery(
                    metrics=metrics | answers.scores,
                    checkpoint=checkpoint,
                    asked=answers.rows,
                    asked_seconds=time.perf_counter() - started,
                    finished=report.finished,
                    node=self._node,
                    device=self._device,
                )
            except StopIteration:
                self._failure = "training ended before its last report"
            except Exception as error:  # noqa: BLE001 - any failure is a recorded status
                self._failure = describe(error)
        return Delivery(metrics={}, error=self._failure, node=self._node, device=self._device)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write no file: checkpoints travel with reports, and Tune's own are switched off."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Leave the trial as it is: its checkpoint came with its `Work`."""


def measure_formats(
    trial: TrialConfig,
    data: Shared,
    *,
    own_code: OwnCode,
    initial: bytes | None,
    num_cpus: float,
    num_gpus: float,
) -> dict[PrecisionName, float]:
    """Measure a training step in each number format, in a process like those that train.

    Returns:
        Seconds of a step; empty where Ray's task fails (the model does not fit into memory).
    """
    remote = ray.remote(num_cpus=num_cpus, num_gpus=num_gpus, max_retries=3)(_step_seconds)
    try:
        found: dict[PrecisionName, float] = ray.get(
            remote.remote(trial.to_dict(), data, own_code, initial)
        )
    except ray.exceptions.RayError as error:
        log.warning("a number format could not be measured, fp32 is taken: %s", error)
        return {}
    return found


def _step_seconds(
    trial: dict[str, Any], data: Shared, own_code: OwnCode, initial: bytes | None
) -> dict[PrecisionName, float]:
    prepare_process()
    own_code.take_up(trial["architecture"])
    return step_seconds(TrialConfig.from_dict(trial), data.open(), _device(), initial)


def _device() -> str:
    return "cuda" if ray.get_gpu_ids() and torch.cuda.is_available() else "cpu"


@contextlib.contextmanager
def ends_when_stuck(seconds: float) -> Iterator[None]:
    """End this process, with every thread's traceback in its log, where a block takes longer.

    A thread of C code keeps the time, so a process whose Python is stuck in a library ends too.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def describe(error: BaseException) -> str:
    """Return an exception in one line, with the line of code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
