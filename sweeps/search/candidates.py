"""From a sampler's choice to a trial: complete configuration, identity, facts, and what forbids it.

A trial is a pure function of its configuration, and `trial_id` is the hash of all of it, so equal
ids mean equal rows. A configuration that a constraint forbids never becomes a trial: parameters,
FLOPs and memory are computed, not trained.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields as dataclass_fields, replace
from typing import Any, Protocol

from picosweep.pico.errors import FieldError
from picosweep.pico.facts import Facts, compute_facts, forward_passes
from picosweep.pico.models.interface import ModelConfig
from picosweep.pico.models.registry import MODELS
from picosweep.pico.preference_config import PreferenceConfig
from picosweep.pico.training_config import TrainingConfig
from picosweep.pico.trial import TrialConfig, build_config, resolve, training_version
from picosweep.pico.weights.starting import StartingWeights
from picosweep.sweeps.search.number_formats import NumberFormats, Place
from picosweep.sweeps.spec.architectures import NamedArchitecture
from picosweep.sweeps.spec.expressions import Expression
from picosweep.sweeps.spec.hyperparameters import NO_LAST_STEP, DataSettings
from picosweep.sweeps.spec.parameters import Space, Value
from picosweep.sweeps.spec.report_plan import ReportPlan, plan_reports
from picosweep.sweeps.spec.schema import Spec

_TRIAL_FIELDS = frozenset(field.name for field in dataclass_fields(TrialConfig))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration that may be trained."""

    trial_id: str
    trial: TrialConfig
    chosen: dict[str, Value]
    """What the sampler chose; the rest of the configuration is fixed or defaults."""
    facts: Facts
    plan: ReportPlan
    architecture: str
    """Its name in the spec."""
    config: str
    """Canonical JSON whose hash is the id."""
    data: DataSettings
    """The data it sees."""
    fingerprints: dict[str, str]
    """Fingerprints of the data and the tokenizer, by column name."""

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Every hyperparameter with its default filled in, by column name."""
        trial = self.trial
        of_task = {} if trial.preference is None else vars(trial.preference)
        return vars(trial.model) | vars(trial.training) | vars(self.data) | of_task

    @property
    def predicted_flops(self) -> float:
        """Training cost to the last rung, a guess at run time before anything was measured.

        That of one step where the budget is in seconds: no trial takes longer than another.
        """
        steps = self.plan.last_step or 1
        return self.facts.flops_per_token * self.trial.tokens_per_step * steps

    @property
    def place(self) -> Place:
        """Where it lies among others whose number format is measured."""
        return _place(self.facts, self.trial.training, self.data)


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why a configuration may not be trained."""

    reason: str
    field: str | None = None
    """The hyperparameter whose value is to blame, as far as known."""
    involved: tuple[str, ...] = ()
    """Others that are to blame with it; with none, the value is impossible in every company."""


class DataIdentity(Protocol):
    """What a trial's configuration holds of the prepared data."""

    @property
    def fingerprint(self) -> str:
        """Hash of the tokens and of how a step sees them."""

    @property
    def tokenizer_fingerprint(self) -> str:
        """Hash of the tokenizer."""

    @property
    def vocab_size(self) -> int:
        """Number of different tokens."""


class CandidateFactory:
    """Builds candidates for one sweep over its prepared data.

    Args:
        spec: budget, data, task and seed that all trials share.
        architectures: the architectures by their names in the spec.
        data: identity of the prepared data, by the vocabulary size that was asked for.
        constraints: the spec's constraints, parsed.
        starts: the weights that trials start from, by architecture; random ones where it is absent.
        formats: what `precision: auto` means, by architecture; `auto` stays where it is absent.
    """

    def __init__(
        self,
        spec: Spec,
        architectures: Mapping[str, NamedArchitecture],
        data: Mapping[int, DataIdentity],
        constraints: tuple[Expression, ...] = (),
        starts: Mapping[str, StartingWeights] | None = None,
        formats: Mapping[str, NumberFormats] | None = None,
    ) -> None:
        self._spec = spec
        self._architectures = architectures
        self._data = data
        self._constraints = constraints
        self._starts = starts or {}
        self._formats = formats or {}

    def with_formats(self, formats: Mapping[str, NumberFormats]) -> "CandidateFactory":
        """Return the same factory with `precision: auto` settled, which a trial's id depends on."""
        return CandidateFactory(
            self._spec,
            self._architectures,
            self._data,
            self._constraints,
            self._starts,
            formats,
        )

    def build(
        self, architecture: str, chosen: Mapping[str, Value], seed: int
    ) -> Candidate | Rejection:
        """Complete a configuration; return the reason instead where it cannot be trained."""
        try:
            named = self._architectures[architecture]
            start = self._starts.get(architecture)
            model, training, data, preference = self._resolve(named, chosen)
            facts = self._facts(named.model, model, training, data, preference)
            if training.precision == "auto" and architecture in self._formats:
                found = self._formats[architecture].at(_place(facts, training, data))
                training = replace(training, precision=found)
            values = vars(model) | vars(training) | vars(data) | vars(facts)
            values |= {} if preference is None else vars(preference)
            for constraint in self._constraints:
                if constraint.names <= values.keys() and not constraint(values):
                    return Rejection(reason=constraint.text)
            tokens_per_step = training.batch_size * data.block_size
            plan = plan_reports(self._spec.budget, tokens_per_step, facts.flops_per_token)
            if training.needs_horizon and plan.last_step is None:
                return Rejection(reason=NO_LAST_STEP.format(f"the schedule {training.schedule}"))
            trial = TrialConfig(
                architecture=named.model,
                model=model,
                training=training,
                task=self._spec.task,
                preference=preference,
                block_size=data.block_size,
                validation_tokens=self._spec.evaluation.tokens,
                seed=seed,
                init_from=None if start is None else start.fingerprint,
                horizon_steps=plan.last_step if training.needs_horizon else None,
            )
            if start is not None:
                identity = self._identity(chosen)
                start.check(trial, identity.vocab_size, identity.tokenizer_fingerprint)
        except FieldError as error:
            return Rejection(reason=str(error), field=error.field, involved=error.involved)
        except ValueError as error:
            return Rejection(reason=str(error))
        except Exception as error:
            if self._architectures[architecture].model in MODELS:
                raise
            # A user's own class was made and run to count its parameters and FLOPs.
            return Rejection(reason=f"the model raised {type(error).__name__}: {error}")
        identity = self._identity(chosen)
        return self._candidate(named, trial, dict(chosen), identity, facts, plan)

    def with_seed(self, candidate: Candidate, seed: int) -> Candidate:
        """Return the same configuration with another training seed."""
        named = self._architectures[candidate.architecture]
        trial = replace(candidate.trial, seed=seed)
        identity = self._identity(candidate.chosen)
        return self._candidate(
            named, trial, candidate.chosen, identity, candidate.facts, candidate.plan
        )

    def from_config(self, config: str, spaces: Mapping[str, Space]) -> Candidate | None:
        """Rebuild a stored trial; return None where other data or other code trained it."""
        stored = json.loads(config)
        try:
            named = self._architectures[stored["name"]]
            trial = stored_trial(stored)
            asked, identity = next(
                (asked, identity)
                for asked, identity in self._data.items()
                if identity.fingerprint == stored["data"]
            )
            data = DataSettings(block_size=trial.block_size, vocab_size=identity.vocab_size)
            facts = self._facts(
                trial.architecture, trial.model, trial.training, data, trial.preference
            )
            plan = plan_reports(self._spec.budget, trial.tokens_per_step, facts.flops_per_token)
        except (ValueError, KeyError, StopIteration):
            return None
        settings = vars(trial.model) | vars(trial.training) | vars(data)
        settings |= {} if trial.preference is None else vars(trial.preference)
        chosen = spaces[named.name].extract(settings | {"vocab_size": asked})
        formats = self._formats.get(named.name)
        if formats is not None and "precision" in chosen:
            found = formats.at(_place(facts, trial.training, data))
            if chosen["precision"] == found:
                chosen = spaces[named.name].with_auto(chosen, "precision")
        candidate = self._candidate(named, trial, chosen, identity, facts, plan)
        return candidate if candidate.config == config else None

    def _resolve(
        self, named: NamedArchitecture, chosen: Mapping[str, Value]
    ) -> tuple[ModelConfig, TrainingConfig, DataSettings, PreferenceConfig | None]:
        of_data = {field.name for field in dataclass_fields(DataSettings)}
        of_task: dict[str, Value] = {}
        preference = None
        if self._spec.task == "preference":
            names = {field.name for field in dataclass_fields(PreferenceConfig)}
            of_task = {name: value for name, value in chosen.items() if name in names}
            preference = build_config(PreferenceConfig, of_task)
        own = {n: value for n, value in chosen.items() if n not in of_data | of_task.keys()}
        model, training = resolve(named.model, own)
        block_size = chosen.get("block_size", self._spec.data_config.block_size)
        assert isinstance(block_size, int)
        data = DataSettings(block_size=block_size, vocab_size=self._identity(chosen).vocab_size)
        return model, training, data, preference

    def _identity(self, chosen: Mapping[str, Value]) -> DataIdentity:
        asked = chosen.get("vocab_size", self._spec.data_config.tokenizer.vocab_size)
        assert isinstance(asked, int)
        return self._data[asked]

    def _facts(
        self,
        architecture: str,
        model: ModelConfig,
        training: TrainingConfig,
        data: DataSettings,
        preference: PreferenceConfig | None,
    ) -> Facts:
        return compute_facts(
            architecture,
            model,
            vocab_size=data.vocab_size,
            block_size=data.block_size,
            batch_size=training.batch_size // training.accumulation,
            optimizer=training.optimizer,
            forward_passes=forward_passes(preference),
        )

    def _candidate(
        self,
        named: NamedArchitecture,
        trial: TrialConfig,
        chosen: dict[str, Value],
        identity: DataIdentity,
        facts: Facts,
        plan: ReportPlan,
    ) -> Candidate:
        config = self._canonical(named, trial, identity)
        return Candidate(
            trial_id=hashlib.blake2b(config.encode(), digest_size=8).hexdigest(),
            trial=trial,
            chosen=chosen,
            facts=facts,
            plan=plan,
            architecture=named.name,
            config=config,
            data=DataSettings(block_size=trial.block_size, vocab_size=identity.vocab_size),
            fingerprints={
                "data_fingerprint": identity.fingerprint,
                "tokenizer_fingerprint": identity.tokenizer_fingerprint,
            },
        )

    def _canonical(
        self, named: NamedArchitecture, trial: TrialConfig, identity: DataIdentity
    ) -> str:
        """Return everything that decides a trial's rows, always in the same characters.

        The number of rungs is left out: a longer budget continues the same trial.
        """
        budget = self._spec.budget
        complete = trial.to_dict() | {
            "name": named.name,
            "source": named.source_hash,
            "data": identity.fingerprint,
            "tokenizer": identity.tokenizer_fingerprint,
            "reports": [budget.unit, budget.min, budget.factor, budget.reports_per_rung],
            "training_version": training_version(trial.training.precision),
        }
        return json.dumps(complete, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _place(facts: Facts, training: TrainingConfig, data: DataSettings) -> Place:
    tokens = training.batch_size // training.accumulation * data.block_size
    return Place(num_params=facts.num_params, tokens=tokens)


def stored_trial(stored: Mapping[str, Any]) -> TrialConfig:
    """Return the training configuration inside a trial's stored one.

    Raises:
        ValueError: it names an architecture or a field that this version does not have.
    """
    return TrialConfig.from_dict({k: v for k, v in stored.items() if k in _TRIAL_FIELDS})
