import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from analysis.report import write_report
from analysis.results import ResultsError


def test_one_file_holds_the_whole_report(demo: Path, tmp_path: Path) -> None:
    """The page names the winner, names no other address and stays under 3 MB."""
    page = write_report(demo, tmp_path / "report.html", strict=True)
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


def test_importing_the_package_imports_nothing_heavy() -> None:
    """`import analysis` leaves Polars, Altair, Torch and Ray alone; a report needs no engine."""
    code = (
        "import sys, analysis; names = set(sys.modules);"
        "assert not names & {'polars', 'altair', 'torch', 'ray'}, names;"
        "assert callable(analysis.load) and callable(analysis.write_report);"
        "assert not set(sys.modules) & {'torch', 'ray', 'statsmodels', 'optuna'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_sweeps_share_a_page(demo: Path, tmp_path: Path) -> None:
    """Several folders give one page with both names in its title."""
    other = tmp_path / "other"
    for table in ("trials", "reports"):
        (other / table).mkdir(parents=True)
        frame = pl.read_parquet(demo / table / "*.parquet")
        if table == "trials":
            frame = frame.with_columns(sweep=pl.lit("other"))
        frame.write_parquet(other / table / "part-000000.parquet")
    text = write_report([demo, other], tmp_path / "report.html", strict=True).read_text()
    assert "demo + other" in text
