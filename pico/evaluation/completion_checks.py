"""Whether a completion does what its prompt calls for: judged by the completion, not the prompt.

Each check takes the prompt for what was asked and the completion for the answer; a completion that
repeats the prompt, or says nothing, fails.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

CLOSES: Final = {")": "(", "]": "[", "}": "{"}
UNIT: Final = 4
"""Blanks by which the prompts indent."""
_WORD_OR_SIGN: Final = re.compile(r"\s*([A-Za-z_]\w*|[<>=!]=|[^\sA-Za-z_])")

Check = Callable[[Mapping[str, Any], str], bool]
"""`check(item, completion)`: whether the completion is right."""


def closes_brackets(item: Mapping[str, Any], completion: str) -> bool:
    """Return whether the prompt's open brackets are closed, in the right order, and no other."""
    open_ones = open_brackets(item["prompt"])
    for sign in _without_strings(completion):
        if sign in CLOSES.values():
            open_ones.append(sign)
        elif sign in CLOSES:
            if not open_ones or open_ones.pop() != CLOSES[sign]:
                return False
            if not open_ones:
                return True
    return False


def open_brackets(text: str) -> list[str]:
    """Return the brackets of a text that nothing closes, outermost first."""
    found: list[str] = []
    for sign in _without_strings(text):
        if sign in CLOSES.values():
            found.append(sign)
        elif sign in CLOSES and found and found[-1] == CLOSES[sign]:
            found.pop()
    return found


def _without_strings(text: str) -> str:
    """Return a text without its string literals, and without what follows one that is not closed.

    A literal ends with its line.
    """
    return re.sub(r"""('|")(?:\\.|(?!\1)[^\\\n])*(?:\1|\n|$)""", "", text)


def says_keyword(item: Mapping[str, Any], completion: str) -> bool:
    """Return whether the first word or sign is one that can stand there."""
    first = _WORD_OR_SIGN.match(completion)
    return first is not None and first[1] in item["allowed"]


def indents(item: Mapping[str, Any], completion: str) -> bool:
    """Return whether a new line follows that is indented once more than the prompt's last."""
    here, _, rest = completion.partition("\n")
    lines = [line for line in rest.split("\n") if line.strip()]
    if not lines or (here.strip() and not here.strip().startswith("#")):
        return False
    last = item["prompt"].rpartition("\n")[2]
    return _indentation(lines[0]) == _indentation(last) + UNIT


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def uses_arguments(item: Mapping[str, Any], completion: str) -> bool:
    """Return whether the statement names an argument of its function, as more than a string.

    That it is Python at all is for a parser to say.
    """
    arguments = re.findall(r"\w+", item["prompt"].partition("(")[2].partition(")")[0])
    named = set(re.findall(r"[A-Za-z_]\w*", _without_strings(first_statement(completion))))
    return bool(named & set(arguments))


def first_statement(completion: str) -> str:
    """Return a completion up to the first end of a line at which no bracket is open."""
    lines = completion.split("\n")
    for number in range(1, len(lines)):
        text = "\n".join(lines[:number])
        if not open_brackets(text):
            return text
    return completion


def documents(item: Mapping[str, Any], completion: str) -> bool:
    """Return whether a docstring is closed, has two words or more, and speaks of its function."""
    text, closing, _ = completion.partition('"""')
    words = re.findall(r"[a-z]+", text.lower())
    speaks = len(words) > 1 and "def" not in words and set(words) & set(item["words"])
    return bool(closing and speaks)


CHECKS: Final[Mapping[str, Check]] = {
    "brackets": closes_brackets,
    "keywords": says_keyword,
    "indentation": indents,
    "function": uses_arguments,
    "docstring": documents,
}
"""The check of each section; functions must parse as well."""
