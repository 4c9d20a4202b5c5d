"""When a sweep as a whole is to end before all its trials are done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from picosweep.sweeps.spec.schema import Limits

RESUMES: Final = "the same command resumes it"
RETRY: Final = "once the cause is removed, --retry-failed trains them again"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Why a sweep ends before all its trials are done."""

    reason: str
    advice: str
    """How it goes on, as far as that is up to the user."""


class LimitWatch:
    """Holds a sweep to the limits of its spec.

    Args:
        limits: limits of the spec; None in it means no limit.
        elapsed: a clock that only goes forward, in seconds.
    """

    def __init__(self, limits: Limits, elapsed: Callable[[], float]) -> None:
        self._limits = limits
        self._elapsed = elapsed
        self._started_at = elapsed()

    def ending(self, *, num_failed: int, num_tokens: int) -> Ending | None:
        """Return which limit was reached; None while none is.

        Args:
            num_failed: number of failed trials, those of earlier runs included.
            num_tokens: number of tokens that the sweep has trained on, in all its runs.
        """
        limits = self._limits
        if num_failed > limits.max_failed_trials:
            many = "1 trial" if num_failed == 1 else f"{num_failed} trials"
            allowed = limits.max_failed_trials or "none"
            return Ending(reason=f"{many} failed and the spec allows {allowed}", advice=RETRY)
        if limits.tokens is not None and num_tokens >= limits.tokens:
            return Ending(
                reason=f"the limit of {limits.tokens:,} tokens was reached",
                advice="with a higher limits.tokens it goes on",
            )
        if limits.minutes is not None and self._elapsed() - self._started_at > 60 * limits.minutes:
            reason = f"the limit of {limits.minutes:g} minutes was reached"
            return Ending(reason=reason, advice=RESUMES)
        return None
