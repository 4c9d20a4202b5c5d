"""What came out of a study's sweeps, as plain data: a page is written of it, and nothing else."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from picosweep.pico.data.sources.source import short_name
from picosweep.studies.judge import Judgement, Measured, SweepRows, judge
from picosweep.studies.study import Profile, Study, Texts, parts_of, sweep_name
from picosweep.sweeps.search.ranking import Ranking, Winner
from picosweep.sweeps.store.folder import SweepFolder, read_json
from picosweep.sweeps.store.reader import read_rows
from picosweep.sweeps.store.tables import setting_name

Row = dict[str, Any]

METRICS: Final = (
    "val_loss",
    "val_accuracy",
    "val_perplexity",
    "bits_per_byte",
    "train_loss",
    "num_params",
    "flops_per_token",
    "tokens",
    "seconds",
    "peak_memory_bytes",
)
"""What the list of a sweep's best trials shows of each."""


@dataclass(frozen=True, kw_only=True)
class ArmOutcome:
    """An architecture's best setting in a sweep."""

    architecture: str
    trial_id: str
    num_params: int
    settings: dict[str, Any]
    """Of the searched hyperparameters."""
    own: float
    """The objective of the searched trial."""
    again: tuple[float, ...]
    """The objective on fresh seeds."""
    trial_ids: tuple[str, ...]
    """Of these."""


@dataclass(frozen=True, kw_only=True)
class SweepOutcome:
    """What came out of one sweep."""

    name: str
    metric: str
    setup: str
    """Data and budget in a few words."""
    arms: tuple[ArmOutcome, ...]
    """The best first."""
    num_trials: int
    num_failed: int
    tokens: int
    seconds: float
    """In training and evaluation, over all trials."""
    best: tuple[dict[str, Any], ...] = ()
    """The best trials of the search with their metrics, where the page lists them."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """One continuation."""

    arm: str
    trial_id: str
    decoder: str
    prompt: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came out of a study."""

    profile: Profile
    sweeps: Mapping[str, SweepOutcome]
    claims: tuple[Judgement, ...]
    texts: tuple[Text, ...]
    captions: tuple[str, ...] = ()
    """A text for each of the study's pictures; empty for one that could not be drawn."""

    def to_json(self) -> str:
        """Return it as text, for a file beside the page."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """Read what `to_json` wrote."""
        found = json.loads(text)
        sweeps = {
            name: SweepOutcome(
                **one
                | {"arms": tuple(_arm(arm) for arm in one["arms"]), "best": tuple(one["best"])}
            )
            for name, one in found["sweeps"].items()
        }
        claims = tuple(
            Judgement(**one | {"arms": tuple(_measured(arm) for arm in one["arms"])})
            for one in found["claims"]
        )
        texts = tuple(Text(**one) for one in found["texts"])
        return cls(
            profile=found["profile"],
            sweeps=sweeps,
            claims=claims,
            texts=texts,
            captions=tuple(found["captions"]),
        )


def _arm(found: Mapping[str, Any]) -> ArmOutcome:
    return ArmOutcome(
        **{**found, "again": tuple(found["again"]), "trial_ids": tuple(found["trial_ids"])}
    )


def _measured(found: Mapping[str, Any]) -> Measured:
    return Measured(
        arm=found["arm"],
        trial_ids=tuple(found["trial_ids"]),
        seeds=tuple(found["seeds"]),
        values=tuple(found["values"]),
    )


def outcome_of(study: Study, name: str, profile: Profile, results: Path) -> Outcome:
    """Read a study's sweeps from the results folder, and judge its claims.

    Args:
        study: the study.
        name: its name.
        profile: how large it was run.
        results: the folder with its sweeps.
    """
    sweeps: dict[str, SweepOutcome] = {}
    rows: dict[str, SweepRows] = {}
    for sweep in study.sweeps:
        folder = results / sweep_name(name, sweep, profile)
        trials = read_rows(folder, "trials")
        spec = read_json(SweepFolder(folder).spec) or {}
        ranking = Ranking.of_stored(spec)
        winners = ranking.winners(trials)
        rows[sweep] = SweepRows(
            again={one.row["architecture"]: one.again for one in winners},
            rows_of=functools.cache(functools.partial(read_rows, folder)),
        )
        best = _best(trials, ranking, study.sweeps[sweep].best)
        sweeps[sweep] = _sweep(spec, ranking.metric, winners, trials, best)
    texts = [text for one in study.texts for text in _texts(one, sweeps, rows, results)]
    return Outcome(
        profile=profile,
        sweeps=sweeps,
        claims=tuple(judge(study, rows)),
        texts=tuple(texts),
    )


def _best(trials: Sequence[Row], ranking: Ranking, number: int) -> tuple[Row, ...]:
    searched = [
        row
        for row in trials
        if row["cohort"] != "confirm" and row.get("current") is not False and row[METRICS[0]]
    ]
    first = sorted(searched, key=ranking.key)[:number]
    return tuple({key: row[key] for key in ("architecture", "trial_id", *METRICS)} for row in first)


def _sweep(
    spec: Mapping[str, Any],
    metric: str,
    winners: Sequence[Winner],
    trials: Sequence[Row],
    best: tuple[Row, ...],
) -> SweepOutcome:
    arms = []
    for winner in winners:
        row = winner.row
        own = {
            **spec["common"],
            **spec["preference"],
            **spec["architectures"][row["architecture"]],
        }
        searched = [key for key, value in own.items() if isinstance(value, list | dict)]
        settings = {key: row.get(setting_name(row["architecture"], key)) for key in searched}
        arms.append(
            ArmOutcome(
                architecture=row["architecture"],
                trial_id=row["trial_id"],
                num_params=row["num_params"],
                settings={key: value for key, value in settings.items() if value is not None},
                own=winner.own,
                again=winner.seeds,
                trial_ids=tuple(one["trial_id"] for one in winner.again),
            )
        )
    current = [row for row in trials if row.get("current") is not False]
    return SweepOutcome(
        name=spec["name"],
        metric=metric,
        setup=_setup(spec),
        arms=tuple(arms),
        num_trials=len(current),
        num_failed=sum(row["status"] in ("failed", "diverged") for row in current),
        tokens=sum(row["tokens"] or 0 for row in current),
        seconds=sum(row["seconds"] or 0.0 for row in current),
        best=best,
    )


def _setup(spec: Mapping[str, Any]) -> str:
    """Say what a sweep's trials train on, and for how long; no path of a machine."""
    data, budget = spec["data"], spec["budget"]
    source = data["source"]
    if isinstance(source, dict):
        source = ", ".join(f"{short_name(one)} {weight:g}" for one, weight in source.items())
    else:
        source = short_name(source)
    tokenizer = data["tokenizer"]
    size = f" of {tokenizer['vocab_size']:,}" if tokenizer["kind"] == "bpe" else ""
    if tokenizer["path"] is not None:
        size = " of the sweep that it goes on from"
    longest = budget["min"] * budget["factor"] ** (budget["rungs"] - 1)
    return (
        f"{source}; tokenizer {tokenizer['kind']}{size}; blocks of {data['block_size']}; "
        f"{longest:,.0f} {budget['unit']} a trial"
    )


def _texts(
    asked: Texts,
    sweeps: Mapping[str, SweepOutcome],
    rows: Mapping[str, SweepRows],
    results: Path,
) -> list[Text]:
    sweep, architecture, _ = parts_of(asked.arm)
    best = [one.trial_id for one in sweeps[sweep].arms if one.architecture == architecture]
    if asked.decoders:
        return [text for trial_id in best for text in _written(asked, trial_id, results)]
    own = [
        row
        for row in rows[sweep].rows_of("samples")
        if row["trial_id"] in best and row["prompt"] == asked.prompt
    ]
    last = max((row["step"] for row in own), default=None)
    return [
        Text(
            arm=asked.arm,
            trial_id=row["trial_id"],
            decoder=row["decoder"],
            prompt=asked.prompt,
            text=row["text"],
        )
        for row in own
        if row["step"] == last
    ]


def _written(asked: Texts, trial_id: str, results: Path) -> list[Text]:
    # Imported late: it needs torch, which pages are made without.
    from picosweep.pico.probes.decoding import Decoding  # noqa: PLC0415
    from picosweep.trained.generate import LoadedModel  # noqa: PLC0415

    decodings = [Decoding(**one.model_dump()) for one in asked.decoders]
    samples = LoadedModel(trial_id, results).samples(
        [asked.prompt], num_tokens=asked.num_tokens, seed=0, decodings=decodings
    )
    return [
        Text(
            arm=asked.arm,
            trial_id=trial_id,
            decoder=sample.decoder,
            prompt=sample.prompt,
            text=sample.text,
        )
        for sample in samples
    ]
