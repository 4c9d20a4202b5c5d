"""The probes by name."""

from typing import Literal

ProbeKind = Literal["heads", "attention", "embedding", "neurons"]
