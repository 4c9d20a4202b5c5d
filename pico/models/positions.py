"""Where a token stands: learned and sinusoidal vectors added to it, rotary angles for attention.

Shape suffixes: B batch, T time, H heads, K numbers a head, R half of them, D embed size.
"""

import torch
from torch import Tensor, nn

BASE = 10_000.0


def sinusoidal_vectors(length: int, size: int) -> Tensor:
    """Return one fixed vector a place, `[length, size]`: sines, then cosines.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5.
    """
    half = (size + 1) // 2
    angles = _angles(length, half, size)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :size]


class Rotary(nn.Module):
    """Turns each pair of a head's numbers by an angle that grows with the place.

    Pair r is (r, r + K/2).

    Source: Su et al. 2021, https://arxiv.org/abs/2104.09864.
    """

    cos_TK: Tensor
    sin_TK: Tensor

    def __init__(self, length: int, head_size: int) -> None:
        super().__init__()
        angles_TR = _angles(length, head_size // 2, head_size)
        cos_TR, sin_TR = angles_TR.cos(), angles_TR.sin()
        self.register_buffer("cos_TK", torch.cat([cos_TR, cos_TR], 1), persistent=False)
        self.register_buffer("sin_TK", torch.cat([-sin_TR, sin_TR], 1), persistent=False)

    def forward(self, x_BTHK: Tensor, start: int = 0) -> Tensor:
        """Return `x_BTHK` turned, its first time step standing at place `start`."""
        end = start + x_BTHK.shape[1]
        cos_T1K = self.cos_TK[start:end, None].to(x_BTHK.dtype)
        sin_T1K = self.sin_TK[start:end, None].to(x_BTHK.dtype)
        swapped_BTHK = x_BTHK.roll(x_BTHK.shape[-1] // 2, dims=-1)
        return x_BTHK * cos_T1K + swapped_BTHK * sin_T1K


def _angles(length: int, num_angles: int, size: int) -> Tensor:
    # Made on the CPU whatever the default device: on the meta device, where models are only
    # counted, the first arange imports torch's compiler, which takes a second.
    places_T = torch.arange(length, dtype=torch.float32, device="cpu")
    speeds_R = BASE ** (-2.0 * torch.arange(num_angles, dtype=torch.float32, device="cpu") / size)
    return places_T[:, None] * speeds_R[None, :]
