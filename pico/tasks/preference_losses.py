"""Losses of preference pairs, as their papers define them, from sequences' log-probabilities.

Shape suffixes: P pairs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from torch import Tensor
from torch.nn import functional

from picosweep.pico.preference_config import PreferenceConfig


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """Log-probabilities of completions: sums over their tokens, in nats."""

    chosen: Tensor
    rejected: Tensor
    chosen_reference: Tensor
    rejected_reference: Tensor
    chosen_tokens: Tensor
    rejected_tokens: Tensor

    @property
    def margin(self) -> Tensor:
        """How much more the chosen one has gained on its reference than the rejected one."""
        return (self.chosen - self.chosen_reference) - (self.rejected - self.rejected_reference)

    @property
    def mean_margin(self) -> Tensor:
        """The same per token: each member's gain over its number of tokens."""
        chosen_P = (self.chosen - self.chosen_reference) / self.chosen_tokens
        return chosen_P - (self.rejected - self.rejected_reference) / self.rejected_tokens

    @property
    def mean_difference(self) -> Tensor:
        """Difference of the means per token, without a reference."""
        return self.chosen / self.chosen_tokens - self.rejected / self.rejected_tokens


def dpo(scores: PairScores, config: PreferenceConfig) -> Tensor:
    """Return each pair's loss `[P]`.

    Source: Rafailov et al. 2023, https://arxiv.org/abs/2305.18290, equation 7: sums.
    """
    return -functional.logsigmoid(config.beta * scores.margin)


def cdpo(scores: PairScores, config: PreferenceConfig) -> Tensor:
    """Return each pair's loss `[P]` where a share of the labels is swapped.

    Source: Mitchell 2023, "A note on DPO with noisy preferences and relationship to IPO".
    """
    scaled_P = config.beta * scores.margin
    right_P, swapped_P = -functional.logsigmoid(scaled_P), -functional.logsigmoid(-scaled_P)
    return (1 - config.label_flip) * right_P + config.label_flip * swapped_P


def ipo(scores: PairScores, config: PreferenceConfig) -> Tensor:
    """Return each pair's loss `[P]`: squared distance of the margin per token from 1 / (2 beta).

    Source: Azar et al. 2023, https://arxiv.org/abs/2310.12036, equation 17; on means per token, as
    its authors confirmed (huggingface/blog#1785): sums would make beta depend on length.
    """
    return (scores.mean_margin - 1 / (2 * config.beta)) ** 2


def dpo_length_normalised(scores: PairScores, config: PreferenceConfig) -> Tensor:
    """Return each pair's loss `[P]`: DPO's on means per token; it keeps the reference.

    Source: Meng et al. 2024, https://arxiv.org/abs/2405.14734, table 3 (length-normalised DPO).
    """
    return -functional.logsigmoid(config.beta * scores.mean_margin)


def simpo(scores: PairScores, config: PreferenceConfig) -> Tensor:
    """Return each pair's loss `[P]`: on means per token, without a reference, with a margin.

    Source: Meng et al. 2024, https://arxiv.org/abs/2405.14734, equation 6.
    """
    return -functional.logsigmoid(config.beta * scores.mean_difference - config.gamma)


PREFERENCES: Final[Mapping[str, Callable[[PairScores], Tensor]]] = {
    "dpo": lambda scores: scores.margin,
    "cdpo": lambda scores: scores.margin,
    "ipo": lambda scores: scores.mean_margin,
    "dpo_length_normalised": lambda scores: scores.mean_margin,
    "simpo": lambda scores: scores.mean_difference,
}
"""By how much each loss sees a pair's chosen member preferred, `[P]`."""

LOSSES: Final[Mapping[str, Callable[[PairScores, PreferenceConfig], Tensor]]] = {
    "dpo": dpo,
    "cdpo": cdpo,
    "ipo": ipo,
    "dpo_length_normalised": dpo_length_normalised,
    "simpo": simpo,
}
