"""The fault suite's books: what they must notice, and what they must not hold against a sweep."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from picosweep.sweeps.store.checkpoints import save_checkpoint
from picosweep.sweeps.store.store import Store
from tests.chaos.ledger import Ledger, Verdict

POINTS = (4, 8)
RUNGS = (4, 8)


@dataclass
class Books:
    """A sweep of one trial, written as a driver writes it, beside the ledger that watches it."""

    folder: Path
    steps: list[str] = field(default_factory=list)
    clock: int = 0

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.folder / "sweep", POINTS, RUNGS)

    def live(self, act: Callable[[Store], None]) -> None:
        """One driver's life."""
        self.ledger.before_life()
        self.clock = self.ledger.history.lives[-1].began + 1
        store = Store(self.folder / "sweep", ())
        act(store)
        store.seal()
        store.close()
        self.ledger.after_life("life")

    def train(self, process: int, num_steps: int) -> None:
        """Steps that a process takes."""
        self.clock += 1
        self.steps += [f"7 {process} {self.clock}"] * num_steps

    def report(self, store: Store, step: int, loss: float = 0.5) -> None:
        """A report with its decision and checkpoint, and the trial's end where it is the last."""
        self.clock += 1
        save_checkpoint(store.folder, "a", step, b"%d" % step)
        row = {"trial_id": "a", "step": step, "rung": RUNGS.index(step), "time": self.clock}
        entries: list[tuple[str, dict[str, Any]]] = [("reports", row | {"val_loss": loss})]
        if step < RUNGS[-1]:
            decision = {"trial_id": "a", "rung": RUNGS.index(step), "action": "continue"}
            entries.append(("decisions", decision))
        entries.append(self.trial("running" if step < POINTS[-1] else "completed", step))
        store.commit(*entries)
        store.keep_checkpoint("a", step, alone=False)

    def trial(self, status: str, step: int | None) -> tuple[str, dict[str, Any]]:
        """The trial's row."""
        row = {"trial_id": "a", "status": status, "step": step, "number": 7}
        return "trials", row

    def verdict(self) -> Verdict:
        """What the ledger says in the end."""
        (self.folder / "steps.log").write_text("".join(f"{line}\n" for line in self.steps))
        return self.ledger.verdict(self.folder / "steps.log")

    def begin(self, store: Store) -> None:
        """Admit the trial and train it to its first report."""
        store.commit(self.trial("running", None))
        self.train(1, 4)
        self.report(store, 4)

    def finish(self, store: Store) -> None:
        """Take it up from there."""
        self.train(2, 4)
        self.report(store, 8)


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def test_a_whole_sweep_is_good(books: Books) -> None:
    """Also with a process that died in between."""

    def crash(store: Store) -> None:
        books.begin(store)
        books.train(3, 3)

    books.live(crash)
    books.live(books.finish)
    assert books.verdict().good
    assert books.verdict().num_rows == 3


def test_a_row_that_a_driver_loses_is_noticed(books: Books) -> None:
    """Journal and Parquet are cut while it runs, not by a fault."""
    books.live(books.begin)

    def lose(store: Store) -> None:
        books.finish(store)
        store.rows["reports"]["a"].pop(0)
        store._by_segment["reports"][0].pop(0)
        store._unsealed.add(("reports", 0))
        lines = (store.folder / "journal/000000.jsonl").read_bytes().splitlines(keepends=True)
        del lines[2]
        (store.folder / "journal/000000.jsonl").write_bytes(b"".join(lines))

    books.live(lose)
    assert any("reports" in finding and "nowhere" in finding for finding in books.verdict().lost)


def test_an_altered_row_is_noticed(books: Books) -> None:
    """Other numbers for the same step are no repetition."""
    books.live(books.begin)
    books.live(lambda store: books.report(store, 4, loss=0.25))
    assert len(books.verdict().altered) == 1


def test_a_row_twice_is_noticed(books: Books) -> None:
    """The same report again is one too many."""
    books.live(books.begin)
    books.live(lambda store: books.report(store, 4))
    assert books.verdict().doubled == 2


@pytest.mark.parametrize(("num_steps", "retrained"), [(4, False), (5, True), (8, True)])
def test_an_attempt_may_not_train_again_what_was_reported(
    books: Books, num_steps: int, retrained: bool
) -> None:
    """From the report at 4, four steps are left and not one more."""
    books.live(books.begin)

    def finish(store: Store) -> None:
        books.train(2, num_steps)
        books.report(store, 8)

    books.live(finish)
    assert bool(books.verdict().retrained) == retrained
    assert books.verdict().good != retrained


def test_a_damaged_checkpoint_allows_what_it_makes_necessary(books: Books) -> None:
    """Without a whole one, the trial begins at its first step again."""
    books.live(books.begin)
    (checkpoint,) = (books.folder / "sweep/checkpoints/a").iterdir()
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(b"?")
    books.ledger.after_damage()

    def finish(store: Store) -> None:
        books.train(2, 8)
        books.report(store, 8)

    books.live(finish)
    assert not books.verdict().retrained
    assert content == b"4"


@pytest.mark.parametrize("damaged", [True, False])
def test_a_trial_that_fails_keeps_its_checkpoint_unless_it_was_damaged(
    books: Books, damaged: bool
) -> None:
    """Whoever goes on with it, or lets it write, needs the one of its last report."""
    books.live(books.begin)
    (checkpoint,) = (books.folder / "sweep/checkpoints/a").iterdir()
    if damaged:
        checkpoint.write_bytes(b"?")
        books.ledger.after_damage()

    def fail(store: Store) -> None:
        checkpoint.unlink()
        store.commit(books.trial("failed", 4))

    books.live(fail)
    assert bool(books.verdict().incomplete) != damaged


def test_what_damage_leaves_no_copy_of_is_not_expected(books: Books) -> None:
    """A cut takes rows from the journal; those that Parquet has are expected all the same."""
    books.live(books.begin)
    journal = books.folder / "sweep/journal/000000.jsonl"
    journal.write_bytes(b"")
    books.ledger.after_damage()
    assert not books.ledger.erased
    part = books.folder / "sweep/reports/part-000000.parquet"
    part.write_bytes(part.read_bytes()[:-1])
    books.ledger.after_damage()
    assert [key[0] for key in books.ledger.erased] == ["reports"]


def test_a_part_is_believed_by_its_checksum_alone(books: Books) -> None:
    """As the sweep does: a part that can be read may still hold other numbers."""
    books.live(books.begin)
    noted = json.loads((books.folder / "sweep/.parts.json").read_text())
    part = books.folder / "sweep/reports/part-000000.parquet"
    assert zlib.crc32(part.read_bytes()) in noted["parts"]["reports/part-000000.parquet"]
    noted["parts"]["reports/part-000000.parquet"] = [0]
    (books.folder / "sweep/.parts.json").write_text(json.dumps(noted))
    (books.folder / "sweep/journal/000000.jsonl").write_bytes(b"")
    books.ledger.after_damage()
    assert books.ledger.erased


def test_a_trial_without_an_end_is_noticed(books: Books) -> None:
    """Nothing may be left running."""
    books.live(books.begin)
    assert "has not ended" in books.verdict().incomplete[0]


def test_a_report_left_out_is_noticed(books: Books) -> None:
    """Although no row that was ever there is missing."""

    def skip(store: Store) -> None:
        store.commit(books.trial("running", None))
        books.train(1, 8)
        books.report(store, 8)

    books.live(skip)
    assert "has reports at [8]" in books.verdict().incomplete[0]


@pytest.mark.parametrize("name", ["12-d5b59ba2.safetensors", "8-00000000.safetensors"])
def test_a_checkpoint_too_many_is_noticed(books: Books, name: str) -> None:
    """One ahead of the reports would be taken for the trial's end; two at one step waste room."""
    books.live(books.begin)
    books.live(books.finish)
    (books.folder / "sweep/checkpoints/a" / name).write_bytes(b"12")
    assert "checkpoints" in books.verdict().incomplete[0]
