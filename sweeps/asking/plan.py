"""What is asked of a sweep's models, and at which rungs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from picosweep.pico.evaluation.scores import VERSIONS, SuiteName
from picosweep.pico.probes.kinds import ProbeKind
from picosweep.sweeps.spec.schema import Evaluate, Probes, Samples, Spec
from picosweep.sweeps.store.tables import Row

PROBE_TABLES: Final[Mapping[ProbeKind, tuple[str, ...]]] = {
    "heads": ("probes_heads",),
    "attention": ("probes_attention",),
    "embedding": ("probes_components", "probes_tokens"),
    "neurons": ("probes_neurons",),
}
"""The tables that each probe fills."""


@dataclass(frozen=True, kw_only=True)
class UserTexts:
    """What the user's files hold: read once, for workers on other machines."""

    named: tuple[tuple[str, str], ...] = ()
    """Names and contents of texts whose perplexity is asked for."""
    labelled: tuple[tuple[str, str], ...] = ()
    """Labels and texts of the groups that neurons are to tell apart."""


@dataclass(frozen=True, kw_only=True)
class AskPlan:
    """Everything that is asked, each with its rungs."""

    prompts: tuple[str, ...] = ()
    num_tokens: int = 1
    sample_rungs: frozenset[int] = frozenset()
    suites: tuple[SuiteName, ...] = ()
    sandbox: str = "auto"
    suite_rungs: frozenset[int] = frozenset()
    probes: tuple[ProbeKind, ...] = ()
    probe_prompt: str = ""
    probe_rungs: frozenset[int] = frozenset()
    texts: UserTexts = UserTexts()
    needed: frozenset[str] = frozenset()
    """Scores that the search looks at: a trial without one has failed."""

    def at(self, rung: int | None) -> "AskPlan":
        """Return what is asked at one rung."""
        return replace(
            self,
            prompts=self.prompts if rung in self.sample_rungs else (),
            suites=self.suites if rung in self.suite_rungs else (),
            probes=self.probes if rung in self.probe_rungs else (),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return not (self.prompts or self.suites or self.probes)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that answers to this plan stand in."""
        probed = [table for kind in self.probes for table in PROBE_TABLES[kind]]
        scored = ["evaluations"] if self.suites or self.probes else []
        return (*(["samples"] if self.prompts else []), *scored, *probed)

    def wants(self, table: str, row: Row) -> bool:
        """Return whether a row of one of `tables` that another sweep has answers this plan."""
        if table == "samples":
            return row["prompt"] in self.prompts
        if table == "evaluations" and row["suite"] == "probes":
            return row["section"] in self.probes
        if table == "evaluations":
            current = row["suite_version"] == VERSIONS.get(row["suite"])
            return row["suite"] in self.suites and current
        return table in self.tables

    def without(self, known: Callable[[str], Collection[Row]]) -> "AskPlan":
        """Return what is asked and not answered.

        Args:
            known: function that returns the rows of a table that the trial has at this step.
        """
        written = {row["prompt"] for row in known("samples")}
        scores = [row for row in known("evaluations") if self.wants("evaluations", row)]
        scored = {row["suite"] for row in scores}
        if not {name for name, _ in self.texts.named} <= {row["item"] for row in scores}:
            scored.discard("text")
        refused = {row["section"] for row in known("evaluations") if row["suite"] == "probes"}
        probed = {kind for kind, (table, *_) in PROBE_TABLES.items() if known(table)}
        looked_at = {row["prompt"] for row in known("probes_attention")}
        if self.probe_prompt not in looked_at:
            probed.discard("attention")
        return replace(
            self,
            prompts=tuple(prompt for prompt in self.prompts if prompt not in written),
            suites=tuple(suite for suite in self.suites if suite not in scored),
            probes=tuple(kind for kind in self.probes if kind not in probed | refused),
        )


def ask_plan(spec: Spec, texts: UserTexts = UserTexts()) -> AskPlan:
    """Return what a spec asks.

    Args:
        spec: the sweep's spec.
        texts: what the files hold that it names.
    """

    def rungs(section: Samples | Evaluate | Probes, wanted: Sequence[object]) -> frozenset[int]:
        return frozenset(section.at(spec.budget.rungs) if wanted else ())

    return AskPlan(
        prompts=tuple(spec.samples.prompts),
        num_tokens=spec.samples.num_tokens,
        sample_rungs=rungs(spec.samples, spec.samples.prompts),
        suites=tuple(spec.evaluate.suite),
        sandbox=spec.evaluate.sandbox,
        suite_rungs=rungs(spec.evaluate, spec.evaluate.suite),
        probes=tuple(spec.probes.kinds),
        probe_prompt=spec.probes.prompt,
        probe_rungs=rungs(spec.probes, spec.probes.kinds),
        texts=texts,
        needed=frozenset(one.metric for one in spec.objectives),
    )
