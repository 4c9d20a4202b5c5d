import json
import warnings
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.formula.api import ols

from picosweep.analysis.results import METRICS
from picosweep.analysis.statistics.evidence import setting_evidence
from picosweep.analysis.statistics.linear_model import fit_regression, is_logarithmic
from picosweep.analysis.what_mattered.correlation import (
    correlation_sentence,
    correlation_table,
    strongest_by_chance,
)
from picosweep.analysis.what_mattered.importance import (
    importance_chart,
    importance_sentence,
    importance_table,
)
from picosweep.analysis.what_mattered.partial_dependence import (
    partial_dependence_chart,
    partial_dependence_sentence,
    partial_dependence_table,
)
from picosweep.analysis.what_mattered.regression import regression_sentence
from picosweep.analysis.what_mattered.residuals import (
    FITTED,
    NORMAL,
    residuals_sentence,
    residuals_table,
)

METRIC = METRICS["val_loss"]


def trials(number: int = 60, seed: int = 0) -> pl.DataFrame:
    """Loss = 3 + 0.5 (log10 rate + 3)² + 0.2 [relu] + noise; width does nothing."""
    generator = np.random.default_rng(seed)
    rate = 10 ** generator.uniform(-4, -2, number)
    activation = generator.choice(["gelu", "relu"], number)
    noise = 0.02 * generator.standard_normal(number)
    loss = 3 + 0.5 * (np.log10(rate) + 3) ** 2 + 0.2 * (activation == "relu") + noise
    return pl.DataFrame(
        {
            "trial_id": [f"t{index:03d}" for index in range(number)],
            "rate": rate, "activation": activation, "width": generator.choice([32, 64], number),
            "loss": loss,
        }
    )  # fmt: skip


def test_regression_recovers_what_made_the_data() -> None:
    """A linear law comes back within its own interval, in the units of the table."""
    generator = np.random.default_rng(0)
    x = 10 ** generator.uniform(-4, -2, 200)
    kind = generator.choice(["a", "b"], 200)
    loss = 2 - 0.3 * np.log10(x) + 0.5 * (kind == "b") + 0.01 * generator.standard_normal(200)
    frame = pl.DataFrame(
        {"trial_id": [str(i) for i in range(200)], "x": x, "kind": kind, "loss": loss}
    )
    fit = fit_regression(frame, ["x", "kind"])
    assert fit is not None
    rows = {row["term"]: row for row in fit.table.iter_rows(named=True)}
    slope = -0.3 * np.log10(x).std(ddof=1)
    assert rows["log10(x)"]["low"] < slope < rows["log10(x)"]["high"]
    assert rows["kind b vs a"]["estimate"] == pytest.approx(0.5, abs=0.01)
    assert fit.formula == "loss ~ log10(x) + kind + log10(x) × kind"


def test_a_setting_that_follows_another_has_no_effect_of_its_own() -> None:
    """Its coefficient would be any number; it is named apart, and no design is singular."""
    frame = trials().with_columns(
        smoothing=pl.when(pl.col("activation") == "relu").then(0.1).otherwise(0.0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_regression(frame, ["rate", "activation", "smoothing"])
    assert fit is not None
    assert len({*fit.determined} & {"activation", "smoothing"}) == 1
    assert fit.left_out == ()
    alone = fit_regression(frame, ["rate", *({"activation", "smoothing"} - {*fit.determined})])
    assert alone is not None
    assert fit.table.equals(alone.table)


def test_regression_agrees_with_the_formula_interface() -> None:
    """Estimates, HC3 errors and intervals are those of statsmodels' own formula route."""
    frame = trials(40)
    fit = fit_regression(frame, ["width", "activation"])
    assert fit is not None
    pandas = frame.with_columns(
        z=(pl.col("width") - pl.col("width").mean()) / pl.col("width").std()
    )
    oracle = ols("loss ~ z * C(activation)", pandas.to_pandas()).fit(cov_type="HC3", use_t=True)
    ours = dict(zip(fit.table["term"], fit.table["std_error"], strict=True))
    assert ours["width"] == pytest.approx(oracle.bse["z"])
    assert ours["activation relu vs gelu"] == pytest.approx(oracle.bse["C(activation)[T.relu]"])
    assert fit.r_squared == pytest.approx(oracle.rsquared)


def test_interactions_are_found_when_there_are_trials_for_them() -> None:
    """A product of two settings that moves the loss gets a term and clears zero."""
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((2, 120))
    frame = pl.DataFrame(
        {"trial_id": [str(i) for i in range(120)], "a": a, "b": b,
         "loss": a + b + 0.8 * a * b + 0.1 * generator.standard_normal(120)}
    )  # fmt: skip
    fit = fit_regression(frame, ["a", "b"])
    assert fit is not None
    row = fit.table.filter(term="a × b").row(0, named=True)
    assert row["low"] > 0.5
    assert fit.formula == "loss ~ a + b + a × b"


def test_too_few_trials_are_refused_or_leave_settings_out() -> None:
    """Three trials fit nothing; ten cannot carry eight settings, and the missing ones are named."""
    assert fit_regression(trials(3), ["rate", "activation", "width"]) is None
    generator = np.random.default_rng(0)
    names = [f"s{index}" for index in range(8)]
    frame = pl.DataFrame({name: generator.random(10) for name in names}).with_columns(
        loss=pl.col("s3") * 2, trial_id=pl.int_range(10).cast(pl.String)
    )
    fit = fit_regression(frame, names)
    assert fit is not None
    assert "s3" in fit.formula
    assert len(fit.left_out) >= 5


def test_names_cannot_upset_the_formula() -> None:
    """Settings and values full of formula signs are only text."""
    frame = trials(30).rename({"width": "w ~ 1 + C(x):", "activation": "a`[T.b]"})
    frame = frame.with_columns(pl.col("a`[T.b]").replace("relu", "]:s0 <b>"))
    fit = fit_regression(frame, ["w ~ 1 + C(x):", "a`[T.b]"])
    assert fit is not None
    assert "a`[T.b] gelu vs ]:s0 <b>" in fit.table["term"].to_list()


def test_the_sentence_names_clear_effects_only() -> None:
    """What clears zero is named with its sign; what does not is not, nor is the luck of many."""
    fit = fit_regression(trials(), ["activation", "width"])
    assert fit is not None
    sentence = regression_sentence(fit, METRIC)
    assert "activation relu vs gelu (+0." in sentence
    assert "width (" not in sentence
    assert fit.num_candidates == 3  # two settings and their interaction
    crowd = replace(fit, num_candidates=10**15)
    assert "No setting's effect stands out" in regression_sentence(crowd, METRIC)


def test_wide_settings_are_logarithmic() -> None:
    """A factor of ten, and never for values that reach zero."""
    assert is_logarithmic(pl.Series([1e-4, 1e-2]))
    assert not is_logarithmic(pl.Series([1, 8]))
    assert not is_logarithmic(pl.Series([0.0, 1.0]))
    assert not is_logarithmic(pl.Series(["a", "b"]))


def test_residual_plots_hold_every_trial_and_two_lines() -> None:
    """The Q-Q line is scipy's; fitted plus residual is the loss."""
    frame = trials(30)
    fit = fit_regression(frame, ["activation"])
    assert fit is not None
    table = residuals_table(fit)
    assert table.filter(plot=FITTED, line=False).height == 30
    both = table.filter(plot=FITTED, line=False).join(frame, on="trial_id")
    assert (both["x"] + both["y"]).to_numpy() == pytest.approx(both["loss"].to_numpy())
    residual = fit.residuals["residual"].to_numpy()
    slope = stats.probplot(residual / residual.std(ddof=1))[1][0]
    ends = table.filter(plot=NORMAL, line=True).sort("x")
    assert np.diff(ends["y"].to_numpy())[0] / np.diff(ends["x"].to_numpy())[0] == pytest.approx(
        slope
    )
    assert "Shapiro" in residuals_sentence(fit)


def test_importance_finds_the_setting_that_matters() -> None:
    """Both methods put the learning rate first; shares add up to one and idle settings get none."""
    pytest.importorskip("sklearn")
    table = importance_table(trials(), ["rate", "activation", "width"])
    for method in ("fANOVA", "PED-ANOVA"):
        own = table.filter(method=method)
        assert own["share"].sum() == pytest.approx(1.0)
        assert own.sort("share", descending=True)["setting"][0] == "rate"
        assert own.filter(setting="width")["share"][0] < 0.2
    evidence = setting_evidence(trials(), ["rate", "activation", "width"])
    assert set(evidence.filter("clear")["setting"]) == {"rate", "activation"}
    told = importance_sentence(table, evidence, 60)
    assert "Shown to move the loss: activation and rate." in told
    assert "What gets into the best tenth is mostly rate" in told
    assert "too few" not in told
    assert "best tenth is 2 trials here, too few to rank by" in importance_sentence(
        table, evidence, 11
    )


def test_no_setting_is_named_where_none_does_anything() -> None:
    """The bars are drawn, but the sentence says how many trials would tell, or that these would."""
    pytest.importorskip("sklearn")
    names = ["rate", "activation", "width"]
    noise = pl.Series(np.random.default_rng(2).standard_normal(60))
    idle = trials(60).with_columns(loss=noise)
    for number, needed in ((20, "20 trials cannot tell"), (60, "mostly have shown with")):
        few = idle.head(number)
        evidence = setting_evidence(few, names)
        told = importance_sentence(importance_table(few, names), evidence, number)
        assert told.startswith("No setting is shown to move the loss")
        assert needed in told
        assert told.endswith("The bars may be noise.")
        table = partial_dependence_table(few, names)
        assert "may be guesses at noise" in partial_dependence_sentence(
            table, evidence, number, METRIC
        )


def test_the_two_importances_answer_two_questions() -> None:
    """A setting whose bad half ruins everything moves the loss; a fine one picks the winners."""
    pytest.importorskip("sklearn")
    cliff, fine = np.random.default_rng(0).random((2, 150))
    frame = pl.DataFrame(
        {"cliff": cliff, "fine": fine, "loss": 5.0 * (cliff < 0.5) + (fine - 0.5) ** 2}
    )
    table = importance_table(frame, ["cliff", "fine"])
    share = {(row["method"], row["setting"]): row["share"] for row in table.iter_rows(named=True)}
    assert share["fANOVA", "cliff"] > 0.9
    assert share["PED-ANOVA", "fine"] > 0.5


def test_importance_refuses_few_trials_and_flat_losses() -> None:
    """Seven trials are too few; equal losses have no importance and no crash."""
    assert importance_table(trials(7), ["rate"]).is_empty()
    flat = trials(12).with_columns(loss=pl.lit(1.0))
    evidence = setting_evidence(flat, ["rate"])
    assert "no setting mattered" in importance_sentence(
        importance_table(flat, ["rate"]), evidence, 12
    )


def test_partial_dependence_follows_the_law() -> None:
    """The learned valley lies where the law has it; the setting that does nothing is flat."""
    pytest.importorskip("sklearn")
    table = partial_dependence_table(trials(150), ["rate", "width"])
    rate, width = table.filter(setting="rate"), table.filter(setting="width")
    best = rate.sort("mean")["value"].cast(pl.Float64)[0]
    assert -3.5 < np.log10(best) < -2.5
    assert np.ptp(rate["mean"].to_numpy()) > 5 * np.ptp(width["mean"].to_numpy())
    assert table["setting"][0] == "rate"
    evidence = setting_evidence(trials(150), ["rate", "width"])
    assert "rate moves the validation loss most" in partial_dependence_sentence(
        table, evidence, 150, METRIC
    )


def test_choices_are_points_and_numbers_are_lines() -> None:
    """Two widths have no values between them; rates over two decades have a logarithmic axis."""
    pytest.importorskip("sklearn")
    table = partial_dependence_table(trials(150), ["rate", "width", "activation"])
    assert table.filter(setting="rate")["number"].null_count() == 0
    chart = partial_dependence_chart(table, METRIC).to_dict()
    drawn = {}
    for small in chart["concat"]:
        marks = {layer["mark"]["type"] for layer in small["layer"]}
        drawn[small["title"]["text"]] = marks, small["layer"][0]["encoding"]["x"]
    assert drawn["rate"][0] == {"area", "line"}
    assert drawn["rate"][1]["scale"]["type"] == "log"
    for choice in ("width", "activation"):
        marks, axis = drawn[choice]
        assert marks == {"rule", "point"}
        assert axis["axis"]["labelOverlap"] is False
    assert drawn["activation"][1]["sort"] == ["gelu", "relu"]
    layers = [layer for small in chart["concat"] for layer in small["layer"]]
    domains = [layer["encoding"]["y"]["scale"]["domain"] for layer in layers]
    assert all(domain == domains[0] for domain in domains)


def test_partial_dependence_agrees_with_scikit_learn() -> None:
    """The averages are those of scikit-learn's own brute-force routine for the same forest."""
    inspection = pytest.importorskip("sklearn.inspection")
    ensemble = pytest.importorskip("sklearn.ensemble")
    frame = trials(40).with_columns(pl.col("width").cast(pl.Float64))
    table = partial_dependence_table(frame, ["width"], seed=3)
    shuffled = frame.sample(40, seed=3)
    design = shuffled.select("width").to_numpy()
    forest = ensemble.RandomForestRegressor(40, min_samples_leaf=2, random_state=3)
    forest.fit(design, shuffled["loss"].to_numpy())
    oracle = inspection.partial_dependence(forest, design, [0], method="brute", kind="average")
    assert table["mean"].to_numpy() == pytest.approx(oracle["average"][0], rel=1e-6)


def test_correlations_are_spearmans() -> None:
    """Each cell agrees with scipy; text and constant columns are left out."""
    frame = trials(25).with_columns(constant=pl.lit(1.0))
    table = correlation_table(frame, ["rate", "width", "activation", "constant", "loss"])
    assert set(table["x"]) == {"rate", "width", "loss"}
    cell = table.filter(x="rate", y="loss")["correlation"][0]
    assert cell == pytest.approx(stats.spearmanr(frame["rate"], frame["loss"]).statistic)
    told = correlation_sentence(table, ["rate", "width"], "loss", 0.01)
    assert "rank correlation" in told
    assert "goes most with the loss" in told
    assert "luck" in correlation_sentence(table, ["rate", "width"], "loss", 0.06)
    alone = stats.spearmanr(frame["rate"], frame["loss"])
    chance = strongest_by_chance(frame, ["rate", "loss"], "loss")
    assert chance == pytest.approx(alone.pvalue, abs=0.03)
    perfect = pl.DataFrame({"rate": range(5), "loss": range(5)})
    assert strongest_by_chance(perfect, ["rate", "loss"], "loss") == pytest.approx(
        2 / 120, abs=0.01
    )
    assert correlation_table(frame.head(3), ["rate", "loss"]).is_empty()


def test_settings_of_equal_share_keep_their_order_so_that_a_report_is_the_same_twice() -> None:
    settings = [f"setting_{number}" for number in range(40)]
    table = pl.DataFrame(
        {
            "method": ["fANOVA"] * 40,
            "setting": settings,
            "share": [0.025] * 40,
            "low": [0.0] * 40,
            "high": [0.1] * 40,
        }
    )
    for _ in range(5):
        drawn = json.dumps(importance_chart(table).to_dict())
        assert f'"sort": {json.dumps(settings)}' in drawn
