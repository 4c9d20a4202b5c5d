"""How long does a report of a very large sweep take, and how much memory? Pandas is the peer.

Makes a sweep of 10,000 trials with 100 reports each (or what the arguments say) by arithmetic,
writes it as Parquet, and measures in processes of their own: (1) the whole HTML report; (2) the
report's heaviest aggregations of the reports table in Polars; (3) the same ones in pandas.

    python -m benchmarks.report_scale [--trials 10000] [--reports 100]

Seconds include each library's import; the page's are those of a user's command.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from picosweep.sweeps.store.tables import REPORTS, TABLES, TRIALS

ARCHITECTURES = np.array(["kgram", "linear_transformer", "lstm", "transformer"])
RUNGS = 5
CHUNK = 500_000


def write_sweep(folder: Path, num_trials: int, num_reports: int) -> None:
    """Write the three tables, `reports` in parts of half a million rows."""
    generator = np.random.default_rng(0)
    names = np.array([f"{index:012x}" for index in range(num_trials)])
    architecture = generator.integers(4, size=num_trials)
    rate = 10 ** generator.uniform(-4, -2, num_trials)
    width = generator.choice([32, 64, 128, 256], num_trials)
    context = generator.choice([1, 2, 3, 5], num_trials)
    params = (2000 * width + 4 * width**2).astype(np.int64)
    base = 4 - 0.3 * architecture + 0.3 * np.log10(rate / 2e-3) ** 2 + 9 * params**-0.25
    reach = np.where(
        generator.random(num_trials) < 0.15,
        num_reports,
        np.maximum(1, num_reports // 3 ** generator.integers(1, RUNGS, num_trials)),
    )
    trial = np.repeat(np.arange(num_trials), num_reports)
    position = np.tile(np.arange(1, num_reports + 1), num_trials)
    rungs = {max(1, num_reports // 3**back): RUNGS - 1 - back for back in range(RUNGS)}
    for part, start in enumerate(range(0, len(trial), CHUNK)):
        rows, at = trial[start : start + CHUNK], position[start : start + CHUNK]
        tokens = at * 16_384
        noise = generator.standard_normal((6, len(rows)))
        loss = base[rows] + 45 * tokens**-0.4 + 0.01 * noise[0]
        values = {
            "trial_id": names[rows],
            "rung": pa.array([rungs.get(int(value)) for value in at], pa.int64()),
            "step": at * 8, "tokens": tokens, "flops": 6.0 * params[rows] * tokens,
            "seconds": tokens * params[rows] / 1e10, "train_loss": loss - 0.05, "val_loss": loss,
            "val_accuracy": 0.75 - 0.09 * loss + 0.004 * noise[1],
            "val_perplexity": np.exp(loss), "bits_per_byte": loss / 2.1,
            "learning_rate": rate[rows], "grad_norm": np.exp(0.3 * noise[2]),
            "grad_norm_clipped": np.minimum(1, np.exp(0.3 * noise[2])),
            "weight_norm": 10 + tokens**0.2, "max_param_grad": np.exp(0.3 * noise[3]),
            "tokens_per_second": 1e10 / params[rows],
            "peak_memory_bytes": 2 * 10**8 + 16 * params[rows],
            "time": times(rows + at),
        }  # fmt: skip
        write(folder, "reports", part, values, REPORTS)
    last = tokens_of(num_reports, reach)
    final = base + 45 * last**-0.4 + 0.01 * generator.standard_normal(num_trials)
    start_time = pa.array(
        (1.79e15 + 1e6 * np.arange(num_trials)).astype(np.int64), pa.timestamp("us", "UTC")
    )
    values = {
        "trial_id": names, "sweep": ["scale"] * num_trials,
        "architecture": ARCHITECTURES[architecture],
        "status": np.where(reach == num_reports, "completed", "stopped"),
        "cohort": np.where(generator.random(num_trials) < 0.1, "exempt", "searched"),
        "seed": np.zeros(num_trials, np.int64), "num_params": params,
        "flops_per_token": 6.0 * params,
        "rung": np.where(reach == num_reports, RUNGS - 1, 0), "step": reach * 8, "tokens": last,
        "flops": 6.0 * params * last, "seconds": last * params / 1e10, "best_val_loss": final,
        "val_loss": final,
        "val_accuracy": 0.75 - 0.09 * final + 0.004 * generator.normal(size=num_trials),
        "val_perplexity": np.exp(final), "bits_per_byte": final / 2.1, "train_loss": final - 0.05,
        "tokens_per_second": 1e10 / params, "peak_memory_bytes": 2 * 10**8 + 16 * params,
        "start_time": start_time, "end_time": start_time, "node": ["one"] * num_trials,
        "device": ["cpu"] * num_trials, "num_attempts": np.ones(num_trials, np.int64),
        "learning_rate": rate, "embed_size": width, "context_size": context,
    }  # fmt: skip
    write(folder, "trials", 0, values, TRIALS)
    stopped = np.flatnonzero(reach < num_reports)
    decisions = {
        "trial_id": names[stopped], "rung": np.zeros(len(stopped), np.int64),
        "milestone": last[stopped], "value": final[stopped], "cutoff": final[stopped] - 0.1,
        "action": ["stop"] * len(stopped), "time": start_time.take(pa.array(stopped)),
    }  # fmt: skip
    write(folder, "decisions", 0, decisions, TABLES["decisions"])


def tokens_of(num_reports: int, reach: np.ndarray) -> np.ndarray:
    """Return the tokens of each trial at its last report."""
    return np.asarray(np.minimum(reach, num_reports) * 16_384)


def times(seconds: np.ndarray) -> pa.Array:
    """Return times so many seconds after a fixed one."""
    return pa.array((1.79e15 + 1e6 * seconds).astype(np.int64), pa.timestamp("us", "UTC"))


def write(folder: Path, table: str, part: int, values: dict[str, Any], schema: pa.Schema) -> None:
    """Write one part; columns beyond the schema are hyperparameters, missing ones null."""
    length = len(values["trial_id"])
    columns = {field.name: values.get(field.name, pa.nulls(length, field.type)) for field in schema}
    full = pa.table(columns, schema=schema)
    for name in values.keys() - set(schema.names):
        full = full.append_column(name, pa.array(values[name]))
    (folder / table).mkdir(parents=True, exist_ok=True)
    pq.write_table(full, folder / table / f"part-{part:06d}.parquet")


def whole_report(folder: Path) -> dict[str, Any]:
    """Measure the page as a user's command makes it, imports included."""
    start = time.perf_counter()
    from picosweep.analysis.report import write_report

    page = write_report(folder, folder / "report.html")
    return {"seconds": time.perf_counter() - start, "html_megabytes": page.stat().st_size / 1e6}


def with_polars(folder: Path) -> dict[str, Any]:
    """Measure quantile ribbons, best-so-far curves, last reports and the rung table in Polars."""
    start = time.perf_counter()
    import polars as pl

    reports = pl.read_parquet(folder / "reports" / "*.parquet")
    trials = pl.read_parquet(folder / "trials" / "*.parquet").select("trial_id", "architecture")
    place = pl.col("trial_id").rank("dense")  # texts are compared once, then numbers
    joined = reports.join(trials, on="trial_id").with_columns(place=place).sort("place", "step")
    loss = pl.col("val_loss")
    ribbons = joined.group_by("architecture", "tokens").agg(
        *(loss.quantile(q, "linear").alias(str(q)) for q in (0.1, 0.25, 0.5, 0.75, 0.9))
    )
    curves = joined.with_columns(best=loss.cum_min().over("place"))
    last = joined.group_by("place").agg(pl.all().last())
    rungs = joined.drop_nulls("rung").group_by("architecture", "rung").agg(loss.mean(), pl.len())
    rows = [frame.height for frame in (ribbons, curves, last, rungs)]
    return {"seconds": time.perf_counter() - start, "rows": rows}


def with_pandas(folder: Path) -> dict[str, Any]:
    """Measure the same aggregations as a pandas user would write them."""
    start = time.perf_counter()
    import pandas as pd

    reports = pd.read_parquet(folder / "reports")
    trials = pd.read_parquet(folder / "trials", columns=["trial_id", "architecture"])
    joined = reports.merge(trials, on="trial_id")
    grouped = joined.groupby(["architecture", "tokens"])["val_loss"]
    ribbons = grouped.quantile([0.1, 0.25, 0.5, 0.75, 0.9]).unstack()
    curves = joined.sort_values(["trial_id", "step"])
    curves["best"] = curves.groupby("trial_id")["val_loss"].cummin()
    last = curves.groupby("trial_id").last()
    rungs = joined.dropna(subset="rung").groupby(["architecture", "rung"])["val_loss"]
    rows = [len(frame) for frame in (ribbons, curves, last, rungs.agg(["mean", "size"]))]
    return {"seconds": time.perf_counter() - start, "rows": rows}


STEPS = {"report": whole_report, "polars": with_polars, "pandas": with_pandas}


def main() -> None:
    """Run each step in a process of its own and print one line per step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--reports", type=int, default=100)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        result = STEPS[arguments.step](arguments.folder)
        result["cpu_seconds"] = time.process_time()
        result["peak_gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps(result))
        return
    with TemporaryDirectory() as folder:
        write_sweep(Path(folder), arguments.trials, arguments.reports)
        print(f"{arguments.trials * arguments.reports:,} report rows")
        for step in STEPS:
            done = subprocess.run(
                [sys.executable, __file__, "--step", step, "--folder", folder],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            print(step, done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
