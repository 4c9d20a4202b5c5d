"""A sweep before it runs: checked when its spec is read, and again when its data is prepared.

Running, planning, exporting and simulating a sweep begin here, so that all of them mean the same
sweep.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from picosweep.pico.errors import FieldError
from picosweep.pico.models.user_code import module_being_imported
from picosweep.pico.weights.starting import StartingWeights
from picosweep.sweeps.errors import InputError, input_error
from picosweep.sweeps.search.candidates import CandidateFactory, DataIdentity
from picosweep.sweeps.search.feasibility import Feasibility, check_feasibility
from picosweep.sweeps.search.number_formats import NumberFormats
from picosweep.sweeps.search.samplers import check_search
from picosweep.sweeps.spec.architectures import NamedArchitecture, find_architectures
from picosweep.sweeps.spec.document import Document, problem_of
from picosweep.sweeps.spec.expressions import Expression
from picosweep.sweeps.spec.hyperparameters import column_types
from picosweep.sweeps.spec.load import load_spec, parse_spec, unusual_goals
from picosweep.sweeps.spec.parameters import Space
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.spec.sft import sft_content, sft_document, sft_name
from picosweep.sweeps.spec.spaces import build_spaces
from picosweep.sweeps.store.tables import Declared


@dataclass(frozen=True, kw_only=True)
class CheckedSweep:
    """A sweep whose spec makes sense, whatever its data is."""

    spec: Spec
    document: Document
    """Where the spec stands, for messages."""
    architectures: Mapping[str, NamedArchitecture]
    spaces: Mapping[str, Space]
    """Each architecture's search space."""
    constraints: tuple[Expression, ...]
    sft: "CheckedSweep | None" = None
    """The sweep that trains the references first, where the spec has one."""

    def starting_from(self, trials: Mapping[str, str]) -> "CheckedSweep":
        """Return the sweep with the trials that it starts from, by architecture.

        They take the place of `sft`, whose sweep has been run.
        """
        spec = self.spec.model_copy(update={"init_from": dict(trials)})
        return replace(self, spec=spec, sft=None)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know of how the spec was read, in sentences."""
        of_ranges = [
            f"{name}.{parameter.name}: {parameter.remark}"
            for name, space in self.spaces.items()
            for parameter in space.parameters
            if parameter.remark
        ]
        return (*unusual_goals(self.spec), *of_ranges, *self._references())

    def _references(self) -> Iterator[str]:
        """Say what was trained first, and is compared with."""
        if self.spec.sft is not None and isinstance(self.spec.init_from, dict):
            ids = (f"{name} {found}" for name, found in self.spec.init_from.items())
            yield f"the references are the best of {sft_name(self.spec.name)}: {', '.join(ids)}"

    def column_types(self) -> Declared:
        """Return the hyperparameters that have a column in `trials` in any case."""
        return column_types(self.architectures, self.spec.task)

    def code_hashes(self) -> dict[str, str]:
        """Return the hash of each of the user's own classes, by import path."""
        named = self.architectures.values()
        return {one.model: one.source_hash for one in named if one.source_hash}

    def with_data(
        self,
        data: Mapping[int, DataIdentity],
        *,
        starts: Mapping[str, StartingWeights] | None = None,
    ) -> "ReadySweep":
        """Return the sweep with its data, and check how much of each space can be trained.

        Args:
            data: identity of the prepared data, by the vocabulary size that was asked for.
            starts: the weights that trials start from, by architecture; random ones where it is
                absent.

        Raises:
            InputError: nothing in a space can be trained, or a choice is impossible by itself.
        """
        factory = CandidateFactory(self.spec, self.architectures, data, self.constraints, starts)
        return ReadySweep(
            **{field.name: getattr(self, field.name) for field in fields(CheckedSweep)},
            factory=factory,
            feasibility=check_feasibility(self.spec, self.spaces, factory, self.document),
        )


@dataclass(frozen=True, kw_only=True)
class ReadySweep(CheckedSweep):
    """A sweep that can propose trials: its data is known, its spaces hold what can be trained."""

    factory: CandidateFactory
    """Completes configurations and gives them their identity."""
    feasibility: Mapping[str, Feasibility]
    """How much of each space can be trained."""

    def with_formats(self, formats: Mapping[str, NumberFormats]) -> "ReadySweep":
        """Return the same sweep with `precision: auto` settled, by architecture."""
        return replace(self, factory=self.factory.with_formats(formats))


def check_sweep(source: str | Path | Mapping[str, Any]) -> CheckedSweep:
    """Read a spec and check all of it that can be checked without its data.

    Args:
        source: path of a YAML file, or the content of one.

    Raises:
        InputError: with the problems of the first check that finds any.
    """
    if (module := module_being_imported()) is not None:
        raise input_error(
            "a sweep is run by the module whose class it is to train",
            where=f"{module}.py",
            hint="put the call below `if __name__ == '__main__':`, or the class into its own file",
        )
    if isinstance(source, Mapping):
        document = Document(path=Path("spec"), content=source, lines={})
        return check_spec(parse_spec(source, document), document)
    return check_spec(*load_spec(source))


def _check_sft(
    spec: Spec, document: Document, architectures: Mapping[str, NamedArchitecture]
) -> CheckedSweep | None:
    """Check the sweep that trains the references, where it is still to be run."""
    if spec.sft is None or spec.init_from is not None:
        return None
    try:
        content = sft_content(spec, architectures)
    except FieldError as error:
        raise InputError(problem_of(error, document)) from error
    within = sft_document(document, content)
    return check_spec(parse_spec(content, within), within)


def check_spec(spec: Spec, document: Document) -> CheckedSweep:
    """Check a spec that has been read, such as a stored one.

    Raises:
        InputError: with the problems of the first check that finds any.
    """
    architectures = find_architectures(spec, document)
    spaces, constraints = build_spaces(spec, document, architectures)
    check_search(spec, spaces, document)
    return CheckedSweep(
        sft=_check_sft(spec, document, architectures),
        spec=spec,
        document=document,
        architectures=architectures,
        spaces=spaces,
        constraints=constraints,
    )
