"""A sweep that is really trained, one trial after another in this process: without Ray."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.training.process import prepare_process
from picosweep.pico.training.train import train
from picosweep.sweeps.asking.ask import ask
from picosweep.sweeps.asking.check import check_asked
from picosweep.sweeps.asking.plan import AskPlan, ask_plan
from picosweep.sweeps.data import prepare_all
from picosweep.sweeps.decisions.coordinator import Coordinator
from picosweep.sweeps.decisions.trial import Assignment
from picosweep.sweeps.initial_weights import initial_checkpoints, starting_weights
from picosweep.sweeps.pairs import check_pairs
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.store.atomic_write import write_json
from picosweep.sweeps.store.store import Store

TEXT = "\n\n".join(f"line {i} says {i * 7 % 31} and {i % 5}." for i in range(2000))


class InProcessRunner:
    """Trains what the coordinator gives out: see `sweeps.workers.runner.Runner`."""

    def __init__(self, asked: AskPlan, initial: Mapping[str, bytes]) -> None:
        self._asked, self._initial = asked, initial

    def run(
        self,
        coordinator: Coordinator,
        work_of: Callable[[Assignment], PreparedData],
        beat: Callable[[], None],
    ) -> None:
        """Run until the coordinator has no more work."""
        while (assignment := coordinator.next()) is not None:
            candidate = assignment.candidate
            coordinator.on_start(candidate.trial_id)
            data, before = work_of(assignment), None
            for report in train(
                candidate.trial,
                data,
                report_steps=candidate.plan.steps,
                checkpoint=assignment.checkpoint,
                initial=self._initial.get(candidate.architecture),
            ):
                metrics, content = report.metrics(), report.checkpoint()
                rung = candidate.plan.rung_of(metrics, before)
                answers = ask(self._asked.at(rung), content, data)
                before = metrics
                stop = coordinator.on_report(
                    candidate.trial_id,
                    metrics | answers.scores,
                    checkpoint=content,
                    asked=answers.rows,
                    device="cpu",
                )
                beat()
                if stop:
                    break


def train_sweep(spec: Mapping[str, Any], results: Path) -> dict[str, dict[str, Any]]:
    """Train a small sweep into a results folder; its trials by id."""
    checked = check_sweep(spec)
    prepare_process()
    data = prepare_all(checked, results)
    texts = check_asked(checked.spec, checked.document, data.by_fingerprint.values())
    asked = ask_plan(checked.spec, texts)
    initial = initial_checkpoints(checked.spec, checked.document, results)
    starts = starting_weights(initial, checked.document)
    sweep = checked.with_data(data.metas, starts=starts)
    check_pairs(sweep, data)
    with closing(Store(results / checked.spec.name, checked.column_types())) as store:
        coordinator = Coordinator(
            spec=sweep.spec, spaces=sweep.spaces, factory=sweep.factory, store=store
        )
        write_json(store.files.spec, sweep.spec.model_dump(mode="json") | {"comparable": {}})
        InProcessRunner(asked, initial).run(
            coordinator,
            lambda found: data.by_fingerprint[found.candidate.fingerprints["data_fingerprint"]],
            lambda: None,
        )
        assert coordinator.finished
        store.seal()
        return dict(store.trials)
