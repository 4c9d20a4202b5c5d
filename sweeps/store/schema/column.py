"""A column of a result table: its type, its meaning, and what may be done with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import pyarrow as pa

Shown = Literal["loss", "count", "percent", "duration", "bytes", "plain"]
"""Format in which a number is shown to a reader."""

TIME: Final = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a result table."""

    name: str
    type: pa.DataType
    meaning: str
    """What it holds, without a full stop at the end."""
    unit: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    """Where it holds one of a few names: each with its meaning."""
    by_driver: bool = False
    """In `reports`: whether the driver adds it, and training does not measure it."""
    of_machine: bool = False
    """Whether it depends on the machine and the moment, so that a replay may differ in it."""
    asked: bool = False
    """Whether it is measured only at rungs at which the spec asks for it."""
    of_preference: bool = False
    """Whether only preference training measures it."""
    per_token: bool = False
    """Whether it means another thing under another tokenizer."""
    goal: Literal["minimize", "maximize"] | None = None
    """Which way is better; None where it cannot be an objective."""
    before_training: bool = False
    """Whether it is known before training, so that early stopping cannot look at it."""
    label: str = ""
    """Short heading; where it is empty, the name serves."""
    noun: str = ""
    """Name of the column in a sentence."""
    shown: Shown = "plain"


TRIAL_ID: Final = Column(
    name="trial_id",
    type=pa.string(),
    meaning="hash of the complete configuration: equal ids are equal trials",
    by_driver=True,
    label="Trial",
)
RUNG: Final = Column(
    name="rung",
    type=pa.int64(),
    meaning="highest rung reached, from 0; null for a report between two rungs, and in `trials` "
    "before the first",
    by_driver=True,
)
STEP: Final = Column(name="step", type=pa.int64(), meaning="optimizer steps so far")
