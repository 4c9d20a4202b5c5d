"""What a loss is traded against."""

from dataclasses import dataclass
from typing import Final

from picosweep.analysis.page import wording


@dataclass(frozen=True, kw_only=True)
class Price:
    """The axis against which the loss is traded."""

    column: str
    label: str
    noun: str
    maximize: bool = False

    def written(self, value: float) -> str:
        """Return a value as a sentence has it, with its unit."""
        if self.maximize:
            return f"{100 * value:.1f} %"
        units = {
            "flops": wording.flops,
            "seconds": wording.duration,
            "peak_memory_bytes": wording.size,
        }
        return units.get(self.column, wording.count)(value)

    @property
    def tab(self) -> str:
        """The label without its unit."""
        return self.label.partition(" (")[0]


PRICES: Final = (
    Price(column="num_params", label="Parameters", noun="parameters"),
    Price(column="val_accuracy", label="Validation accuracy", noun="accuracy", maximize=True),
    Price(column="flops", label="Training FLOPs", noun="compute"),
    Price(column="seconds", label="Busy seconds", noun="busy time"),
    Price(column="peak_memory_bytes", label="Peak memory (bytes)", noun="peak memory"),
)


def prices_beside(loss: str) -> list[Price]:
    """Return the prices that are another measure than the loss column itself."""
    same = {loss, "val_accuracy" if loss == "val_error" else loss}
    return [price for price in PRICES if price.column not in same]
