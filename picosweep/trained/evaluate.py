"""What trained trials can do: `picosweep evaluate`, suites of scored items beside baselines."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from picosweep.analysis.asked.frames import Asked
from picosweep.pico.errors import problem_in
from picosweep.pico.evaluation.code_suite import SuiteError, evaluate_code
from picosweep.pico.evaluation.registry import put_suite
from picosweep.pico.evaluation.scores import VERSIONS, Progress, SuiteName, SuiteResult
from picosweep.pico.evaluation.text_suite import NamedText
from picosweep.pico.sandbox.runner import Mode
from picosweep.sweeps.asking.ask import evaluation_rows
from picosweep.sweeps.asking.check import read_text
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.atomic_write import write_json
from picosweep.sweeps.store.tables import TABLES
from picosweep.trained.answers import Answered, stored_trials
from picosweep.trained.stored import StoredTrial

if TYPE_CHECKING:
    from picosweep.analysis.page.figure import Figure

FORMAT: Final = "picosweep evaluation 1"
"""First line of a saved evaluation."""


def evaluate(
    *trial_ids: str,
    suite: SuiteName = "text",
    texts: tuple[str | Path, ...] = (),
    sandbox: Mode = "auto",
    seed: int = 0,
    results: str | Path = "results",
    progress: Callable[[str], None] = lambda _text: None,
) -> Answered:
    """Put trained trials to a suite.

    Args:
        trial_ids: ids of the trials, or beginnings of them.
        suite: `text` for any language model, `code` for one of Python.
        texts: for `text`: files whose perplexity is taken as well.
        sandbox: for `code`: `none` runs what is written with your rights.
        seed: of what the models write.
        results: folder or address in which the sweeps are.
        progress: called with what is being done.

    Raises:
        InputError: there is no such trial, it has no checkpoint, the suite does not fit its
            tokenizer, or a text cannot be read or written.
    """
    named = [
        NamedText(name=Path(path).name, text=read_text(Path(path), "--text")) for path in texts
    ]
    found = Answered()
    for trial in stored_trials(trial_ids, results):
        name = f"{trial.row['architecture']} {trial.trial_id}"

        def note(stage: str, share: float, name: str = name) -> None:
            progress(f"{name}: {stage} {share:.0%}")

        try:
            result = _put(trial, suite, named, sandbox, seed, note)
        except SuiteError as error:
            raise input_error(
                f"the {suite} suite does not fit this trial: {error}",
                key=trial.trial_id,
                allowed="--suite text",
            ) from error
        except ValueError as error:
            raise input_error(
                f"a text cannot be evaluated: {problem_in(error)}",
                key=trial.trial_id,
                found="--text",
            ) from error
        found.add(trial, (("evaluations", row) for row in evaluation_rows(result)))
        found.remarks += result.remarks
    return found


def _put(
    trial: StoredTrial,
    suite: SuiteName,
    texts: list[NamedText],
    sandbox: Mode,
    seed: int,
    note: Progress,
) -> SuiteResult:
    if suite == "code":  # which needs the tokenizer alone, and no preparation of the data
        return evaluate_code(
            trial.model, trial.tokenizer, sandbox=sandbox, seed=seed, progress=note
        )
    _ = trial.model  # whose class may not fit, which is another mistake
    return put_suite(suite, trial.checkpoint, trial.data, texts=texts, seed=seed, progress=note)


def save_evaluation(found: Answered, path: str | Path) -> None:
    """Write an evaluation to a file, to be compared with later.

    Raises:
        OSError: it cannot be written.
    """
    write_json(
        Path(path),
        {"format": FORMAT, "trials": found.trials, "evaluations": found.rows["evaluations"]},
    )


def read_evaluation(path: str | Path, suite: SuiteName) -> Answered:
    """Read what `save_evaluation` wrote.

    Args:
        path: the file.
        suite: the suite that it has to be of, in today's version.

    Raises:
        InputError: the file cannot be read, is none of these, or is of another suite or version.
    """
    place = {"where": str(path), "key": "--baseline"}
    text = read_text(Path(path), place["key"])
    try:
        content = json.loads(text)
        known = isinstance(content, dict) and content.get("format") == FORMAT
        rows = [_checked(row) for row in content["evaluations"]] if known else []
        trials = [dict(row) for row in content["trials"]] if known else []
        Asked.of_rows(trials, {"evaluations": rows})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise input_error("a saved evaluation that is damaged", **place) from error
    if not known or not rows:
        raise input_error("this is no saved evaluation", **place, hint="--save FILE writes one")
    suites = {(row["suite"], row["suite_version"]) for row in rows}
    if suites != {(suite, VERSIONS[suite])}:
        raise input_error(
            "the saved evaluation is by another suite, or another version of it: scores of the two "
            "do not compare",
            **place,
            found=", ".join(f"{name} version {version}" for name, version in sorted(suites)),
            allowed=f"{suite} version {VERSIONS[suite]}",
        )
    return Answered(trials=trials, rows={"evaluations": rows})


def _checked(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in TABLES["evaluations"].names}


def score_changes(before: Answered, after: Answered) -> "list[Figure]":
    """Return what has changed from a saved evaluation, a figure for each trial.

    A trial is compared with its own rows there, or with those of the only trial that there is.

    Raises:
        InputError: the saved evaluation is of several trials, and one is not among them.
    """
    from picosweep.analysis.asked import before_after  # noqa: PLC0415 - imports Altair

    old, new = before.asked.tables["evaluations"], after.asked
    known = old["trial_id"].unique().to_list()
    changes = []
    for trial_id, name in new.trials.select("trial_id", "name").iter_rows():
        chosen = trial_id if trial_id in known else known[0] if len(known) == 1 else None
        if chosen is None:
            raise input_error(
                "the saved evaluation is of several trials, and this one is not among them",
                key=trial_id,
                found=", ".join(sorted(known)),
                allowed="an evaluation of one trial, or of the same ones",
            )
        rows = new.tables["evaluations"].filter(trial_id=trial_id)
        change = before_after.figure(name, old.filter(trial_id=chosen), rows)
        changes += [change] if change is not None else []
    return changes
