"""One hand-written sweep, shared by the tests that only read it."""

import json
from pathlib import Path

import polars as pl
import pytest

from picosweep.analysis.report import render_report
from picosweep.analysis.results import Results, load
from tests.analysis.handmade import EVIL, write_sweep


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a sweep over four architectures with every status and cohort."""
    return write_sweep(tmp_path_factory.mktemp("results") / "demo")


@pytest.fixture(scope="session")
def results(demo: Path) -> Results:
    """The same sweep, loaded."""
    return load(demo)


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page whose every name, prompt, sample, error and setting is markup."""
    folder = write_sweep(
        tmp_path_factory.mktemp("evil") / "sweep",
        trials_per_architecture=3,
        architectures=("lstm",),
    )
    for table in ("trials", "reports", "samples", "decisions", "incidents"):
        file = folder / table / "part-000000.parquet"
        frame = pl.read_parquet(file)
        texts = {"sweep", "architecture", "error", "decoder", "prompt", "text", "node", "device"}
        columns = [pl.lit(EVIL).alias(name) for name in texts & set(frame.columns)]
        frame = frame.with_columns(*columns, trial_id=pl.col("trial_id") + EVIL)
        if table == "trials":
            frame = frame.rename({"dropout": EVIL}).with_columns(kind=pl.lit(EVIL))
        frame.write_parquet(file)
    (folder / "spec.json").write_text(json.dumps({EVIL: EVIL, "data": {"source": EVIL}}))
    return render_report(load(folder))
