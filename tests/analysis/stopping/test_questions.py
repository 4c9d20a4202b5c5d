import numpy as np
import polars as pl
import pytest
from scipy import stats

from picosweep.analysis.results import Results
from picosweep.analysis.stopping.decisions import decisions_sentence, decisions_table
from picosweep.analysis.stopping.rank_agreement import (
    control_table,
    rank_agreement_sentence,
    rank_agreement_table,
    wrongly_stopped_table,
)
from picosweep.analysis.stopping.savings import savings_sentence, savings_table


def control(groups: list[str], loss: list[float], final: list[float]) -> pl.DataFrame:
    """One rung and the last one."""
    base = pl.DataFrame(
        {"architecture": groups, "trial_id": [f"t{i}" for i in range(len(groups))], "final": final}
    )
    return pl.concat(
        [
            base.with_columns(rung=0, tokens=100, loss=pl.Series(loss), last=pl.lit(value=False)),
            base.with_columns(rung=1, tokens=300, loss=pl.col("final"), last=pl.lit(value=True)),
        ]
    )


def test_rank_agreement_is_kendalls_tau() -> None:
    """Within one architecture and without ties it is scipy's tau."""
    generator = np.random.default_rng(0)
    loss = generator.random(12)
    final = loss + 0.3 * generator.random(12)
    table = rank_agreement_table(control(["a"] * 12, list(loss), list(final)))
    row = table.row(0, named=True)
    assert row["correlation"] == pytest.approx(stats.kendalltau(loss, final).statistic)
    assert row["low"] <= row["correlation"] <= row["high"]
    assert row["pairs"] == 66


def test_architectures_are_never_compared_with_each_other() -> None:
    """Orders that agree within and disagree across count as agreement."""
    table = rank_agreement_table(control(["a", "a", "b", "b"], [1, 2, 3, 4], [5, 6, 1, 2]))
    assert table["correlation"].to_list() == [1.0]
    assert table["pairs"].to_list() == [2]
    assert "fewer than 6 pairs" in rank_agreement_sentence(table, pl.DataFrame())


def test_the_control_group_is_exempt_trials_that_finished(results: Results) -> None:
    """Its final loss is the trial's, at every rung."""
    table = control_table(results)
    exempt = results.full_budget.filter(cohort="exempt")
    assert set(table["trial_id"]) == set(exempt["trial_id"])
    assert (
        table.filter("last")
        .select("loss")
        .equals(table.filter("last").select(loss=pl.col("final")))
    )


def test_winners_that_would_have_been_stopped_are_counted(results: Results) -> None:
    """Stops not carried out on the best third of exempt trials, cumulated over rungs."""
    table = wrongly_stopped_table(results, control_table(results))
    assert table["stopped"].is_sorted()
    doomed = set(results.decisions.filter(action="exempt")["trial_id"])
    finals = control_table(results).filter("last").sort("final")
    best = finals.unique("architecture", keep="first", maintain_order=True)["trial_id"]
    assert table["best"][0] == 4
    assert table["stopped"][-1] == len(doomed & set(best))
    assert (table["low"] <= table["share"]).all()


def test_a_stop_counts_from_the_rung_where_it_fell(results: Results) -> None:
    """A winner that rung 1 would have stopped is safe at rung 0 and lost at rung 1."""
    base = pl.DataFrame(
        {"architecture": ["a"] * 3, "trial_id": ["x", "y", "z"], "final": [1.0, 2.0, 3.0]}
    )
    rungs = [
        base.with_columns(rung=rung, tokens=100 * 3**rung, loss=pl.col("final"), last=rung == 2)
        for rung in range(3)
    ]
    doomed = Results(
        trials=results.trials, reports=results.reports, samples=results.samples,
        decisions=pl.DataFrame({"trial_id": ["x", "z"], "rung": [1, 0], "action": ["exempt"] * 2}),
    )  # fmt: skip
    table = wrongly_stopped_table(doomed, pl.concat(rungs))
    assert table["stopped"].to_list() == [0, 1]
    assert table["best"].to_list() == [1, 1]
    assert table["share"].to_list() == [0.0, 1.0]


def test_savings_add_up(results: Results) -> None:
    """Saved tokens are the full budget less what each stopped trial used."""
    table = savings_table(results)
    full = results.full_budget["tokens"].max()
    stopped = results.trials.filter(status="stopped")
    assert table["saved"].sum() == stopped.height * full - stopped["tokens"].sum()
    assert table["used"].sum() == results.trials["tokens"].sum()
    assert f"ended {stopped.height} trials" in savings_sentence(table)


def test_decisions_are_told_by_rung(results: Results) -> None:
    """Counts in the sentence are those of the table."""
    decisions = results.decisions
    stops = decisions.filter(action="stop", rung=0).height
    total = decisions.filter(rung=0).height
    assert f"{stops} of {total} at rung 0" in decisions_sentence(decisions)
    table = decisions_table(decisions)
    assert table["minutes"].min() == 0
    assert table.height == decisions.height
