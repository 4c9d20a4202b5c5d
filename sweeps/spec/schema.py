"""The spec: what a person writes to describe a sweep, checked before anything runs.

`load_spec` reads a YAML file into a `Spec`. Every mistake is reported with its file and line, its
key path, what was found and what is allowed. Defaults live here (the sweep), in
`pico.data.config` (the data) and in the dataclasses of `pico` (hyperparameters), each in one place.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
    field_validator,
    model_validator,
)

from picosweep.pico.data.config import DataConfig
from picosweep.pico.evaluation.scores import SuiteName
from picosweep.pico.field_checks import meanings_of
from picosweep.pico.probes.kinds import ProbeKind
from picosweep.sweeps.store.columns import ALL
from picosweep.sweeps.store.tables import OBJECTIVES

if TYPE_CHECKING:
    Metric = str
else:
    Metric = Literal[OBJECTIVES]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Objective(_Section):
    """What the sweep looks for; the first objective drives early stopping."""

    metric: Metric = Field(default="val_loss", description="A column of `reports` or `trials`.")
    goal: Literal["minimize", "maximize"] = Field(
        default="minimize",
        description="Which way is better; where it is left out, `maximize` for `val_accuracy` and "
        "`minimize` for all others.",
    )

    @model_validator(mode="before")
    @classmethod
    def _goal_of_metric(cls, written: Any) -> Any:
        """Fill in the goal that the metric has by its nature."""
        if not isinstance(written, Mapping) or written.get("goal") is not None:
            return written
        column = ALL.get(str(written.get("metric", "val_loss")))
        return {**written, "goal": (column and column.goal) or "minimize"}


def _whole_where_whole(value: Any, check: ValidatorFunctionWrapHandler) -> float:
    """Return whole numbers as integers: 5 and 5.0 are one budget, which a trial's id depends on."""
    checked: float = check(value)
    return int(value) if checked.is_integer() else checked


class Budget(_Section):
    """How long trials train: rungs at min·factor^k for k from 0; the last is the end."""

    unit: Literal["tokens", "steps", "flops", "seconds"] = Field(
        default="tokens",
        description="Seconds are those of training, evaluation left out; how many steps a trial "
        "takes in them depends on the machine.",
    )
    min: Annotated[float, WrapValidator(_whole_where_whole)] = Field(
        gt=0, description="The first rung, in `unit`; a whole number but for seconds."
    )
    factor: int = Field(default=3, ge=2, description="Ratio of one rung to the one before.")
    rungs: int = Field(default=4, ge=1, le=20, description="How many; the last ends a trial.")
    reports_per_rung: int = Field(
        default=2, ge=1, le=100, description="Evaluations from one rung to the next, it included."
    )

    @property
    def milestones(self) -> tuple[float, ...]:
        """The rungs, in `unit`."""
        return tuple(self.min * self.factor**rung for rung in range(self.rungs))

    @property
    def marks(self) -> tuple[float, ...]:
        """The rungs and the reports between them, in `unit`, as if it could be cut anywhere."""
        between = (mark for rung in self.milestones for mark in self.on_the_way_to(rung))
        return tuple(sorted({*self.milestones, *between}))

    def on_the_way_to(self, rung: float) -> list[float]:
        """Return the reports between a rung and the one before, evenly on a logarithmic scale."""
        parts = range(1, self.reports_per_rung)
        return [rung * self.factor ** (-part / self.reports_per_rung) for part in parts]


class Evaluation(_Section):
    """The fixed part of the validation split on which every trial is measured."""

    tokens: int = Field(
        default=32_768, gt=0, description="Tokens read, always the same; at most all there are."
    )


class Search(_Section):
    """How configurations are chosen, for each architecture by a sampler of its own."""

    sampler: Literal["tpe", "random", "qmc", "gp", "cmaes", "nsga2", "grid"] = Field(
        default="tpe",
        description="`cmaes` takes one objective only, `grid` values that can be listed.",
    )
    trials_per_architecture: int = Field(
        default=8, ge=1, description="Trials of the search; those of `confirm` come on top."
    )
    startup_trials: int = Field(
        default=10, ge=1, description="Random configurations before the sampler's model takes over."
    )
    seed: int = Field(default=0, ge=0, description="Of the samplers and of the exempt cohort.")
    enqueue: dict[str, list[dict[str, Any]]] = Field(
        default_factory=dict,
        description="Settings to try first, by architecture; the sampler fills in the rest.",
    )


class EarlyStopping(_Section):
    """When weak trials are ended before the last rung, each architecture against its own."""

    scheduler: Literal["asha", "median", "none"] = Field(
        default="asha",
        description="`asha` lets the best `1/factor` of a rung's arrivals go on; `median` stops a "
        "trial whose best value is worse than the median of the others' means so far.",
    )
    exempt_fraction: float = Field(
        default=0.0, ge=0, le=1, description="Share of trials, at random, that is never stopped."
    )


class Confirm(_Section):
    """Winners re-run on fresh seeds at full budget, to tell merit from luck."""

    top: int = Field(default=0, ge=0, description="Settings per architecture; 0 for none.")
    seeds: int = Field(default=2, ge=1, description="Fresh seeds for each setting.")


class Sft(_Section):
    """How the references of preference training are trained first: a sweep of language modelling.

    It is kept as the sweep `NAME-sft`; each architecture's best trial is its reference.
    """

    budget: Budget = Field(description="How long; the best at the last rung is the reference.")
    search: Search = Field(default_factory=Search)
    early_stopping: EarlyStopping = Field(default_factory=EarlyStopping)
    common: dict[str, Any] = Field(
        default_factory=dict, description="Hyperparameters of training, for every architecture."
    )
    architectures: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Hyperparameters of training by architecture. What the model is stands in the "
        "sweep's own `architectures`.",
    )


class _AtRungs(_Section):
    """What is asked of models at some rungs."""

    rungs: Literal["last", "all"] | list[Annotated[int, Field(ge=0)]] = Field(
        default="last", description="At which rungs: these, by number from 0."
    )

    def at(self, num_rungs: int) -> list[int]:
        """Return the rungs by number."""
        if self.rungs == "all":
            return list(range(num_rungs))
        return [num_rungs - 1] if self.rungs == "last" else list(self.rungs)


class Samples(_AtRungs):
    """Texts that trials write as they learn, for people to read."""

    prompts: list[str] = Field(
        default_factory=list, description="What texts begin with; none: no texts."
    )
    num_tokens: int = Field(default=48, ge=1, description="Most tokens after each prompt.")


class Evaluate(_AtRungs):
    """Suites of scored items that trials are put to: what they can do, beside baselines."""

    suite: list[SuiteName] = Field(
        default_factory=list,
        description="`code`, `text` or both as a list; the first gives `suite_score`. None: none.",
    )
    texts: list[str] = Field(
        default_factory=list,
        description="Paths of text files whose perplexity the suite `text` takes as well.",
    )
    sandbox: Literal["auto", "none"] = Field(
        default="auto",
        description="`none` runs what models write with your rights, for a machine that you can "
        "throw away; by default it is confined, or not run where it cannot be.",
    )

    @field_validator("suite", mode="before")
    @classmethod
    def _one_is_a_list(cls, written: Any) -> Any:
        """Let a single name stand without brackets."""
        return [written] if isinstance(written, str) else written


class Probes(_AtRungs):
    """How trials do it: their attention, their heads, their token vectors, their neurons."""

    kinds: list[ProbeKind] = Field(default_factory=list, description="Which; none: no probes.")
    prompt: str = Field(default="", description="Text that `attention` is looked at over.")
    groups: str | None = Field(
        default=None,
        description="A file of JSON lines with `label` and `text`, whose groups `neurons` are to "
        "tell apart; without one, the sources of a mixture.",
    )


class Resources(_Section):
    """What one trial occupies; as many trials run at once as the machine or cluster holds."""

    cpu: float = Field(default=1, gt=0, description="Processor cores that one trial occupies.")
    gpu: float = Field(default=0, ge=0, description="Graphics cards, or a part: 0.25 puts four on.")
    max_concurrent: int | None = Field(
        default=None, ge=1, description="Most trials at once; null: as many as there is room for."
    )


class Limits(_Section):
    """When to end the sweep as a whole."""

    minutes: float | None = Field(default=None, gt=0, description="Of one run of the command.")
    tokens: int | None = Field(
        default=None, gt=0, description="Trained by the sweep in all, over all runs."
    )
    max_failed_trials: int = Field(default=0, ge=0, description="More than these end it, code 3.")
    attempts: int = Field(default=3, ge=1, description="Processes a trial may lose, plus one.")
    minutes_without_report: float = Field(
        default=60, gt=0, description="Longer than that, a trial hangs, and its process is ended."
    )


def _section_of(config_class: type[Any]) -> type[BaseModel]:
    """Return a section that has all that one of pico's dataclasses has, but for its checks."""
    hints = typing.get_type_hints(config_class)
    meanings = meanings_of(config_class)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(config_class):
        annotation = hints[field.name]
        default: dict[str, Any] = {"default": field.default}
        if dataclasses.is_dataclass(annotation):
            assert isinstance(annotation, type)
            annotation = _section_of(annotation)
            default = {"default_factory": annotation}
        elif typing.get_origin(annotation) is tuple:  # a spec has lists
            annotation = list[typing.get_args(annotation)[0]]  # type: ignore[misc]
            default = {"default_factory": list}
        fields[field.name] = (annotation, Field(**default, description=meanings.get(field.name)))
    return create_model(
        config_class.__name__, __base__=_Section, __doc__=config_class.__doc__, **fields
    )


DataSection = _section_of(DataConfig)

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Spec(_Section):
    """A whole sweep, as written in YAML."""

    name: _Name = Field(description="Names the results' folder: letters, digits, `.`, `_`, `-`.")
    task: Literal["language_modeling", "preference"] = Field(
        default="language_modeling",
        description="What models are trained to do: predict text, or prefer one of two "
        "continuations, starting from `init_from` or from what `sft` trains first.",
    )
    seed: int = Field(default=0, ge=0, description="Training seed of every searched trial.")
    init_from: str | dict[str, str] | None = Field(
        default=None,
        description="A trial, by its id, whose weights every trial starts from; or one for each "
        "architecture by its name.",
    )
    sft: Sft | None = Field(
        default=None,
        description="Trains what preference training starts from, in place of `init_from`.",
    )
    data: DataSection  # type: ignore[valid-type]
    objectives: list[Objective] = Field(
        default_factory=lambda: [Objective()],
        min_length=1,
        description="The first drives early stopping and the ranking.",
    )
    budget: Budget
    evaluation: Evaluation = Field(default_factory=Evaluation)
    search: Search = Field(default_factory=Search)
    early_stopping: EarlyStopping = Field(default_factory=EarlyStopping)
    confirm: Confirm = Field(default_factory=Confirm)
    samples: Samples = Field(default_factory=Samples)
    evaluate: Evaluate = Field(default_factory=Evaluate)
    probes: Probes = Field(default_factory=Probes)
    resources: Resources = Field(default_factory=Resources)
    limits: Limits = Field(default_factory=Limits)
    common: dict[str, Any] = Field(
        default_factory=dict,
        description="Hyperparameters of every architecture that has them; its own entry overrides.",
    )
    preference: dict[str, Any] = Field(
        default_factory=dict,
        description="Hyperparameters of the task `preference`, for every architecture: `loss`, "
        "`beta`, `gamma`, `label_flip`, `corruption`, `prompt_tokens`; and in place of the last "
        "two `pairs`, a file of your own with `prompt`, `chosen` and `rejected`.",
    )
    architectures: dict[str, dict[str, Any]] = Field(
        min_length=1,
        description="By name: the space of each, and, where it is not one of the four, its "
        "`preset` or `model`.",
    )
    constraints: list[str] = Field(
        default_factory=list,
        description="Expressions over hyperparameters and facts that hold for every trial.",
    )

    @model_validator(mode="before")
    @classmethod
    def _objectives_of_task(cls, written: Any) -> Any:
        """Fill in what preference training is for, where no objective is written."""
        if not isinstance(written, Mapping) or written.get("task") != "preference":
            return written
        if written.get("objectives"):
            return written
        metrics = ("preference_accuracy", "reference_kl")
        return {**written, "objectives": [{"metric": metric} for metric in metrics]}

    @functools.cached_property
    def data_config(self) -> DataConfig:
        """The data section as `pico` takes it."""
        config: DataConfig = _to_dataclass(DataConfig, self.data)
        return config


def without_null(annotation: Any) -> Any:
    """Return what a setting is where it is there: of `X | None` the X, all else as it is."""
    if typing.get_origin(annotation) is not types.UnionType:
        return annotation
    kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
    return kinds[0] if len(kinds) == 1 else annotation


def _to_dataclass(config_class: type[Any], section: Any) -> Any:
    hints = typing.get_type_hints(config_class)
    values = {}
    for field in dataclasses.fields(config_class):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            value = _to_dataclass(hints[field.name], value)
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return config_class(**values)
