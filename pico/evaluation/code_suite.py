"""The code suite: what a model completes, and whether functions that it writes do what they say.

Prompts and tests are data (`code-1.json`), easy enough for some ten million parameters: a model of
Codex's family with 12 million passes 2 % of HumanEval. Beside every score stands what it is held
against: the same completions judged for other prompts, and functions that return a constant, their
first argument, or what the model writes most often.

Source: Chen et al. 2021, https://arxiv.org/abs/2107.03374, for pass@k and graded small models.
"""

import collections
import json
import re
from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import fmean
from typing import Any, Final

from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.errors import problem_in
from picosweep.pico.evaluation.completion_checks import CHECKS, first_statement
from picosweep.pico.evaluation.scores import (
    BASELINES,
    GRADES,
    NUM_SAMPLES,
    OTHER_PROMPTS,
    TEMPERATURE,
    VERSIONS,
    Item,
    Progress,
    Status,
    SuiteResult,
)
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.decoding import Decoding
from picosweep.pico.probes.generate import Job, generate
from picosweep.pico.sandbox.runner import (
    Mode,
    NotPlain,
    Outcome,
    Raised,
    Sandbox,
    SandboxUnavailableError,
    equal,
)

NUM_TOKENS: Final = 48
"""Most tokens of a completion."""
CONSTANTS: Final = ("None", "True", "False", "0", "1", "''", "[]")
LEAST_SECONDS: Final = 1.0
TIMES_REFERENCE: Final = 10


class SuiteError(ValueError):
    """A suite cannot be put to a model."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A function to write, and what it has to return."""

    name: str
    prompt: str
    reference: str
    """What a right one writes after the prompt."""
    calls: tuple[tuple[Any, ...], ...]
    expected: tuple[Any, ...]


@cache
def _content() -> dict[str, Any]:
    path = files("picosweep.pico.evaluation").joinpath(f"code-{VERSIONS['code']}.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def completion_items() -> list[dict[str, Any]]:
    """Return the prompts to complete, each with its section and what its check needs."""
    found: list[dict[str, Any]] = _content()["completions"]
    return found


def problems() -> list[Problem]:
    """Return the functions to write."""
    return [
        Problem(
            name=one["name"],
            prompt=one["prompt"],
            reference=one["reference"],
            calls=tuple(map(tuple, one["calls"])),
            expected=tuple(one["expected"]),
        )
        for one in _content()["problems"]
    ]


def check_fits(tokenizer: Tokenizer) -> None:
    """Hold a tokenizer to the suite's prompts.

    Raises:
        SuiteError: it cannot write one of them, or gives back another text.
    """
    for prompt in [item["prompt"] for item in completion_items()] + [p.prompt for p in problems()]:
        try:
            same = tokenizer.decode(tokenizer.encode(prompt)) == prompt
        except ValueError as error:
            said = f"the tokenizer cannot write {prompt!r}: {problem_in(error)}"
            raise SuiteError(said) from error
        if not same:
            raise SuiteError(f"the tokenizer gives {prompt!r} back as another text")


def evaluate_code(
    model: LanguageModel,
    tokenizer: Tokenizer,
    *,
    sandbox: Mode = "auto",
    seed: int = 0,
    progress: Progress = lambda _stage, _share: None,
) -> SuiteResult:
    """Put the whole suite to a model.

    Args:
        model: model to run, on the device of its weights.
        tokenizer: the tokenizer that it was trained with.
        sandbox: `none` runs what it writes without confinement.
        seed: of the draws.
        progress: called with a stage and the share of it that is done.

    Raises:
        SuiteError: the suite does not fit the tokenizer.
    """
    check_fits(tokenizer)
    completed = _complete(model, tokenizer, progress)
    written = _write(model, tokenizer, seed, progress)
    remarks = []
    with closing(Sandbox("none")) as parser:  # it parses here and runs nothing
        items = _judge_completions(completed, parser)
    try:
        with closing(Sandbox(sandbox)) as confined:
            layers = confined.layers
            items += _execute(written, confined, progress)
    except SandboxUnavailableError as error:
        layers = ""
        remarks.append(str(error))
        items += _not_executed(str(error))
    passes = [i.score for i in items if i.section == "passes" and i.score is not None]
    means = [
        fmean(i.score for i in items if i.section == section and i.score is not None)
        for section in CHECKS
    ]
    return SuiteResult(
        suite="code",
        version=VERSIONS["code"],
        items=tuple(items),
        sandbox=layers,
        remarks=tuple(remarks),
        objectives={
            "suite_score": fmean(means),
            "code_pass": fmean(passes) if passes else None,
        },
    )


def _generate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    decodings: Sequence[Decoding],
    seeds: Sequence[int],
    note: Callable[[float], None],
) -> list[str]:
    """Return the completions; prompts of one length run together."""
    ids = [tokenizer.encode(prompt) for prompt in prompts]
    lengths = sorted({len(one) for one in ids})
    texts = [""] * len(prompts)
    for number, length in enumerate(lengths):
        note(number / len(lengths))
        places = [place for place, one in enumerate(ids) if len(one) == length]
        jobs = [Job(prompt=ids[n], decoding=decodings[n], seed=seeds[n]) for n in places]
        stop_ids = (tokenizer.end_of_text_id,)
        found = generate(model, jobs, num_tokens=NUM_TOKENS, stop_ids=stop_ids)
        for place, new in zip(places, found, strict=True):
            texts[place] = _continuation(tokenizer, ids[place], new)
    return texts


def _continuation(tokenizer: Tokenizer, prompt: Sequence[int], new: Sequence[int]) -> str:
    """Return what new tokens add to a prompt's text, blanks between the two included."""
    before = tokenizer.decode(list(prompt))
    return tokenizer.decode([*prompt, *new])[len(before) :]


def _complete(
    model: LanguageModel, tokenizer: Tokenizer, progress: Progress
) -> list[tuple[dict[str, Any], str]]:
    items = completion_items()
    greedy = Decoding(temperature=0.0)
    texts = _generate(
        model,
        tokenizer,
        [item["prompt"] for item in items],
        [greedy] * len(items),
        [0] * len(items),
        lambda share: progress("completing", share),
    )
    return list(zip(items, texts, strict=True))


def _write(
    model: LanguageModel, tokenizer: Tokenizer, seed: int, progress: Progress
) -> list[tuple[Problem, list[str]]]:
    """Return the functions' bodies that the model writes for each problem."""
    asked = problems()
    drawn = [(problem, seed + number) for problem in asked for number in range(NUM_SAMPLES)]
    texts = _generate(
        model,
        tokenizer,
        [problem.prompt for problem, _ in drawn],
        [Decoding(temperature=TEMPERATURE)] * len(drawn),
        [number for _, number in drawn],
        lambda share: progress("writing functions", share),
    )
    bodies = [first_statement(text) for text in texts]
    return [
        (problem, bodies[place * NUM_SAMPLES : (place + 1) * NUM_SAMPLES])
        for place, problem in enumerate(asked)
    ]


def _judge_completions(
    completed: Sequence[tuple[dict[str, Any], str]], parser: Sandbox
) -> list[Item]:
    found = []
    for section, check in CHECKS.items():
        own = [(item, text) for item, text in completed if item["section"] == section]

        def right(item: Mapping[str, Any], text: str, check: Any = check) -> bool:
            if not check(item, text):
                return False
            if item["section"] != "function":
                return True
            return bool(parser.parses(item["prompt"] + first_statement(text)))

        for item, text in own:
            others = [right(item, other) for one, other in own if one is not item]
            shown = {"item": item["item"], "detail": text}
            found.append(Item(section=section, score=float(right(item, text)), **shown))
            found.append(
                Item(
                    section=section + OTHER_PROMPTS,
                    item=item["item"],
                    score=fmean(others),
                    samples=len(others),
                )
            )
    return found


@dataclass(frozen=True, kw_only=True)
class _Grade:
    """How far a program came: each step needs the one before."""

    steps: tuple[bool, ...]
    status: str


class _Grader:
    """Runs bodies of functions, each once for a problem."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._known: dict[tuple[str, str], _Grade | None] = {}
        self._seconds: dict[str, float | None] = {}

    def grade(self, problem: Problem, body: str) -> _Grade | None:
        """Return how far a body came; None where the sandbox itself failed."""
        key = (problem.name, body)
        if key not in self._known:
            self._known[key] = self._run(problem, body)
        return self._known[key]

    def _limit(self, problem: Problem) -> float | None:
        """Return the time that a program has: some times what the right one takes here."""
        if problem.name not in self._seconds:
            code = problem.prompt + problem.reference
            outcome = self._sandbox.call(code, problem.name, problem.calls, seconds=30.0)
            limit = max(LEAST_SECONDS, TIMES_REFERENCE * outcome.seconds)
            passed = _steps(outcome, problem)[-1]
            self._seconds[problem.name] = limit if passed else None
        return self._seconds[problem.name]

    def _run(self, problem: Problem, body: str) -> _Grade | None:
        seconds = self._limit(problem)
        if seconds is None:
            return None
        code = problem.prompt + body + "\n"
        outcome = self._sandbox.call(code, problem.name, problem.calls, seconds=seconds)
        if outcome.ended == "timeout":  # believed when it happens again, with more time
            outcome = self._sandbox.call(code, problem.name, problem.calls, seconds=2 * seconds)
        if outcome.ended == "infrastructure":
            return None
        steps = _steps(outcome, problem)
        status = outcome.ended
        if outcome.ended == "returned":
            return _Grade(steps=steps, status="passed" if steps[-1] else "failed")
        return _Grade(steps=steps, status=status)


def _steps(outcome: Outcome, problem: Problem) -> tuple[bool, ...]:
    """Return whether a program parses, runs, returns the right types, and passes."""
    values, expected = outcome.values, problem.expected
    parses = outcome.parses if outcome.parses is not None else outcome.ended != "error"
    runs = outcome.ended == "returned" and not any(isinstance(v, Raised) for v in values)
    typed = runs and all(
        type(value) is type(wanted) and not isinstance(value, NotPlain)
        for value, wanted in zip(values, expected, strict=True)
    )
    passes = typed and all(map(equal, values, expected))
    return parses, parses and runs, typed, passes


def _execute(
    written: Sequence[tuple[Problem, list[str]]], sandbox: Sandbox, progress: Progress
) -> list[Item]:
    grader = _Grader(sandbox)
    found = []
    for number, (problem, bodies) in enumerate(written):
        progress("running functions", number / len(written))
        found += _graded(problem, bodies, grader)
    return found + _baselines(written, grader)


def _graded(problem: Problem, bodies: Sequence[str], grader: _Grader) -> list[Item]:
    grades = [grader.grade(problem, body) for body in bodies]
    known = [grade for grade in grades if grade is not None]
    statuses = collections.Counter(grade.status if grade else "infrastructure" for grade in grades)
    said = ", ".join(f"{status} {number}" for status, number in statuses.most_common())
    example = next(
        (b for b, grade in zip(bodies, grades, strict=True) if grade and grade.steps[-1]), bodies[0]
    )
    whole = len(known) == len(grades)
    return [
        Item(
            section=name,
            item=problem.name,
            score=fmean(grade.steps[place] for grade in known) if whole else None,
            status="scored" if whole else "infrastructure",
            samples=len(known),
            detail=f"{said}; return{example}",
        )
        for place, name in enumerate(GRADES)
    ]


def _baselines(written: Sequence[tuple[Problem, list[str]]], grader: _Grader) -> list[Item]:
    """Return what functions pass that know nothing of their problem."""
    counts = collections.Counter(body for _, bodies in written for body in bodies)
    commonest = min(counts, key=lambda body: (-counts[body], body))
    asked = [problem for problem, _ in written]
    constants = {
        constant: [float(_always_gives(problem, literal_eval(constant))) for problem in asked]
        for constant in CONSTANTS
    }
    best = max(constants, key=lambda constant: sum(constants[constant]))
    found = []
    for place, problem in enumerate(asked):
        argument = re.findall(r"\w+", problem.prompt.partition("(")[2])[0]
        first = all(equal(c[0], e) for c, e in zip(problem.calls, problem.expected, strict=True))
        scores = (constants[best][place], float(first), _passes(problem, commonest, grader))
        bodies = (f" {best}", f" {argument}", commonest)
        found += [
            _baseline(section, problem, score, f"return{body}")
            for section, score, body in zip(BASELINES, scores, bodies, strict=True)
        ]
    return found


def _always_gives(problem: Problem, value: object) -> bool:
    return all(equal(value, expected) for expected in problem.expected)


def _passes(problem: Problem, body: str, grader: _Grader) -> float | None:
    grade = grader.grade(problem, body)
    return None if grade is None else float(grade.steps[-1])


def _baseline(section: str, problem: Problem, score: float | None, detail: str) -> Item:
    status: Status = "infrastructure" if score is None else "scored"
    return Item(section=section, item=problem.name, score=score, status=status, detail=detail)


def _not_executed(reason: str) -> list[Item]:
    return [
        Item(section=name, item=one.name, score=None, status="not executed", detail=reason)
        for name in GRADES
        for one in problems()
    ]
