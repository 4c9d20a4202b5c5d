"""The one error that bad data or a bad data setting raises."""

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """Data that cannot be used; its message is one line that a user can act on.

    Args:
        problem: what is wrong, without a full stop at the end.
        field: key path of the setting to change, such as `data.source`.
        found: what was there; None leaves it out of the message.
        allowed: what would have been right; None leaves it out of the message.
    """

    def __init__(
        self, problem: str, *, field: str, found: object = None, allowed: object = None
    ) -> None:
        self.problem = problem
        self.field = field
        self.found = found
        self.allowed = allowed
        message = f"{field}: {problem}"
        if found is not None:
            message += f"; found {found}"
        if allowed is not None:
            message += f"; allowed: {allowed}"
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the parts: the default would pass the whole message as `problem`."""
        return _rebuild, (self.problem, self.field, self.found, self.allowed)


def _rebuild(problem: str, field: str, found: object, allowed: object) -> DataError:
    return DataError(problem, field=field, found=found, allowed=allowed)


def nearest_name_hint(name: str, names: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest of `names`; empty when none is close."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
