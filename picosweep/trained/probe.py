"""How trained trials do it: `picosweep probe`, their heads, attention, tokens and neurons."""

from collections.abc import Callable
from pathlib import Path

from picosweep.pico.probes.kinds import ProbeKind
from picosweep.sweeps.asking.ask import NOT_APPLICABLE, PROBES
from picosweep.sweeps.asking.check import read_groups
from picosweep.sweeps.asking.plan import AskPlan, UserTexts
from picosweep.sweeps.errors import input_error, unreadable_prompt
from picosweep.trained.answers import Answered, stored_trials


def probe(
    *trial_ids: str,
    kind: ProbeKind = "heads",
    prompt: str = "",
    groups: str | Path | None = None,
    results: str | Path = "results",
    progress: Callable[[str], None] = lambda _text: None,
) -> Answered:
    """Look into trained trials.

    Args:
        trial_ids: ids of the trials, or beginnings of them.
        kind: `heads`: what each attention head does on random tokens that come twice, and what it
            is worth; `attention`: what each looks at in a prompt; `embedding`: principal
            components of the token vectors; `neurons`: units that tell groups of texts apart.
        prompt: text for `attention`, at most a block of tokens.
        groups: for `neurons`: a file of JSON lines with `label` and `text`; None: the sources of
            the data, where it is a mixture.
        results: folder or address in which the sweeps are.
        progress: called with what is being done.

    Raises:
        InputError: there is no such trial, it has no checkpoint or not what is looked at, its
            tokenizer cannot write the prompt or a text, or the prompt is empty or too long.
    """
    labelled = tuple(read_groups(Path(groups), "--groups")) if groups is not None else ()
    plan = AskPlan(probe_prompt=prompt, texts=UserTexts(labelled=labelled))
    if kind == "attention" and not prompt:
        raise input_error("attention needs a prompt to look at", hint='--prompt "some text"')
    found = Answered()
    for trial in stored_trials(trial_ids, results):
        progress(f"looking into {trial.row['architecture']} {trial.trial_id}")
        if kind == "attention":
            trial.ids(prompt)
        try:
            found.add(trial, list(PROBES[kind](trial.model, trial, plan)))
        except NOT_APPLICABLE as error:
            raise input_error(
                f"this trial cannot be asked for its {kind}",
                key=trial.trial_id,
                found=f"{trial.row['architecture']}: {error}",
                allowed=_ALLOWED[kind],
            ) from error
        except ValueError as error:  # a text of the user's that the tokenizer cannot write
            raise unreadable_prompt(prompt or str(groups), error) from error
    return found


_ALLOWED: dict[ProbeKind, str] = {
    "heads": "a transformer with softmax or linear attention, and room for four tokens twice",
    "attention": "a transformer with softmax or linear attention, and a prompt within its block",
    "embedding": "a model with a vector for each token",
    "neurons": "a K-gram, LSTM or transformer, and two groups of eight texts: --groups FILE, or "
    "data from several sources",
}
