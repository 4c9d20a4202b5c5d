"""The journal: nothing committed is lost, nothing half-written is read."""

import math
import random
from pathlib import Path

import pytest

from picosweep.sweeps.store import journal as journal_module
from picosweep.sweeps.store.journal import Journal


def _rows(folder: Path) -> list[object]:
    return [t.entries for t in Journal(folder).read()]


def test_what_was_appended_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    """Floats keep their bits, NaN and infinity included, and transactions stay together."""
    journal = Journal(tmp_path)
    value = 0.1 + 0.2
    journal.append(("reports", {"loss": value, "step": 1}), ("decisions", {"action": "stop"}))
    journal.append(("reports", {"loss": math.inf, "text": "ü\n<script>"}))
    journal.append(("reports", {"loss": math.nan}))
    journal.close()
    first, second, third = [t.entries for t in Journal(tmp_path).read()]
    assert first == (("reports", {"loss": value, "step": 1}), ("decisions", {"action": "stop"}))
    assert second == (("reports", {"loss": math.inf, "text": "ü\n<script>"}),)
    assert math.isnan(third[0][1]["loss"])


@pytest.mark.parametrize("seed", range(20))
def test_a_torn_end_is_cut_off(tmp_path: Path, seed: int) -> None:
    """Wherever the last line is torn, all lines before it are read and writing goes on."""
    journal = Journal(tmp_path)
    for number in range(5):
        journal.append(("reports", {"number": number}))
    journal.close()
    path = tmp_path / "000000.jsonl"
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    path.write_bytes(content[: random.Random(seed).randrange(last, len(content))])
    reopened = Journal(tmp_path)
    assert len(list(reopened.read())) == 4
    assert reopened.damaged_lines == 0
    reopened.append(("reports", {"number": 5}))
    reopened.close()
    assert [entries[0][1]["number"] for entries in _rows(tmp_path)] == [0, 1, 2, 3, 5]  # type: ignore[index]


def test_a_damaged_line_in_the_middle_is_counted(tmp_path: Path) -> None:
    """A flipped bit costs one line and is reported, not trusted."""
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append(("reports", {"number": number}))
    journal.close()
    path = tmp_path / "000000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"number":1', b'"number":7')
    path.write_bytes(b"".join(lines))
    reopened = Journal(tmp_path)
    assert len(list(reopened.read())) == 2
    assert reopened.damaged_lines == 1


def test_segments_follow_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full segment is followed by the next one, also after a restart."""
    monkeypatch.setattr(journal_module, "SEGMENT_LINES", 4)
    for start in (0, 3, 6):
        journal = Journal(tmp_path)
        assert len(list(journal.read())) == start
        for number in range(start, start + 3):
            journal.append(("reports", {"number": number}))
        journal.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000.jsonl",
        "000001.jsonl",
        "000002.jsonl",
    ]
    assert [t.segment for t in Journal(tmp_path).read()] == [0, 0, 0, 0, 1, 1, 1, 1, 2]
