"""Threads for the tokenizer engine where a batch is worth them, and none anywhere else.

The engine runs its threads unless `TOKENIZERS_PARALLELISM` says otherwise. Left unset, every
process forked afterwards prints a warning; set to true, a forked process waits for ever for
threads it does not have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_PARALLELISM = "TOKENIZERS_PARALLELISM"

_users_choice = os.environ.get(_PARALLELISM)
os.environ.setdefault(_PARALLELISM, "false")


@contextmanager
def engine_threads() -> Iterator[None]:
    """Let the engine use every core, unless the user decided about it or the process is a fork."""
    if _users_choice is not None or _fork.happened:
        yield
        return
    os.environ[_PARALLELISM] = "true"
    try:
        yield
    finally:
        os.environ[_PARALLELISM] = "false"


class _Fork:
    """Whether this process was forked from one whose threads it did not inherit."""

    happened = False

    def note(self) -> None:
        self.happened = True


_fork = _Fork()
os.register_at_fork(after_in_child=_fork.note)
