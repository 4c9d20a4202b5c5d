import numpy as np
import polars as pl
import pytest
from scipy import stats

from picosweep.analysis.results import Results
from picosweep.analysis.stopping.decisions import decisions_sentence, decisions_table
from picosweep.analysis.stopping.rank_agreement import (
    control_table,
    lost_winners_sentence,
    lost_winners_table,
    rank_agreement_sentence,
    rank_agreement_table,
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


def test_a_winner_is_lost_where_nothing_that_is_let_through_ends_as_well(
    results: Results,
) -> None:
    """From the rung on that would have stopped it, and only if it ended below all the others."""
    base = pl.DataFrame(
        {"architecture": ["a"] * 4, "trial_id": ["x", "y", "z", "w"],
         "cohort": ["exempt"] * 3 + ["searched"], "val_loss": [1.0, 2.0, 3.0, 2.5]}
    )  # fmt: skip
    missing = {name: pl.lit(None) for name in results.trials.columns if name not in base.columns}
    whole = base.with_columns(**missing).with_columns(status=pl.lit("completed"), rung=pl.lit(2))
    rungs = [
        base.select("architecture", "trial_id", final="val_loss").with_columns(
            rung=rung, tokens=100 * 3**rung, loss=pl.col("final"), last=rung == 2
        )
        for rung in range(3)
    ]
    stops = {"trial_id": ["x", "z"], "rung": [1, 0], "action": ["exempt"] * 2}
    doomed = Results(
        trials=whole.select(results.trials.columns), reports=results.reports,
        samples=results.samples, decisions=pl.DataFrame(stops),
    )  # fmt: skip
    table = lost_winners_table(doomed, pl.concat(rungs))
    assert table["exempt"].to_list() == [3, 3]
    assert table["stopped"].to_list() == [1, 2]
    assert table["lost"].to_list() == [0, 1]
    assert table["share"].to_list() == pytest.approx([0, 1 / 3])
    assert "cannot tell how often" in lost_winners_sentence(table)
    many = table.with_columns(exempt=pl.lit(24), stopped=pl.lit(15), lost=pl.lit(1))
    assert lost_winners_sentence(many).startswith(
        "Of 24 exempt trials early stopping would have stopped 15; 1 of these ended better"
    )


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
