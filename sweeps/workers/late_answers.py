"""What is asked when a trial has already been trained: answered from its checkpoint.

A spec may ask for more than it did before, and a trial may be answered by another sweep, which
asked for other things or for none.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.probes.samples import write_samples
from picosweep.pico.weights.restore import restore_model
from picosweep.sweeps.asking.ask import ask
from picosweep.sweeps.asking.plan import AskPlan
from picosweep.sweeps.decisions.trial import Trial
from picosweep.sweeps.store.checkpoints import read_checkpoint
from picosweep.sweeps.store.store import Store
from picosweep.sweeps.store.tables import Row


def answer_late(
    asked: AskPlan,
    trials: Iterable[Trial],
    store: Store,
    data: Mapping[str, PreparedData],
    say: Callable[[str], None],
) -> list[str]:
    """Answer what the spec asks and the sweep does not have.

    Args:
        asked: what is asked, at which rungs.
        trials: the trials of the sweep.
        store: the sweep's rows; the answers are added to them.
        data: the prepared data by its fingerprint.
        say: called with a text for each trial.

    Returns:
        what the user should know of what cannot be answered, in sentences.
    """
    missing = [(trial, *gap) for trial in trials for gap in _gaps(asked, trial, store)]
    lost = 0
    remarks: list[str] = []
    for number, (trial, report, plan) in enumerate(missing):
        say(f"asking trained models: {number / len(missing):.0%}")
        checkpoint = _checkpoint_at(trial, report["step"], store.folder)
        if checkpoint is None:
            lost += 1
            continue
        prepared = data[trial.candidate.fingerprints["data_fingerprint"]]
        place = {name: report[name] for name in ("trial_id", "rung", "step")}
        answers = ask(plan, checkpoint, prepared)
        remarks += answers.remarks
        rows = [(table, place | row) for table, own in answers.rows.items() for row in own]
        store.commit(*rows)
    if lost:
        many = "1 trial has" if lost == 1 else f"{lost} trials have"
        remarks.append(
            f"{many} no answers at some rung: they were asked for after the weights had moved on"
        )
    return list(dict.fromkeys(remarks))


def sample_references(
    asked: AskPlan,
    trials: Iterable[Trial],
    store: Store,
    data: Mapping[str, PreparedData],
    initial: Mapping[str, bytes],
    say: Callable[[str], None],
) -> None:
    """Let the models that preference training started from write what its trials write.

    The texts stand in `samples` at step 0 of each trial that has samples: what it would have
    written before its first step.

    Args:
        asked: what is asked: its prompts.
        trials: the trials of the sweep.
        store: the sweep's rows; the texts are added to them.
        data: the prepared data by its fingerprint.
        initial: the checkpoint that trials start from, by architecture.
        say: called with a text for each model.
    """
    written: dict[tuple[str, str, int], list[Row]] = {}
    for trial in trials:
        known = store.asked_of(trial.trial_id, "samples")
        prompts = {row["prompt"] for row in known if row["step"] > 0}
        prompts -= {row["prompt"] for row in known if row["step"] == 0}
        candidate = trial.candidate
        if not prompts or candidate.architecture not in initial:
            continue
        fingerprint = candidate.fingerprints["data_fingerprint"]
        key = (candidate.architecture, fingerprint, candidate.trial.block_size)
        if key not in written:
            say(f"letting the reference of {candidate.architecture} write")
            model = restore_model(
                initial[candidate.architecture], block_size=candidate.trial.block_size
            ).model
            texts = write_samples(
                model, data[fingerprint].tokenizer, asked.prompts, num_tokens=asked.num_tokens
            )
            written[key] = [asdict(text) for text in texts]
        place = {"trial_id": trial.trial_id, "rung": None, "step": 0}
        rows = [("samples", place | row) for row in written[key] if row["prompt"] in prompts]
        store.commit(*rows)


def _gaps(asked: AskPlan, trial: Trial, store: Store) -> Iterable[tuple[Row, AskPlan]]:
    """Yield the reports of a trial at which something is asked and not answered, and what."""
    if trial.row["status"] == "diverged":
        return
    for report in store.reports_of(trial.trial_id):

        def known(table: str, step: int = report["step"]) -> list[Row]:
            return [row for row in store.asked_of(trial.trial_id, table) if row["step"] == step]

        plan = replace(asked.at(report["rung"]), needed=frozenset()).without(known)
        if not plan.is_empty:
            yield report, plan


def _checkpoint_at(trial: Trial, step: int, folder: Path) -> bytes | None:
    source = trial.row.get("source_sweep")
    for place in (folder, *([folder.parent / source] if source else [])):
        found = read_checkpoint(place, trial.trial_id, step)
        if found is not None and found.step == step:
            return found.content
    return None
