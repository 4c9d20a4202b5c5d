"""When a sweep as a whole is to end before all its trials are done."""

from collections.abc import Callable

from picosweep.sweeps.spec.schema import Limits


class LimitWatch:
    """Holds a sweep to the limits of its spec.

    Args:
        limits: limits of the spec; None in it means no limit.
        now: the clock, in seconds.
    """

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._started_at = now()

    def reason_to_end(self, *, num_failed: int, num_tokens: int) -> str | None:
        """Return which limit was reached, in words; None while none is.

        Args:
            num_failed: number of failed trials, those of earlier runs included.
            num_tokens: number of tokens that the sweep has trained on, in all its runs.
        """
        limits = self._limits
        if num_failed > limits.max_failed_trials:
            return f"{num_failed} trials failed and the spec allows {limits.max_failed_trials}"
        if limits.tokens is not None and num_tokens >= limits.tokens:
            return f"the limit of {limits.tokens:,} tokens was reached"
        if limits.minutes is not None and self._now() - self._started_at > 60 * limits.minutes:
            return f"the limit of {limits.minutes:g} minutes was reached"
        return None
