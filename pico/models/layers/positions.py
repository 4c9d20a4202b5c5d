"""Where a token stands: learned and sinusoidal vectors added to it, rotary angles for attention.

Shape suffixes: B batch, T time, G heads (queries' and keys'), K numbers a head, R half of
them, D embed size.
"""

import torch
from torch import Tensor, nn

BASE = 10_000.0


def sinusoidal_vectors(length: int, size: int) -> Tensor:
    """Return one fixed vector per place, `[length, size]`: sines, then cosines.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5.
    """
    half = (size + 1) // 2
    angles = _angles(length, half, size)
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :size]


class Rotary(nn.Module):
    """Rotation of each pair of a head's numbers by an angle that grows with the place.

    Pair r is numbers 2r and 2r + 1 of a head.

    Source: Su et al. 2021, https://arxiv.org/abs/2104.09864.
    """

    turns: Tensor
    """Cosine and sine for each place, head and pair: `[T, G, R, 2]`."""

    def __init__(self, length: int, num_heads: int, head_size: int) -> None:
        super().__init__()
        angles_TR = _angles(length, head_size // 2, head_size)
        turns_TR2 = torch.stack([angles_TR.cos(), angles_TR.sin()], dim=-1)
        # One copy per head: a product with a broadcast table runs over a few numbers at a time.
        turns_TGR2 = turns_TR2.unsqueeze(1).repeat(1, num_heads, 1, 1)
        self.register_buffer("turns", turns_TGR2, persistent=False)

    def forward(self, x_BTGK: Tensor, start: int = 0) -> Tensor:
        """Return `x_BTGK` turned, its first time step standing at place `start`."""
        turns_TGR2 = self.turns[start : start + x_BTGK.shape[1]].float()
        x_BTGR2 = x_BTGK.float().view(*x_BTGK.shape[:-1], -1, 2)
        if torch.compiler.is_compiling():
            turned_BTGR2 = turn(x_BTGR2, turns_TGR2)
        else:
            # A complex product is one pass over memory, but a compiler cannot see into it.
            turned = torch.view_as_complex(x_BTGR2) * torch.view_as_complex(turns_TGR2)
            turned_BTGR2 = torch.view_as_real(turned)
        return turned_BTGR2.flatten(-2).type_as(x_BTGK)


def turn(x_BTGR2: Tensor, turns_TGR2: Tensor) -> Tensor:
    """Return the complex product of the two, as pairs of real numbers."""
    x, y = x_BTGR2.unbind(-1)
    cos, sin = turns_TGR2.unbind(-1)
    return torch.stack([x * cos - y * sin, x * sin + y * cos], dim=-1)


def _angles(length: int, num_angles: int, size: int) -> Tensor:
    # Made on the CPU whatever the default device: on the meta device, where models are only
    # counted, the first arange imports torch's compiler, which takes a second.
    places_T = torch.arange(length, dtype=torch.float32, device="cpu")
    speeds_R = BASE ** (-2.0 * torch.arange(num_angles, dtype=torch.float32, device="cpu") / size)
    return places_T[:, None] * speeds_R[None, :]
