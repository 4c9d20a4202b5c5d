"""The Transformer against nanoGPT's model at equal size: one whole training step, taking turns.

    python -m benchmarks.transformer --nanogpt CHECKOUT/model.py

The step is forward, loss, backward, clipping and AdamW, each with its own optimizer: nanoGPT's from
its `configure_optimizers`, ours as Picosweep trains. Both models have the same layers, offsets
and tied head, so their parameter counts are equal; that is checked.
"""

import contextlib
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from benchmarks.timing import parser, print_timings, take_turns
from picosweep.pico.models.layers.head_loss import head_loss
from picosweep.pico.models.transformer import Transformer, TransformerConfig

SIZES = (
    # Layers, heads, width, vocabulary, block, batch.
    (4, 4, 128, 65, 64, 12),
    (2, 4, 64, 2048, 64, 32),
    (4, 4, 128, 2048, 64, 32),
)


def load_nanogpt(path: Path) -> ModuleType:
    """Import a checkout's `model.py`."""
    spec = importlib.util.spec_from_file_location("nanogpt_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Time both at several sizes."""
    arguments = parser(__doc__, rounds=30)
    arguments.add_argument("--nanogpt", type=Path, required=True, help="a checkout's model.py")
    arguments.add_argument("--device", default="cpu", help="cpu, or cuda for a GPU in bf16")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    module = load_nanogpt(options.nanogpt)
    for size in SIZES:
        layers, heads, width, vocab_size, block_size, batch_size = size
        torch.manual_seed(0)
        ids_BT, targets_BT = torch.randint(
            vocab_size, (2, batch_size, block_size), device=options.device
        ).unbind()
        timings = take_turns(
            {
                "nanoGPT": nanogpt_step(module, size, ids_BT, targets_BT),
                "picosweep": our_step(size, ids_BT, targets_BT),
            },
            rounds=options.rounds,
            device=options.device,
        )
        print_timings(
            f"{layers} layers, {heads} heads, {width} wide, vocabulary {vocab_size}, block"
            f" {block_size}, batch {batch_size}",
            timings,
        )


def nanogpt_step(
    module: ModuleType, size: tuple[int, ...], ids_BT: Tensor, targets_BT: Tensor
) -> Callable[[], None]:
    """Return one training step of nanoGPT's model."""
    layers, heads, width, vocab_size, block_size, _ = size
    device = ids_BT.device.type
    with contextlib.redirect_stdout(io.StringIO()):
        model = module.GPT(
            module.GPTConfig(
                block_size=block_size,
                vocab_size=vocab_size,
                n_layer=layers,
                n_head=heads,
                n_embd=width,
                dropout=0.0,
                bias=False,
            )
        ).to(device)
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            _, loss = model(ids_BT, targets_BT)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def our_step(size: tuple[int, ...], ids_BT: Tensor, targets_BT: Tensor) -> Callable[[], None]:
    """Return one training step of ours."""
    layers, heads, width, vocab_size, block_size, _ = size
    device = ids_BT.device.type
    config = TransformerConfig(
        num_layers=layers,
        num_heads=heads,
        embed_size=width,
        position="learned",
        norm="layer",
        tied_head=True,
    )
    model = Transformer(config, vocab_size, block_size).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True
    )

    def loss() -> Tensor:
        if device == "cpu":
            features_NS = model.features(ids_BT).flatten(0, 1)
            return head_loss(features_NS, model.head, targets_BT.flatten())[0]
        with torch.autocast(device, torch.bfloat16):
            logits_BTV = model(ids_BT)
        return torch.nn.functional.cross_entropy(
            logits_BTV.flatten(0, 1).float(), targets_BT.flatten()
        )

    def step() -> None:
        loss().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


if __name__ == "__main__":
    main()
