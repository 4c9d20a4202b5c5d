"""Texts that are asked for when a trial has already been trained: written from its checkpoint.

A spec may ask for other prompts than it did before, and a trial may be answered by another sweep,
which asked for others or for none.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.probes.samples import write_samples
from picosweep.pico.weights.restore import restore_model
from picosweep.sweeps.decisions.trial import Trial
from picosweep.sweeps.spec.schema import Spec
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.store.tables import Row


def write_late_samples(
    spec: Spec,
    trials: Iterable[Trial],
    store: Store,
    data: Mapping[str, PreparedData],
    say: Callable[[str], None],
) -> list[str]:
    """Write the texts that the spec asks for and the sweep does not have.

    Args:
        spec: which prompts are to be continued, at which rungs.
        trials: the trials of the sweep.
        store: the sweep's rows; the texts are added to them.
        data: the prepared data by its fingerprint.
        say: called with a text for each trial.

    Returns:
        what the user should know of texts that cannot be written, in sentences.
    """
    missing = [(trial, *gap) for trial in trials for gap in _gaps(spec, trial, store)]
    lost = 0
    for number, (trial, report, prompts) in enumerate(missing):
        say(f"writing samples: {number / len(missing):.0%}")
        checkpoint = _checkpoint_at(trial, report["step"], store.folder)
        if checkpoint is None:
            lost += 1
            continue
        prepared = data[trial.candidate.fingerprints["data_fingerprint"]]
        place = {name: report[name] for name in ("trial_id", "rung", "step")}
        texts = write_samples(
            restore_model(checkpoint).model,
            prepared.tokenizer,
            prompts,
            num_tokens=spec.samples.num_tokens,
        )
        store.commit(*(("samples", place | asdict(text)) for text in texts))
    if not lost:
        return []
    many = "1 trial has" if lost == 1 else f"{lost} trials have"
    return [f"{many} no texts at some rung: they were asked for after the weights had moved on"]


def _gaps(spec: Spec, trial: Trial, store: Store) -> Iterable[tuple[Row, list[str]]]:
    """Yield the reports of a trial at which texts are wanted, and the prompts that have none."""
    wanted = spec.samples.at(spec.budget.rungs) if spec.samples.prompts else []
    written = {(row["step"], row["prompt"]) for row in store.samples_of(trial.trial_id)}
    if trial.row["status"] == "diverged":
        return
    for report in store.reports_of(trial.trial_id):
        if report["rung"] in wanted:
            prompts = [p for p in spec.samples.prompts if (report["step"], p) not in written]
            if prompts:
                yield report, prompts


def _checkpoint_at(trial: Trial, step: int, folder: Path) -> bytes | None:
    source = trial.row.get("source_sweep")
    for place in (folder, *([folder.parent / source] if source else [])):
        found = read_checkpoint(place, trial.trial_id, step)
        if found is not None and found.step == step:
            return found.content
    return None
