"""Which settings mattered? Two answers to two questions, side by side.

fANOVA: which settings move the loss over the whole space that was tried? PED-ANOVA: which settings
decide whether a trial is among the best tenth? A learning rate whose bad half ruins everything
but whose good half is flat scores high on the first and low on the second.

Sources: F. Hutter, H. Hoos, K. Leyton-Brown, An Efficient Approach for Assessing Hyperparameter
Importance, 2014; S. Watanabe, A. Bansal, F. Hutter, PED-ANOVA, 2023; both as Optuna has them.
"""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import altair as alt
import numpy as np
import polars as pl

from picosweep.analysis.page import wording
from picosweep.analysis.page.figure import Chart, Figure, Panel
from picosweep.analysis.page.style import rows, small_multiples
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.common_rung import comparisons, timed
from picosweep.analysis.statistics.evidence import clear_settings, unshown_sentence
from picosweep.analysis.statistics.linear_model import by_strength, is_logarithmic

MIN_TRIALS: Final = 8
MAX_SETTINGS: Final = 20
MAX_TRIALS: Final = 100
MAX_RESAMPLED: Final = 50
NUM_RESAMPLES: Final = 8
NUM_TREES: Final = 12
MIN_TENTH: Final = 5
QUESTIONS: Final[Mapping[str, str]] = {
    "fANOVA": "moves the loss anywhere",
    "PED-ANOVA": "gets into the best tenth",
}


def importance_table(frame: pl.DataFrame, settings: Sequence[str], seed: int = 0) -> pl.DataFrame:
    """Return shares of importance, each method's adding up to one, with their spread.

    Args:
        frame: one row per trial, with `loss` and the settings; rows that lack any are left out,
            and with more than 100 trials a random 100 take part (the time of fANOVA grows with
            their square).
        settings: hyperparameters; of more than 20 the 20 that correlate most with the loss take
            part.
        seed: seed of the sample and of the bootstrap; the forests always have the same one.

    Returns:
        method, setting, share, low, high (10 to 90 % over eight resamples of the trials, which is
        no interval for the true share); empty when there are fewer than eight trials or no setting
        varies.
    """
    schema = {"method": pl.String, "setting": pl.String, "share": pl.Float64, "low": pl.Float64,
              "high": pl.Float64}  # fmt: skip
    known = frame.drop_nulls(["loss", *settings])
    names = by_strength(known, settings)[:MAX_SETTINGS]
    if known.height < MIN_TRIALS or not names:
        return pl.DataFrame(schema=schema)
    sample = known.sample(min(known.height, MAX_TRIALS), seed=seed)
    generator = np.random.default_rng(seed)
    size = min(sample.height, MAX_RESAMPLED)
    resamples = [sample[generator.integers(sample.height, size=size)] for _ in range(NUM_RESAMPLES)]
    points = _shares(sample, names, NUM_TREES)
    spread = [_shares(drawn, names, NUM_TREES // 4) for drawn in resamples]
    found = []
    for method, point in points.items():
        for name in names:
            values = [shares[method][name] for shares in spread if name in shares[method]]
            low, high = np.quantile(values, (0.1, 0.9)) if values else (np.nan, np.nan)
            found.append(
                {
                    "method": method,
                    "setting": name,
                    "share": point.get(name),
                    "low": low,
                    "high": high,
                }
            )
    return pl.DataFrame(found, schema=schema).fill_nan(None)


def _shares(
    frame: pl.DataFrame, names: Sequence[str], num_trees: int
) -> dict[str, dict[str, float]]:
    """Return each method's importances, scaled to a sum of one; empty when it finds none."""
    import optuna  # noqa: PLC0415 - slow to import
    from optuna.importance import (  # noqa: PLC0415
        FanovaImportanceEvaluator,
        PedAnovaImportanceEvaluator,
    )

    varied = [name for name in names if frame[name].n_unique() > 1]
    if not varied or frame["loss"].n_unique() < 2:
        return {method: {} for method in QUESTIONS}
    with _quiet():
        study = optuna.study.create_study()
    study.add_trials(_as_optuna(frame, varied))
    evaluators: dict[str, Any] = {
        "fANOVA": FanovaImportanceEvaluator(n_trees=num_trees, seed=0),
        "PED-ANOVA": PedAnovaImportanceEvaluator(),
    }
    found = {}
    for method, evaluator in evaluators.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few trials in the best tenth: the sentence says so
            raw = evaluator.evaluate(study, params=varied)
        total = sum(raw.values())
        found[method] = {name: float(value / total) for name, value in raw.items() if total > 0}
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from announcing each study on the terminal."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _as_optuna(frame: pl.DataFrame, names: Sequence[str]) -> list[Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution  # noqa: PLC0415
    from optuna.trial import create_trial  # noqa: PLC0415

    columns: dict[str, list[Any]] = {}
    distributions: dict[str, Any] = {}
    for name in names:
        values = frame[name]
        if values.dtype.is_numeric():
            number = values.cast(pl.Float64)
            columns[name] = number.to_list()
            distributions[name] = FloatDistribution(
                float(number.to_numpy().min()),
                float(number.to_numpy().max()),
                log=is_logarithmic(values),
            )
        else:
            columns[name] = values.to_list()
            distributions[name] = CategoricalDistribution(values.unique().sort().to_list())
    losses = frame["loss"].to_list()
    return [
        create_trial(
            params={name: columns[name][index] for name in names},
            distributions=distributions,
            value=loss,
        )
        for index, loss in enumerate(losses)
    ]


def importance_sentence(table: pl.DataFrame, evidence: pl.DataFrame, trials: int) -> str:
    """Say which settings are shown to move the loss, and which has the largest share.

    Args:
        table: rows from `importance_table`.
        evidence: rows from `setting_evidence` about the same trials.
        trials: number of trials that could be compared.
    """
    ranked = table.filter(pl.col("share").is_not_null()).sort(
        "share", descending=True, maintain_order=True
    )
    if ranked.is_empty():
        return "The losses are all the same, so no setting mattered."
    clear = clear_settings(evidence)
    if not clear:
        return unshown_sentence(evidence, trials) + " The bars may be noise."
    text = f"Shown to move the loss: {wording.listing(clear)}."
    firsts = {method: ranked.filter(method=method).head(1).to_dicts() for method in QUESTIONS}
    tenth = math.ceil(trials / 10)
    for method, first in firsts.items():
        enough = tenth >= MIN_TENTH or method == "fANOVA"
        if first and enough and first[0]["setting"] in clear:
            share = wording.percent(first[0]["share"])
            text += (
                f" What {QUESTIONS[method]} is mostly {first[0]['setting']} ({share}, {method})."
            )
    if tenth < MIN_TENTH:
        few = wording.plural(tenth, "trial")
        text += f" PED-ANOVA's best tenth is {few} here, too few to rank by."
    return text


def importance_chart(table: pl.DataFrame) -> Chart:
    """Draw two charts, one per method, with settings in the same order."""
    order = (
        table.group_by("setting", maintain_order=True)
        .agg(pl.col("share").max())
        .sort("share", descending=True, nulls_last=True, maintain_order=True)["setting"]
        .to_list()
    )
    y = alt.Y("setting:N", sort=order, title=None)
    base = alt.Chart(table).encode(y=y)
    bars = base.mark_bar(height=14, opacity=0.85).encode(
        x=alt.X("share:Q", title="Share of importance", axis=alt.Axis(format="%", tickCount=4),
                scale=alt.Scale(domain=[0, 1])),
        tooltip=[alt.Tooltip("method:N"), alt.Tooltip("setting:N"),
                 alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("low:Q", format=".1%"),
                 alt.Tooltip("high:Q", format=".1%")],
    )  # fmt: skip
    whiskers = base.mark_rule(strokeWidth=1.5).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    size = (320, rows(len(order), 26))
    return small_multiples(bars, whiskers, by="method", columns=2, size=size, sort=list(QUESTIONS))


def figure(results: Results) -> Figure | None:
    """Return one panel per architecture, and one of all together; None without trials."""
    panels = []
    compared = comparisons(results, pooled=True)
    for common in compared:
        name = common.name
        if common.frame.height < MIN_TRIALS or not common.settings:
            trials = wording.plural(common.frame.height, "trial")
            need = f"too few to rank settings (at least {MIN_TRIALS})"
            sentence = f"{common.title}: {trials} are {need}."
            panels.append(Panel(label=name, sentence=sentence))
            continue
        try:
            table = importance_table(common.frame, common.settings)
        except ImportError:
            sentence = f"{common.title}: fANOVA needs scikit-learn, which is not installed here."
            panels.append(Panel(label=name, sentence=sentence))
            continue
        sentence = (
            f"{common.title}: "
            f"{importance_sentence(table, common.evidence, common.frame.height)} {common.sentence}"
        )
        panels.append(
            Panel(
                label=name,
                sentence=sentence,
                chart=None if table.is_empty() else importance_chart(table),
                table=table,
            )
        )
    if not panels:
        return None
    return Figure(
        key="importance",
        title=timed("Which settings mattered", compared),
        panels=tuple(panels),
        note=(
            "fANOVA: which settings move the loss over everything that was tried? PED-ANOVA: which "
            "settings decide whether a trial is among the best tenth? Whiskers are the spread over "
            f"eight resamples of at most {MAX_RESAMPLED} trials (10 to 90 %), no intervals. A "
            "setting is named where losses dealt at random would hardly follow it so, at 5 % "
            "for all settings together (Holm). fANOVA is slow: of more than "
            f"{MAX_TRIALS} trials a random {MAX_TRIALS} take part, of more than {MAX_SETTINGS} "
            "settings those that go most with the loss."
        ),
    )
