"""Imported by a process that waits to train: takes its first optimizer step meanwhile.

Where PyTorch is built for GPUs it does nothing: the step would ask which there are, and what is
answered before a process is given its own stays so in that process.
"""

import torch

from picosweep.pico.training.process import prepare_process

if torch.version.cuda is None and torch.version.hip is None:
    prepare_process()
