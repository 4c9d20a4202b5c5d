"""The tasks that a trial can name."""

from collections.abc import Mapping
from typing import Final

from picosweep.pico.errors import FieldError, nearest
from picosweep.pico.tasks.language_modeling import LanguageModeling
from picosweep.pico.tasks.preference import Preference
from picosweep.pico.tasks.task import MakeTask

TASKS: Final[Mapping[str, MakeTask]] = {
    "language_modeling": LanguageModeling,
    "preference": Preference,
}


def find_task(name: str) -> MakeTask:
    """Return what makes the task of that name.

    Raises:
        ValueError: there is none; the message says which there are.
    """
    if name not in TASKS:
        raise FieldError(
            field="task",
            found=name,
            allowed=f"one of {', '.join(TASKS)}",
            near=nearest(name, TASKS),
        )
    return TASKS[name]
