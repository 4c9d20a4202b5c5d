"""The one error that a setting which cannot be used raises, and the nearest known name."""

import difflib
from collections.abc import Iterable


class FieldError(ValueError):
    """A setting that cannot be used; its message is one line that a user can act on.

    Args:
        problem: what is wrong, without a full stop at the end; left out where what was found and
            what is allowed say it.
        field: the setting's name, or its key path such as `data.source`.
        found: what was there; None leaves it out of the message.
        allowed: what would have been right; None leaves it out of the message.
        near: the known name nearest to the one found, see `nearest`.
        involved: other settings that the check looked at. Where there are none, the value is
            impossible whatever else is chosen.
    """

    def __init__(
        self,
        problem: str = "",
        *,
        field: str,
        found: object = None,
        allowed: object = None,
        near: str | None = None,
        involved: tuple[str, ...] = (),
    ) -> None:
        self.problem = problem
        self.field = field
        self.found = found
        self.allowed = allowed
        self.near = near
        self.involved = involved
        hint = "" if near is None else f" (did you mean {near!r}?)"
        if problem:
            message = f"{field}: {problem}{hint}"
            message += "" if found is None else f"; found {found}"
            message += "" if allowed is None else f"; allowed: {allowed}"
        else:
            message = f"{field} is {found!r}; allowed: {allowed}{hint}"
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the parts: the default would pass the whole message as `problem`."""
        return _rebuild, (vars(self),)


def _rebuild(parts: dict[str, object]) -> FieldError:
    return FieldError(**parts)  # type: ignore[arg-type] # what `__init__` has set


def problem_in(error: ValueError) -> str:
    """Return what is wrong, without the setting's name where the error is of one."""
    return error.problem if isinstance(error, FieldError) else str(error)


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to a misspelt one; None where none is near."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return close[0] if close else None
