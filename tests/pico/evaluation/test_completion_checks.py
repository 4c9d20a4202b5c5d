"""Completions are judged by what they say, and every check can fail."""

from typing import Any

import pytest

from picosweep.pico.evaluation.code_suite import completion_items
from picosweep.pico.evaluation.completion_checks import CHECKS, first_statement, open_brackets

RIGHT = [
    ("brackets", "    x = f(a[1", "])\n"),
    ("brackets", "    x = f(a[1", ", 2], '(', b)\n"),
    ("brackets", "    x = {'a': 1", ", 'b': (2, 3)}"),
    ("keywords", "    for key, value", " in items:"),
    ("indentation", "def f(x):", "\n    return x\n"),
    ("indentation", "def f(x):\n    if x:", "  # why\n\n        pass\n"),
    ("function", "def f(x):\n    return", " len(x) + 1\n"),
    ("docstring", 'def open_file(path):\n    """', 'Open a file.\n\n    Long.\n    """\n'),
]
WRONG = [
    ("brackets", "    x = f(a[1", ")]\n"),  # in the wrong order
    ("brackets", "    x = f(a[1", "]\n"),  # one is left open
    ("brackets", "    x = f(a[1", " + ']) '"),  # inside a string
    ("brackets", "    x = f(a[1", ""),
    ("keywords", "    for key, value", " invalue"),
    ("keywords", "    for key, value", " = in"),
    ("keywords", "    for key, value", ""),
    ("indentation", "def f(x):", "\nreturn x\n"),
    ("indentation", "def f(x):", "\n        return x\n"),
    ("indentation", "def f(x):\n    if x:", "\n    return x\n"),
    ("indentation", "def f(x):", " return x\n"),
    ("indentation", "def f(x):", "\n\n"),
    ("function", "def f(x):\n    return", " 'x'\n"),  # named in a string alone
    ("function", "def f(x):\n    return", " y\n    x\n"),
    ("function", "def f(x):\n    return", ""),
    ("docstring", 'def open_file(path):\n    """', "Open a file.\n"),  # not closed
    ("docstring", 'def open_file(path):\n    """', 'Do nothing at all."""'),
    ("docstring", 'def open_file(path):\n    """', 'Open"""'),
]
WORDS: dict[str, Any] = {"allowed": ["in"], "words": ["open", "file"]}


@pytest.mark.parametrize(("section", "prompt", "completion"), RIGHT)
def test_right_completions_pass(section: str, prompt: str, completion: str) -> None:
    """Of every kind."""
    assert CHECKS[section]({"prompt": prompt, **WORDS}, completion)


@pytest.mark.parametrize(("section", "prompt", "completion"), WRONG)
def test_wrong_completions_fail(section: str, prompt: str, completion: str) -> None:
    """Though some of them hold what a careless check looks for."""
    assert not CHECKS[section]({"prompt": prompt, **WORDS}, completion)


def test_no_prompt_answers_itself() -> None:
    """Nothing, and the prompt said again, fail every item of the suite."""
    for item in completion_items():
        check = CHECKS[item["section"]]
        assert not check(item, ""), item
        assert not check(item, "\n" + item["prompt"]), item


def test_prompts_are_what_their_checks_take_them_for() -> None:
    """Brackets are open, lines end in a colon, functions end where a value is due."""
    items = completion_items()
    assert {item["section"] for item in items} == set(CHECKS)
    names = [(item["section"], item["item"]) for item in items]
    assert len(set(names)) == len(names)
    for item in items:
        prompt = item["prompt"]
        assert prompt == prompt.rstrip(), "a blank at the end splits tokens"
        if item["section"] == "brackets":
            assert open_brackets(prompt)
        if item["section"] == "indentation":
            assert prompt.endswith(":")
        if item["section"] == "function":
            assert prompt.endswith("return")


def test_a_statement_ends_with_its_line_unless_a_bracket_is_open() -> None:
    """What follows belongs to other statements."""
    assert first_statement(" a + b\n    return c") == " a + b"
    assert first_statement(" f(a,\n        b)\nx") == " f(a,\n        b)"
    assert first_statement(" '(' + a\nx") == " '(' + a"
    assert first_statement(" f(a") == " f(a"
