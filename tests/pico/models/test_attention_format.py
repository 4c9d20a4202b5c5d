"""In which number format softmax attention works while the rest of a model is in bf16."""

import pytest
import torch

from picosweep.pico.models.layers.attention import FP32_TOKENS, SoftmaxMixing


@pytest.mark.parametrize(("num_tokens", "exact"), [(8, True), (FP32_TOKENS + 1, False)])
def test_short_attention_is_exact_inside_of_bf16(num_tokens: int, exact: bool) -> None:
    """Up to 512 tokens on a CPU it gives what fp32 gives, and gradients come back in bf16."""
    torch.manual_seed(0)
    qk_BTGK = torch.randn(1, num_tokens, 4, 16).bfloat16().requires_grad_()
    v_BTHK = torch.randn(1, num_tokens, 2, 16).bfloat16()
    mixing = SoftmaxMixing(dropout=0.0, rotary=None)
    expected = mixing(qk_BTGK.float(), v_BTHK.float())
    with torch.autocast("cpu", torch.bfloat16):
        found = mixing(qk_BTGK, v_BTHK)
    assert torch.equal(found.float(), expected) == exact
    found.float().sum().backward()
    assert qk_BTGK.grad is not None
    assert qk_BTGK.grad.dtype == torch.bfloat16
