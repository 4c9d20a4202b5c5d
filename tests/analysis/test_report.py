import re
from pathlib import Path

import pytest

from picosweep.analysis.report import write_report
from picosweep.analysis.results import ResultsError
from tests.analysis.handmade import write_sweep


def test_one_file_holds_the_whole_report(demo: Path, tmp_path: Path) -> None:
    """The page names the winner, names no other address and stays under 3 MB."""
    page = write_report(demo, tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert "transformer wins" in text
    assert page.stat().st_size < 3_000_000
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?://", own)
    assert not re.search(r"\sstyle=", own)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_without_trials_is_refused_in_words(tmp_path: Path) -> None:
    """The error names the folder and what belongs there."""
    with pytest.raises(ResultsError, match="trials"):
        write_report(tmp_path, tmp_path / "report.html")
    with pytest.raises(ResultsError, match="no such folder"):
        write_report(tmp_path / "absent", tmp_path / "report.html")


def test_two_sweeps_share_a_page(tmp_path: Path) -> None:
    """Several folders give one page with both names in its title and a comparison."""
    both = [
        write_sweep(
            tmp_path / name, name=name, trials_per_architecture=3, architectures=("lstm",),
            seed=seed, shift=shift,
        )
        for seed, (name, shift) in enumerate({"before": 0.0, "after": -0.5}.items())
    ]  # fmt: skip
    text = write_report(both, tmp_path / "report.html").read_text()
    assert "before + after" in text
    assert "Sweeps compared" in text
    assert "the mean validation loss over fresh seeds changed: lstm −0." in text
