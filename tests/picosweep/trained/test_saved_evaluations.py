"""Evaluations that were saved, to be compared with: read back whole, or refused with the reason."""

import json
from pathlib import Path

import pytest

from picosweep.pico.evaluation.scores import VERSIONS
from picosweep.sweeps.errors import InputError
from picosweep.sweeps.store.tables import TABLES
from picosweep.trained.answers import Answered
from picosweep.trained.evaluate import read_evaluation, save_evaluation, score_changes
from tests.analysis.asked.rows import TRIALS, scores, trial


def saved(path: Path, *trial_ids: str) -> Answered:
    """An evaluation of some trials, written to a file."""
    rows = [
        dict.fromkeys(TABLES["evaluations"].names) | row
        for trial_id in trial_ids
        for row in scores({"passes": [0.5, 0.0, None]}, trial_id=trial_id)
    ]
    found = Answered(trials=[trial(one) for one in trial_ids], rows={"evaluations": rows})
    save_evaluation(found, path)
    return found


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    """A score that there is not stays none; a trial finds its own rows, or the only one's."""
    path = tmp_path / "saved.json"
    found = saved(path, *TRIALS)
    again = read_evaluation(path, "code")
    assert again.rows == found.rows
    assert [figure.title for figure in score_changes(again, found)] == [
        "Before and after: transformer aaaa", "Before and after: transformer bbbb",
    ]  # fmt: skip
    other = saved(tmp_path / "other.json", "cccc3333")
    with pytest.raises(InputError, match="of several trials, and this one is not among them"):
        score_changes(again, other)
    saved(path, TRIALS[1])
    (figure,) = score_changes(read_evaluation(path, "code"), other)
    assert figure.panels[0].sentence.startswith("No section has changed")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content | {"format": "other"}, "this is no saved evaluation"),
        (lambda content: content | {"evaluations": [{}]}, "damaged"),
        (lambda content: [content], "this is no saved evaluation"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, change: object, said: str) -> None:
    """Whatever else it holds."""
    path = tmp_path / "saved.json"
    saved(path, TRIALS[0])
    assert callable(change)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=said):
        read_evaluation(path, "code")


def test_another_suite_or_version_is_refused(tmp_path: Path) -> None:
    """Their scores do not compare; neither does a file that is not there."""
    path = tmp_path / "saved.json"
    saved(path, TRIALS[0])
    with pytest.raises(InputError, match="another suite, or another version"):
        read_evaluation(path, "text")
    old = path.read_text().replace(f'"suite_version": {VERSIONS["code"]}', '"suite_version": 0')
    path.write_text(old)
    with pytest.raises(InputError, match="code version 0"):
        read_evaluation(path, "code")
    with pytest.raises(InputError, match="cannot be read"):
        read_evaluation(tmp_path / "none.json", "code")
