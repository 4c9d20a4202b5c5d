"""What the reference says of each pair: computed once, kept in memory and beside the data.

The reference never changes, so a second epoch, a second trial of a sweep, or one that is resumed
finds its log-probabilities where the first one left them. They are computed for whole
micro-batches, and those of other sizes are kept apart: matrix products of another shape round
differently, and what is kept must be what would be computed.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.tasks.preference_pairs import PairBatch
from picosweep.pico.trial import TrialConfig

VERSION: Final = 1
"""Of the layout and of what makes the numbers: another one is computed anew."""
FOLDER: Final = "reference"

log = logging.getLogger("picosweep")


class ReferenceScores:
    """Log-probabilities of completions under the reference, by a pair's number.

    Args:
        compute: function that returns each member's log-probability `[2P]`, chosen ones first.
        num_pairs: number of pairs that there are.
        file: where they are kept for others; None: in memory alone.
    """

    def __init__(
        self, compute: Callable[[PairBatch], Tensor], num_pairs: int, file: Path | None
    ) -> None:
        self._compute = compute
        self._known = _open(file, num_pairs)

    def of(self, pairs: PairBatch) -> Tensor:
        """Return each member's log-probability `[2P]`, in nats, on the pairs' device.

        What is not known yet is computed with its whole micro-batch and kept.
        """
        found_P2 = self._known[pairs.numbers]
        # A completion has tokens, so its log-probability is below 0: zeros were never written.
        missing_P = (found_P2 == 0).any(axis=1)
        if missing_P.any():
            computed_P2 = self._compute(pairs).reshape(2, -1).T.float().cpu().numpy()
            found_P2[missing_P] = computed_P2[missing_P]
            self._known[pairs.numbers] = found_P2
        return torch.from_numpy(found_P2.T.reshape(-1).copy()).to(pairs.x.device)


def kept_in(
    trial: TrialConfig, data: PreparedData, num_pairs: int, micro_batch: int, device: torch.device
) -> Path | None:
    """Return the file beside the data for what a trial's reference says; None where none can be.

    Args:
        trial: the trial, which names its reference and how pairs are made.
        data: the data; the user's own pairs have no folder, and are kept in memory.
        num_pairs: number of pairs that there are.
        micro_batch: pairs that are computed at once.
        device: where they are computed.
    """
    if data.folder is None or trial.preference is None:
        return None
    made_by: dict[str, Any] = {
        "version": VERSION,
        "torch": torch.__version__,
        "device": device.type,
        "threads": torch.get_num_threads(),
        "reference": trial.init_from,
        "block_size": trial.block_size,
        "pairs": [trial.preference.corruption, trial.preference.prompt_tokens, num_pairs],
        "micro_batch": micro_batch,
        "precision": trial.training.precision,
    }
    key = hashlib.blake2b(json.dumps(made_by, sort_keys=True).encode(), digest_size=16)
    return data.folder / FOLDER / f"{key.hexdigest()}.f32"


def _open(file: Path | None, num_pairs: int) -> npt.NDArray[np.float32]:
    """Map a file of log-probabilities into memory, made with zeros where it is not there."""
    empty = np.zeros((num_pairs, 2), dtype=np.float32)
    if file is None:
        return empty
    try:
        if not file.exists() or file.stat().st_size != empty.nbytes:
            file.parent.mkdir(exist_ok=True)
            # Written in full: a page of a sparse file on a full disk would end the process.
            new = file.with_name(f"{file.name}.{os.getpid()}")
            empty.tofile(new)
            new.replace(file)
        return np.memmap(file, dtype=np.float32, mode="r+", shape=empty.shape)
    except OSError as error:
        log.debug("log-probabilities of the reference stay in memory: %s", error)
        return empty
