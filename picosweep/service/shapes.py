"""What the API takes and answers, for its own checks and for those who write clients."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from picosweep.service.queue.submissions import MOST_PRIORITY, State, Submission, Wish

SweepName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$", strict=True)
]
Identifier = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,32}$", strict=True)]
Priority = Annotated[int, Field(ge=-MOST_PRIORITY, le=MOST_PRIORITY)]


class _Taken(BaseModel):
    """What a request sends: unknown keys are slips."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SpecText(_Taken):
    """A spec to look at."""

    spec: str = Field(description="YAML, as `picosweep run` takes it.")


class NewSubmission(SpecText):
    """A sweep to run."""

    priority: Priority = 0
    retry_failed: bool = Field(default=False, description="Trials that failed there before.")
    key: str = Field(
        default="", max_length=200,
        description="Of your own making; the same one submits nothing a second time.",
    )  # fmt: skip


class Resume(_Taken):
    """How to go on with a sweep."""

    retry_failed: bool = False
    spec: str = Field(default="", description="A larger budget or space; empty: as it was.")


class Reorder(_Taken):
    """Where a waiting sweep is to stand."""

    priority: Priority | None = None
    place: int | None = Field(default=None, ge=0, le=1_000_000, description="Among its priority.")


class TrialToStop(_Taken):
    """Which trial is to end at its next report."""

    trial_id: Identifier


class Prompt(_Taken):
    """What a trained model is to go on from, and how."""

    prompt: str = Field(default="", max_length=10_000)
    num_tokens: int = Field(default=100, ge=1, le=1000)
    temperature: float = Field(default=0.75, ge=0, le=100, strict=False)
    seed: int = Field(default=0, ge=0, le=2**31)


class Written(BaseModel):
    """A text: what a trained model wrote, or a driver."""

    text: str


class Nothing(_Taken):
    """A request that says all by its address."""


class LogIn(_Taken):
    """The service's token, once."""

    token: str = Field(max_length=200)


class ProblemShape(BaseModel):
    """One thing wrong with an input."""

    message: str
    where: str = ""
    key: str = ""
    found: str = ""
    allowed: str = ""
    hint: str = ""


class Problems(BaseModel):
    """Why a request was refused."""

    problems: list[ProblemShape]


class SubmissionShape(BaseModel):
    """A submission and where it stands."""

    id: str
    sweep: str
    state: State
    priority: int
    place: int | None = Field(description="In the queue, from 0; null: it does not wait.")
    attempt: int
    wish: Wish
    submitted_at: float
    started_at: float | None
    ended_at: float | None
    exit_code: int | None
    reason: str
    spec: str

    @classmethod
    def of(cls, one: Submission, queue: list[Submission]) -> "SubmissionShape":
        """Return what is told of a submission."""
        row = one.to_row()
        place = next((n for n, other in enumerate(queue) if other.id == one.id), None)
        return cls(place=place, **{name: row[name] for name in cls.model_fields if name != "place"})


class Checked(BaseModel):
    """A spec that would run."""

    sweep: str


class SweepSummary(BaseModel):
    """How far a sweep is."""

    sweep: str
    driver: str | None = Field(description="Which process runs it; null: none does.")
    counts: dict[str, int] = Field(description="Trials by status.")
    num_trials: int
    tokens: int
    started_at: float | None = Field(description="Seconds since the epoch.")
    winners: list[dict[str, Any]] = Field(description="The best trial of each architecture.")
    has_report: bool
    position: str = Field(description="Where its journal stands: the id of the next event's past.")
    submission: str | None = Field(description="Id of its last submission, where it has one.")


class Trials(BaseModel):
    """A page of trials."""

    rows: list[dict[str, Any]]
    next: str | None = Field(description="Give it as `after` for the next page; null: the last.")
    position: str


class CurveShape(BaseModel):
    """Losses of one trial over its steps; null where one is no number."""

    trial_id: str
    architecture: str
    status: str
    steps: list[float]
    losses: list[float | None]


class PointShape(BaseModel):
    """A trial that has reached its architecture's highest rung, by loss and size."""

    trial_id: str
    architecture: str
    num_params: int
    loss: float
    on_front: bool = Field(description="Whether no other one is smaller and better.")


class ExplainedShape(BaseModel):
    """One setting of a spec."""

    path: str
    where: str
    type: str
    default: str
    range: str
    meaning: str


class Health(BaseModel):
    """Whether the service does its work."""

    ok: bool
    trouble: str = ""
