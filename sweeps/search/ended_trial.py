"""A trial that ended before the study that it is added to was made."""

import copy
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState


class EndedTrial(FrozenTrial):
    """What `optuna.trial.create_trial` makes, but cheap to copy.

    Optuna's storage copies a trial that it is given, with every distribution of its space: a third
    of the time that resuming a large sweep takes. Distributions never change, so copies share them.
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
        """Return a trial without a number yet; the study gives it one.

        Args:
            state: how it ended, in Optuna's terms.
            values: the objectives' values; None unless it completed.
            params: searched values, by hyperparameter name.
            distributions: distributions that they were drawn from, by hyperparameter name.
            intermediate_values: values of the first objective, by rung.
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
