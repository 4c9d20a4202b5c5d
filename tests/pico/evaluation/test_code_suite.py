"""The code suite, put to writers whose answers are known."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import pytest

from picosweep.pico.data.tokenizers.byte_bpe import train_bpe
from picosweep.pico.evaluation import code_suite
from picosweep.pico.evaluation.code_suite import (
    SuiteError,
    check_fits,
    completion_items,
    evaluate_code,
    problems,
)
from picosweep.pico.evaluation.completion_checks import CHECKS
from picosweep.pico.evaluation.scores import (
    BASELINES,
    COMPLETIONS,
    GRADES,
    OTHER_PROMPTS,
    SuiteResult,
)
from picosweep.pico.sandbox import runner
from picosweep.pico.sandbox.runner import Sandbox, SandboxUnavailableError, equal
from tests.pico import tiny_models

Writes = Callable[[str, int], str]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_bpe([one.prompt for one in problems()], vocab_size=300)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first eight problems: enough where it is not the problems that are tried."""
    content = code_suite._content() | {"problems": code_suite._content()["problems"][:8]}
    monkeypatch.setattr(code_suite, "_content", lambda: content)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch, tokenizer: Any) -> Callable[..., SuiteResult]:
    """Put the suite to a writer: a function of the prompt and the seed."""

    def evaluate(writes: Writes, **options: Any) -> SuiteResult:
        def generate(_model: object, jobs: Sequence[Any], **_: object) -> list[list[int]]:
            return [
                tokenizer.encode(writes(tokenizer.decode(list(job.prompt)), job.seed))
                for job in jobs
            ]

        monkeypatch.setattr(code_suite, "generate", generate)
        model = tiny_models.build("kgram", {}, tokenizer.vocab_size, 64)
        return evaluate_code(model, tokenizer, **options)

    return evaluate


def means(result: SuiteResult) -> dict[str, float | None]:
    sections = {item.section: None for item in result.items}
    return {
        section: fmean(scores) if scores else None
        for section in sections
        for scores in [[i.score for i in result.section(section) if i.score is not None]]
    }


def test_references_pass_their_own_tests_and_no_baseline_does() -> None:
    """Run here, in the open: the tests are true, and tell the right function from a guess."""
    for problem in problems():
        names: dict[str, Any] = {}
        exec(problem.prompt + problem.reference, names)
        found = [names[problem.name](*call) for call in problem.calls]
        assert all(map(equal, found, problem.expected)), problem.name
        assert len(set(map(repr, problem.expected))) > 1, f"{problem.name}: a constant passes"


def test_a_perfect_writer_passes_everything_and_a_mute_one_nothing(
    put: Callable[..., SuiteResult],
) -> None:
    """And the baselines stay where they are: they do not know the problems."""
    right = {one.prompt: one.reference for one in problems()}
    found = put(lambda prompt, _seed: right.get(prompt, ""))
    assert found.objectives["code_pass"] == 1.0
    assert [means(found)[grade] for grade in GRADES] == [1.0] * 4
    assert found.sandbox.startswith("rlimits, landlock")
    low = [means(found)[name] for name in BASELINES]
    assert all(value is not None and value < 0.1 for value in low)
    assert low[1] == pytest.approx(1 / len(problems()))  # `identity`
    mute = put(lambda _prompt, _seed: "")
    assert mute.objectives == {"suite_score": 0.0, "code_pass": 0.0}
    # An empty statement is Python, and returns None.
    assert means(mute)["runs"] == 1.0
    assert means(mute)["right type"] < 0.1  # type: ignore[operator]


@pytest.mark.usefixtures("few")
def test_grades_need_the_one_before(put: Callable[..., SuiteResult]) -> None:
    """Half of the samples do not parse, others raise, have another type, or a wrong value."""
    texts = [" (", " )", " 1 /", " :", " =", " 1 / 0", " undefined", " object()", " 'x'", " 0"]
    found = put(lambda _prompt, seed: texts[seed % 10])
    shares = {grade: means(found)[grade] for grade in GRADES}
    assert shares["parses"] == pytest.approx(0.5)
    assert shares["runs"] == pytest.approx(0.3)
    assert shares["right type"] < 0.2  # type: ignore[operator]
    assert shares["passes"] < 0.1  # type: ignore[operator]
    add = next(i for i in found.section("passes") if i.item == "add")
    assert add.samples == 10
    assert "error 5" in add.detail
    assert "failed 5" in add.detail


@pytest.mark.usefixtures("few")
def test_completions_are_held_against_other_prompts(put: Callable[..., SuiteResult]) -> None:
    """A writer that always says the same scores no better than what other prompts make of it."""
    found = put(lambda _prompt, _seed: " in x:")
    scores = means(found)
    assert scores["keywords"] > 0.3  # type: ignore[operator]
    assert scores["keywords"] == pytest.approx(scores["keywords" + OTHER_PROMPTS], abs=0.05)
    knows = {
        item["prompt"]: " " + item["allowed"][0]
        for item in completion_items()
        if item["section"] == "keywords"
    }
    scores = means(put(lambda prompt, _seed: knows.get(prompt, "")))
    assert scores["keywords"] == 1.0
    assert scores["keywords" + OTHER_PROMPTS] < 0.6  # type: ignore[operator]
    assert set(CHECKS) == set(COMPLETIONS) <= set(scores)


@pytest.mark.usefixtures("few")
def test_without_confinement_nothing_is_executed_and_nothing_is_zero(
    put: Callable[..., SuiteResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the suite has its scores; the reason stands beside what has none."""

    def refuse(_self: Sandbox) -> str:
        raise SandboxUnavailableError("no Landlock here")

    monkeypatch.setattr(runner.Sandbox, "_try_layers", refuse)
    found = put(lambda _prompt, _seed: " in x:")
    assert found.objectives["code_pass"] is None
    assert found.objectives["suite_score"] is not None
    assert {i.status for i in found.section("passes")} == {"not executed"}
    assert {i.score for i in found.section("passes")} == {None}
    assert found.remarks == ("no Landlock here",)
    openly = put(lambda _prompt, _seed: " a", sandbox="none")
    assert openly.sandbox == "none"
    assert openly.objectives["code_pass"] is not None


@pytest.mark.usefixtures("few")
def test_an_infrastructure_that_fails_is_no_score(
    put: Callable[..., SuiteResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference that does not pass here says that the sandbox is at fault."""
    real = runner.Sandbox.call

    def call(self: Sandbox, code: str, entry: str, *rest: Any, **limits: Any) -> Any:
        if entry == "add":
            return runner.Outcome(ended="infrastructure")
        return real(self, code, entry, *rest, **limits)

    monkeypatch.setattr(runner.Sandbox, "call", call)
    found = put(lambda _prompt, _seed: " a + b")
    add = next(i for i in found.section("passes") if i.item == "add")
    assert (add.score, add.status) == (None, "infrastructure")
    others = [i.score for i in found.section("passes") if i.item != "add"]
    assert found.objectives["code_pass"] == pytest.approx(fmean(others))  # type: ignore[type-var]


@pytest.mark.usefixtures("few")
def test_endless_programs_are_timed_out_and_told(put: Callable[..., SuiteResult]) -> None:
    """Two runs each, once for all samples alike."""
    forever = {problems()[0].prompt: " [a for a in iter(int, 1)]"}
    found = put(lambda prompt, _seed: forever.get(prompt, ""))
    first = found.section("passes")[0]
    assert first.score == 0.0
    assert "timeout 10" in first.detail


def test_a_tokenizer_that_cannot_write_code_is_told(tiny_data: Any) -> None:
    """With the first prompt that it cannot write."""
    with pytest.raises(SuiteError, match="the tokenizer"):
        check_fits(tiny_data.tokenizer)
