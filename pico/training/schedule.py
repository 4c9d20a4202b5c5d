"""Learning rates as a pure function of the step, so that resuming needs the step number alone."""

import math

from picosweep.pico.training_config import TrainingConfig


def learning_rate_at(step: int, config: TrainingConfig, horizon_steps: int | None) -> float:
    """Return the learning rate of the optimizer step that follows `step` finished ones.

    Args:
        step: optimizer steps already done, from 0.
        config: settings, of which peak learning rate, schedule and warmup are read.
        horizon_steps: total steps; needed by every schedule but `constant`, for which it may be
            None. Steps beyond it keep the last learning rate.

    Raises:
        ValueError: the schedule needs `horizon_steps` and got none.

    Source: warmup-stable-decay is from Hu et al. 2024, "MiniCPM: Unveiling the Potential of Small
    Language Models with Scalable Training Strategies"; cosine from Loshchilov and Hutter 2017,
    "SGDR: Stochastic Gradient Descent with Warm Restarts".
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if not config.needs_horizon:
        return config.learning_rate
    if horizon_steps is None:
        raise ValueError(f"horizon_steps: found None, but schedule {config.schedule} needs it")
    final = config.final_lr_fraction
    return config.learning_rate * (final + (1 - final) * _remaining(step, config, horizon_steps))


def _remaining(step: int, config: TrainingConfig, horizon_steps: int) -> float:
    """Return the share of the decay still to come: 1 before it starts, 0 at the last step."""
    if config.schedule == "wsd":
        decay_from = max(config.warmup_steps, horizon_steps * (1 - config.decay_fraction))
    else:
        decay_from = config.warmup_steps
    # The last step that is taken is number `horizon_steps - 1`: it gets the final learning rate.
    span = horizon_steps - 1 - decay_from
    progress = min(max((step - decay_from) / span, 0.0), 1.0) if span > 0 else 0.0
    if config.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    return 1 - progress
