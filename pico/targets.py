"""Targets that carry no loss, marked in one way by data, objectives and evaluation."""

from typing import Final

IGNORED: Final = -100
"""Target of a position without loss; what `torch.nn.functional.cross_entropy` skips."""
