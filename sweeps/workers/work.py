"""What goes between driver and actors: work one way, deliveries the other."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
from ray import tune

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.models.user_code import code_hash, extend_search_path
from picosweep.sweeps.asking.plan import AskPlan
from picosweep.sweeps.decisions.trial import Assignment
from picosweep.sweeps.spec.report_plan import COLUMNS, ReportPlan
from picosweep.sweeps.spec.schema import Spec


class StationaryActor(tune.Trainable):
    """An actor that stays in the folder where its process was started.

    Tune would have it change to a folder of the trial's. What says that it may not could come with
    the actor's environment, but then Ray gives it no process that waits for work already.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
        super().__init__(*args, **options)


@dataclass(frozen=True)
class Shared:
    """The prepared data: on this machine by path, on others out of Ray's object store."""

    folder: Path | None
    fingerprint: str
    reference: "ray.ObjectRef[PreparedData] | None"

    def open(self) -> PreparedData:
        """Open the data without copying it into this process."""
        return _open_data(self)


@lru_cache(maxsize=4)
def _open_data(shared: Shared) -> PreparedData:
    if shared.folder is not None and shared.folder.is_dir():
        data = PreparedData.open(shared.folder)
        if data.meta.fingerprint == shared.fingerprint:
            return data
    if shared.reference is None:
        raise FileNotFoundError(f"the prepared data is gone: {shared.folder}")
    return ray.get(shared.reference)


@dataclass(frozen=True)
class OwnCode:
    """Where a process finds the user's own modules, and which text they must have.

    Ray would put the driver's current folder first on every process's path, where a user's
    `tokenizers.py` or `statistics.py` is imported in place of the library's.
    """

    search_path: tuple[str, ...]
    """Folders from which the driver imports."""
    hashes: Mapping[str, str]
    """By import path of a class; a trial's identity holds the hash."""

    def take_up(self, model: str) -> None:
        """Make a trial's class importable here.

        Raises:
            RuntimeError: its files are others than those that the trial's identity means.
        """
        extend_search_path(self.search_path)
        expected = self.hashes.get(model)
        if expected is not None and _hash_of(model) != expected:
            raise RuntimeError(
                f"the code of {model} has changed since the sweep was started: run the command"
                " again, which trains what is new"
            )


@lru_cache
def _hash_of(model: str) -> str:
    """Return the hash of what this process has imported, which it does once."""
    return code_hash(model)


@dataclass(frozen=True)
class Work:
    """One trial for an actor. Opaque to Tune, which would otherwise take it for a search space."""

    trial_id: str
    trial: dict[str, Any]
    plan: ReportPlan
    known: tuple[dict[str, Any], ...]
    """Step and training seconds of the reports that the driver has, in the order of training."""
    data: Shared
    own_code: OwnCode
    asked: AskPlan
    initial: "ray.ObjectRef[bytes] | None"
    """The checkpoint whose weights the trial starts from; None: random weights."""
    checkpoint: "ray.ObjectRef[bytes] | None"
    silence_seconds: float
    """Time after which a step counts as hanging, and the process ends."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "Work":
        """Return the same object: it is immutable, and Tune copies configurations many times."""
        return self


class WorkMaker:
    """Turns an assignment into what an actor needs to train it.

    Args:
        spec: after which silence a process is ended.
        asked: what trials are asked at their rungs.
        data: the prepared data by its fingerprint.
        own_code: what trials of the user's own classes need.
        initial: the checkpoints whose weights trials start from, by architecture; random weights
            where it is absent.
    """

    def __init__(
        self,
        spec: Spec,
        asked: AskPlan,
        data: Mapping[str, Shared],
        own_code: OwnCode,
        initial: Mapping[str, bytes],
    ) -> None:
        self._own_code = own_code
        self._asked = asked
        self._data = data
        put = {content: ray.put(content) for content in set(initial.values())}
        self._initial = {name: put[content] for name, content in initial.items()}
        self._silence_seconds = 60 * spec.limits.minutes_without_report

    def work_of(self, assignment: Assignment) -> Work:
        """Return the work; its checkpoint is put into Ray's object store."""
        candidate, checkpoint = assignment.candidate, assignment.checkpoint
        return Work(
            trial_id=candidate.trial_id,
            trial=candidate.trial.to_dict(),
            plan=candidate.plan,
            known=tuple(
                {name: report.get(name) for name in COLUMNS.values()}
                for report in assignment.reports
            ),
            data=self._data[candidate.fingerprints["data_fingerprint"]],
            own_code=self._own_code,
            asked=self._asked,
            initial=self._initial.get(candidate.architecture),
            checkpoint=None if checkpoint is None else ray.put(checkpoint),
            silence_seconds=self._silence_seconds,
        )


@dataclass
class Delivery:
    """What an actor sends back: an evaluation, or the reason why there will be none."""

    metrics: dict[str, Any]
    # Tune formats every result twice for messages at a level that is off: 40 ms for each megabyte.
    checkpoint: bytes | None = field(default=None, repr=False)
    asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False)
    """What the model answered, rows by table."""
    asked_seconds: float = 0.0
    """Time that asking took: the trial's own clock leaves it out."""
    finished: bool = False
    error: str | None = None
    node: str = ""
    device: str = ""
