"""The report's first screen: who won, how sure that is, what it cost, how to run it again."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from picosweep.analysis.answer.headline import headline_sentence, headline_table
from picosweep.analysis.answer.spend import wall_seconds
from picosweep.analysis.page import wording
from picosweep.analysis.page.first_screen import Answer, Tile
from picosweep.analysis.results import Results
from picosweep.analysis.statistics.search_luck import Lead, is_ahead, search_lead
from picosweep.analysis.statistics.seeds import seed_noise, settings_table
from picosweep.sweeps.store.tables import short_id


def answer(results: Results) -> Answer:
    """Return the first screen of one sweep, with a winner where the data allows one."""
    names = results.setting_names
    column = results.metric.column
    table = headline_table(results.full_budget, names, column)
    noise = seed_noise(settings_table(results.full_budget, names, column))
    lead = search_lead(results.trials, column)
    sentence = " ".join(
        [
            headline_sentence(table, results.metric, noise, lead),
            *results.caveats,
            *progress(results, told=not table.is_empty()),
        ]
    )
    if table.is_empty():
        return Answer(
            verdict="No winner yet", winner=None, sentence=sentence, tiles=_spent(results),
            settings=(), defaults=(), commands=(),
        )  # fmt: skip
    best = table.row(0, named=True)
    winner = results.full_budget.filter(trial_id=best["trial_id"]).row(0, named=True)
    own = results.hyperparameters.get(best["architecture"], ())
    varied = results.varied[best["architecture"]]
    return Answer(
        verdict=verdict(table, lead),
        winner=best["architecture"],
        sentence=sentence,
        tiles=(
            _loss_tile(best, results),
            *_quality(winner, _repeats(results.full_budget, winner, names)),
            *_spent(results),
        ),
        settings=_written(winner, varied),
        defaults=_written(winner, [name for name in own if name not in varied]),
        commands=commands(best["trial_id"], results),
    )


def progress(results: Results, *, told: bool) -> list[str]:
    """Return sentences about an unfinished sweep: its lowest loss so far, its running trials.

    Args:
        results: tables of the sweep, of which `reports` and `trials` are read.
        told: whether an earlier sentence already states the lowest loss.
    """
    found = []
    reports = results.reports.drop_nulls([results.metric.column])
    if not told and not reports.is_empty():
        best = reports.sort(results.metric.column).row(0, named=True)
        at = f" after {wording.count(best['tokens'])} tokens" if best["tokens"] else ""
        least = wording.loss(best[results.metric.column])
        found.append(
            f"The lowest {results.metric.noun} so far is {least}, by {best['architecture']}{at}."
        )
    running = results.trials.filter(status="running").height
    if running:
        verb = "is" if running == 1 else "are"
        found.append(f"{wording.plural(running, 'trial')} {verb} still running.")
    return found


def _written(trial: Mapping[str, Any], names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, wording.setting(trial[name])) for name in names if trial[name] is not None)


def commands(trial_id: str, results: Results) -> tuple[tuple[str, str], ...]:
    """Return what can be done with one trial, and next: pairs of words and a command line."""
    own = results.trials.filter(trial_id=trial_id)["sweep"]
    trial_id = short_id(trial_id)
    where = results_option(results, own.last())
    found = [
        ("Train it again", f"picosweep replay {trial_id}{where}"),
        ("Show all about it", f"picosweep show {trial_id}{where}"),
        ("Let it write", f"picosweep generate {trial_id}{where}"),
    ]
    if len(results.folders) == 1 and results.specs:
        name = shlex.quote(results.folders[0].resolve().name)
        found.append(("What to run next", f"picosweep suggest {name}{where}"))
    return tuple(found)


def results_option(results: Results, sweep: object = None) -> str:
    """Return ` --results DIR` where a sweep does not lie in `results`, otherwise an empty text.

    Only the folder's name: a page that is sent to somebody else carries no path of the machine that
    it was made on, and the command is given where the folder is.

    Args:
        results: tables of the sweeps, with the folders that they were read from.
        sweep: name of the sweep whose folder is meant; needed only where sweeps lie in different
            places.
    """
    parents = {folder.parent for folder in results.folders}
    if len(parents) > 1 and sweep in results.sweeps and len(results.sweeps) == len(results.folders):
        parents = {results.folders[results.sweeps.index(str(sweep))].parent}
    parent = parents.pop().resolve().name if len(parents) == 1 else "results"
    return "" if parent == "results" else f" --results {shlex.quote(parent)}"


def verdict(table: pl.DataFrame, lead: Lead | None) -> str:
    """Say in a line what is known of the architectures, with the luck of the search in it."""
    best = table.row(0, named=True)["architecture"]
    if table.height == 1:
        return f"{best}, the only architecture that finished"
    tied = table.filter(verdict="within noise")["architecture"].to_list()
    if not is_ahead(lead):
        return "No architecture is shown to be better"
    if tied:
        return f"{wording.listing([best, *tied])} cannot be told apart"
    return f"{best} wins" if table["verdict"][1] == "worse" else f"{best} leads"


def _loss_tile(best: dict[str, object], results: Results) -> Tile:
    mean, high = best["mean"], best["high"]
    interval = (
        f" ± {high - mean:.3f}" if isinstance(high, float) and isinstance(mean, float) else ""
    )
    number = int(str(best["seeds"]))
    few = {0: "one trial", 1: "one fresh seed"}
    seeds = few.get(number, f"mean of {number} fresh seeds")
    seeds += ", ± at 95 %" if interval else ""
    value = wording.loss(mean if isinstance(mean, float) else None)
    return Tile(label=results.metric.noun.capitalize(), value=value + interval, detail=seeds)


def _repeats(
    full_budget: pl.DataFrame, winner: Mapping[str, Any], names: Sequence[str]
) -> pl.DataFrame:
    """Return the winner's setting on fresh seeds, or the winner alone where there are none."""
    same = full_budget.filter(
        pl.all_horizontal(
            pl.col(name).eq_missing(winner[name]) for name in ("architecture", *names)
        )
    )
    fresh = same.filter(cohort="confirm")
    return fresh if fresh.height else same.filter(trial_id=winner["trial_id"])


def _quality(winner: Mapping[str, Any], repeats: pl.DataFrame) -> tuple[Tile, ...]:
    """Return tiles with accuracy and bits per byte (means over the repeats) and model size."""
    tiles = []
    accuracy, bits = (repeats[name].mean() for name in ("val_accuracy", "bits_per_byte"))
    size = winner["num_params"]
    if isinstance(accuracy, float):
        detail = f"{bits:.3f} bits per byte" if isinstance(bits, float) else ""
        tiles.append(
            Tile(label="Next-token accuracy", value=f"{100 * accuracy:.1f} %", detail=detail)
        )
    if isinstance(size, int):
        flops = winner["flops"]
        detail = f"{wording.count(flops)}FLOP to train" if isinstance(flops, float) else ""
        tiles.append(Tile(label="Parameters", value=wording.count(size), detail=detail))
    return tuple(tiles)


def _spent(results: Results) -> tuple[Tile, ...]:
    trials = results.trials
    new = trials.filter(pl.col("status") != "cached")
    stopped, bad = (
        trials.filter(pl.col("status").is_in(names)).height
        for names in (["stopped"], ["diverged", "failed"])
    )
    wall = wall_seconds(trials)
    return (
        Tile(
            label="Trials",
            value=f"{trials.height:,}",
            detail=f"{stopped:,} stopped early, {bad:,} diverged or failed",
        ),
        Tile(
            label="Spent",
            value=f"{wording.count(float(new['tokens'].sum()))} tokens",
            detail=f"{wording.count(float(new['flops'].sum()))}FLOP",
        ),
        Tile(
            label="Busy time",
            value=wording.duration(float(new["seconds"].sum())),
            detail=f"{wording.duration(wall)} on the clock" if wall else "",
        ),
    )
