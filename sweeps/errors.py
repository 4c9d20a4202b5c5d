"""Errors whose cause is what the user gave us: reported as one message, never as a traceback."""

from collections.abc import Iterable
from dataclasses import dataclass

from picosweep.pico.errors import nearest, problem_in


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing wrong with an input: where it stands, what was found, what is allowed."""

    message: str
    where: str = ""
    """File and line, as far as known: `demo.yaml:12`."""
    key: str = ""
    """Key path inside the file: `architectures.kgram.embed_size`."""
    found: str = ""
    allowed: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem in a few short lines, the place first."""
        head = ": ".join(part for part in (self.where, self.key, self.message) if part)
        details = [
            f"  {label:<8} {text}"
            for label, text in (
                ("found:", self.found),
                ("allowed:", self.allowed),
                ("hint:", self.hint),
            )
            if text
        ]
        return "\n".join([head, *details])


class InputError(Exception):
    """Bad input: a spec, a file, a name. The command line prints it and exits with code 2."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def input_error(message: str, **details: str) -> InputError:
    """Return an `InputError` with a single problem; `details` are the fields of `Problem`."""
    return InputError(Problem(message=message, **details))


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a question for a misspelt name, or nothing where no known name is near."""
    near = nearest(name, known)
    return "" if near is None else f"did you mean {near}?"


def unreadable_prompt(prompt: str, error: ValueError, **place: str) -> InputError:
    """Return what to say of a prompt that a tokenizer cannot read.

    Args:
        prompt: the prompt.
        error: what the tokenizer raised.
        place: where the prompt stands, as fields of `Problem`.
    """
    if isinstance(error, UnicodeError):
        return input_error("this prompt is no text", found=ascii(prompt), **place)
    return input_error(
        f"the tokenizer cannot read this prompt: {problem_in(error)}", found=repr(prompt), **place
    )
