"""The console that commands print to: the user's texts are shown as they are, never as markup."""

from typing import Any

from rich.console import Console
from rich.status import Status
from rich.text import Text


class PlainConsole(Console):
    """A console for which `[2]`, `[/x]` and `:smile:` in a name, path or message mean themselves.

    What is to be bold or coloured is a `Text` with a style.

    Args:
        stderr: whether to print to standard error.
        soft_wrap: whether lines keep their length, for the terminal to break.
        options: further ones of Rich's console.
    """

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = False, **options: Any) -> None:
        super().__init__(
            stderr=stderr,
            soft_wrap=soft_wrap,
            markup=False,
            emoji=False,
            highlight=False,
            **options,
        )

    def status(self, status: Any, **options: Any) -> Status:
        """Return a line with a spinner; Rich would read the text as markup, whatever is set."""
        return super().status(Text(status) if isinstance(status, str) else status, **options)
