"""A trial that came to its end before the study that hears of it was made."""

import copy
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState


class EndedTrial(FrozenTrial):
    """What `optuna.trial.create_trial` makes, but cheap to copy.

    Optuna's storage copies a trial that it is given, with every distribution of its space: a third
    of the time in which a large sweep is taken up again. No one changes a distribution, so copies
    share them.
    """

    @classmethod
    def of(
        cls,
        *,
        state: TrialState,
        values: Sequence[float] | None,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        intermediate_values: Mapping[int, float],
    ) -> "EndedTrial":
        """A trial without a number yet; the study gives it one.

        Args:
            state: how it ended.
            values: the objectives, where it completed.
            params: what was searched, by name.
            distributions: from which that was drawn.
            intermediate_values: of the first objective, by step.
        """
        now = datetime.datetime.now()
        return cls(
            number=-1,
            trial_id=-1,
            state=state,
            value=None,
            values=values,
            datetime_start=now,
            datetime_complete=now,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs={},
            system_attrs={},
            intermediate_values=dict(intermediate_values),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> "EndedTrial":
        copied = copy.copy(self)
        for name in ("params", "user_attrs", "system_attrs", "intermediate_values"):
            setattr(copied, name, dict(getattr(self, name)))
        return copied
