"""The page of a study in Markdown: what was claimed, what came out, and what it cost.

Everything on it is read off an `Outcome` and the study's own file, so that a test can hold the page
against the numbers.
"""

import statistics
from collections.abc import Iterable, Sequence
from typing import Final

from picosweep.analysis.page import wording
from picosweep.studies.judge import LEVEL, Judgement, Measured
from picosweep.studies.outcome import ArmOutcome, Outcome, SweepOutcome
from picosweep.studies.study import Claim, Picture, Study
from picosweep.sweeps.store.tables import short_id

MOST_CHARACTERS: Final = 160


def page_of(study: Study, name: str, outcome: Outcome) -> str:
    """Return the page.

    Args:
        study: the study.
        name: its name.
        outcome: what came out.
    """
    full = "" if outcome.profile == "small" else f" --profile {outcome.profile}"
    parts = [
        f"# {study.title}",
        f"**Question.** {study.question.strip()}",
        f"```\npicosweep study {name}{full}\n```",
        "Written by this command from the tables of its sweeps; the numbers are in "
        f"[{name}.json]({name}.json).",
        "## What was claimed, and what came out",
        _claims_table(study, outcome),
        _how_judged(study),
        *_details(study, outcome),
        "## The sweeps",
        *(_sweep(study, name, key, outcome) for key in outcome.sweeps),
        *_texts(outcome),
        "## What it goes back to",
        study.original.strip(),
        *(["Done otherwise here:", _bullets(study.mended)] if study.mended else []),
        "## What it cost",
        _cost(outcome),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item.strip()}" for item in items)


def _claims_table(study: Study, outcome: Outcome) -> str:
    judged = {one.claim: one for one in outcome.claims}
    return _table(
        ("claim", "original", "here", "verdict"),
        [
            (claim.text, claim.original or wording.ABSENT, told(judged[claim.name]),
             f"**{judged[claim.name].verdict}**")
            for claim in study.claims
        ],
    )  # fmt: skip


def told(judgement: Judgement) -> str:
    """Return what came out of a claim in a few words."""
    if judgement.estimate is None or judgement.low is None or judgement.high is None:
        return judgement.reason
    if not judgement.arms:
        return f"{judgement.estimate:,.0f}"
    number = _signed if len(judgement.arms) == 2 else _plain
    span = f"{number(judgement.low)} to {number(judgement.high)}"
    return f"{number(judgement.estimate)} ({span})"


def _signed(value: float) -> str:
    return wording.signed(value, 3)


def _plain(value: float) -> str:
    return f"{wording.MINUS if value < 0 else ''}{wording.significant(abs(value))}"


def _how_judged(study: Study) -> str:
    if not study.num_intervals:
        return ""
    level = 100 * (1 - LEVEL / study.num_intervals)
    return (
        f"Intervals are of Student's t (Welch) over fresh seeds of each side's best setting, at "
        f"{level:.4g} % each, so that all {study.num_intervals} hold together in 95 of 100 studies "
        "as far as seeds alone scatter. The texts, the split and the search are the same on both "
        "sides; other texts may decide otherwise."
    )


def _details(study: Study, outcome: Outcome) -> Iterable[str]:
    """Yield what stands behind each claim: the bound, and the numbers of every seed."""
    judged = {one.claim: one for one in outcome.claims}
    rows = []
    for claim in study.claims:
        found = judged[claim.name]
        rows += [
            (claim.name, arm.arm, metric_of(claim, place), _values(arm), _ids(arm.trial_ids))
            for place, arm in enumerate(found.arms)
        ]
    if rows:
        yield _table(("claim", "arm", "figure", "on fresh seeds", "trials"), rows)
    decided = [
        f"{claim.name}: {bound_of(claim)}"
        + (f"; {judged[claim.name].reason}" if judged[claim.name].reason else "")
        + "."
        for claim in study.claims
    ]
    yield "\n".join(f"- {line}" for line in decided)


def metric_of(claim: Claim, place: int = 0) -> str:
    """Return which figure of its first (0) or second (1) arm a claim is about."""
    if claim.table == "trials":
        return claim.metric
    where = ", ".join(str(value) for value in claim.rows_of(place).values())
    return f"{claim.reduce} {claim.metric} ({claim.table}{': ' if where else ''}{where})"


def bound_of(claim: Claim) -> str:
    """Return what has to be so for a claim to hold."""
    if claim.preset is not None:
        what = f"the number of parameters of {claim.preset}"
    elif claim.difference is not None:
        other = "that" if claim.where_second is None else metric_of(claim, 1)
        first, second = claim.difference
        what = f"{metric_of(claim)} of {first} less {other} of {second}"
    else:
        what = f"{metric_of(claim)} of {claim.value}"
    if claim.below is not None:
        return f"holds where {what} is below {claim.below:,.10g}"
    return f"holds where {what} is above {claim.above:,.10g}"


def _values(arm: Measured) -> str:
    return ", ".join(wording.significant(value, 4) for value in arm.values) or wording.ABSENT


def _ids(trial_ids: Sequence[str]) -> str:
    return ", ".join(f"`{short_id(one)}`" for one in trial_ids) or wording.ABSENT


def _sweep(study: Study, name: str, key: str, outcome: Outcome) -> str:
    found = outcome.sweeps[key]
    parts = [
        f"### {key}",
        f"{study.sweeps[key].asks.strip()} ({found.setup})",
        _table(
            ("architecture", "parameters", "best trial", "its settings", found.metric,
             "on fresh seeds"),
            [_arm(arm) for arm in found.arms],
        ),
    ]  # fmt: skip
    if found.best:
        parts.append(_best(found))
    if found.num_failed:
        parts.append(f"{wording.plural(found.num_failed, 'trial')} failed or diverged.")
    for picture, caption in zip(study.pictures, outcome.captions, strict=False):
        if picture.sweep == key and caption:
            title = caption.partition(":")[0]
            parts.append(f"![{title}]({picture_file(name, picture)})\n\n*{caption}*")
    return "\n\n".join(parts)


def _best(found: SweepOutcome) -> str:
    """Return the sweep's best trials with the metrics of each."""
    metrics = [metric for metric in found.best[0] if metric not in ("architecture", "trial_id")]
    rows = [
        (
            str(row["architecture"]),
            f"`{short_id(str(row['trial_id']))}`",
            *(_metric(row[metric]) for metric in metrics),
        )
        for row in found.best
    ]
    head = ("architecture", "trial", *metrics)
    return f"The {len(rows)} best trials of the search:\n\n{_table(head, rows)}"


def _metric(value: object) -> str:
    if not isinstance(value, int | float):
        return wording.ABSENT
    return wording.count(value) if abs(value) >= 10_000 else wording.significant(value, 4)


def picture_file(name: str, picture: Picture) -> str:
    """Return the file's name of a picture, beside the page."""
    tab = picture.architecture or picture.tab
    return f"{name}-{picture.sweep}-{picture.figure}-{tab}.png"


def _arm(arm: ArmOutcome) -> tuple[str, ...]:
    settings = ", ".join(f"{key} {wording.setting(value)}" for key, value in arm.settings.items())
    again = wording.ABSENT
    if len(arm.again) > 1:
        mean, deviation = statistics.fmean(arm.again), statistics.stdev(arm.again)
        again = f"{wording.significant(mean, 4)}, deviation {wording.significant(deviation, 2)}"
        again += f", {len(arm.again)} seeds"
    return (
        arm.architecture,
        f"{arm.num_params:,}",
        f"`{short_id(arm.trial_id)}`",
        settings or wording.ABSENT,
        wording.significant(arm.own, 4),
        again,
    )


def _texts(outcome: Outcome) -> Iterable[str]:
    if not outcome.texts:
        return
    yield "## What they write"
    yield _table(
        ("arm", "trial", "decoder", "prompt", "text"),
        [
            (one.arm, f"`{short_id(one.trial_id)}`", one.decoder, f"`{one.prompt}`",
             f"`{_one_line(one.text)}`")
            for one in outcome.texts
        ],
    )  # fmt: skip


def _one_line(text: str) -> str:
    flat = " ".join(text.replace("`", "'").split())
    return flat if len(flat) <= MOST_CHARACTERS else flat[:MOST_CHARACTERS].rstrip() + " …"


def _cost(outcome: Outcome) -> str:
    sweeps = outcome.sweeps.values()
    trials = sum(one.num_trials for one in sweeps)
    tokens = sum(one.tokens for one in sweeps)
    seconds = sum(one.seconds for one in sweeps)
    return (
        f"{wording.plural(trials, 'trial')} in {wording.plural(len(outcome.sweeps), 'sweep')}, "
        f"{wording.count(tokens)} tokens, {wording.duration(seconds)} of one core in training and "
        "evaluation."
    )
