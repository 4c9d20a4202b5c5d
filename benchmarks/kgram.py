"""The K-gram model against a Python loop over time, forward and backward.

    python -m benchmarks.kgram

The loop is the model as the equations read: for every example and every time step it builds the
one-hot rows of the context, side by side, and sends them through the layers. Both share the same
weights, and their losses are compared before anything is timed. Ours goes through the loss that
training uses, in a process set up as a sweep sets up its workers (the loop runs in the same one).

A large vocabulary makes the head most of the step, and neither side can avoid its three matrix
products: the row "the head's products alone" is their time, which bounds the ratio. The second
table of each size is without the head. The vocabularies: letters of names, characters of a text,
bytes, and byte-level BPE as in the demo.

Shape suffixes: B batch, T time, N tokens (B·T), H hidden size, V vocabulary.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.timing import parser, print_timings, take_turns
from picosweep.pico.models.kgram import KGram, KGramConfig, OneHotContext
from picosweep.pico.tasks.language_loss import TrainingLoss
from picosweep.pico.training.memory import keep_freed_memory
from picosweep.pico.training_config import TrainingConfig

BATCH_SIZE, BLOCK_SIZE = 32, 64
VOCAB_SIZES = (27, 64, 256, 2048)
LOOP, OURS, FLOOR = "Python loop over time", "picosweep", "the head's products alone"


def loop_hidden(model: KGram, ids_BT: Tensor) -> list[Tensor]:
    """Return each token's hidden layer `[H]`, one example and one time step at a time."""
    context = model.context
    assert isinstance(context, OneHotContext)
    hidden = []
    for ids in ids_BT.tolist():
        for place in range(len(ids)):
            row = torch.zeros(model.context_size, model.vocab_size)
            for back in range(min(model.context_size, place + 1)):
                row[model.context_size - 1 - back, ids[place - back]] = 1.0
            hidden.append(model.activation(row.flatten() @ context.rows + context.bias))
    return hidden


def loop_step(model: KGram, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
    """Take the loss of every token by itself, then the gradient of their mean."""
    logits_NV = torch.stack([model.head(hidden_H) for hidden_H in loop_hidden(model, ids_BT)])
    loss = functional.cross_entropy(logits_NV, targets_BT.flatten())
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def our_step(loss: TrainingLoss, ids_BT: Tensor, targets_BT: Tensor) -> Tensor:
    """Take the same step as training takes it."""
    objective, nats = loss(ids_BT, targets_BT)
    objective.backward()  # type: ignore[no-untyped-call]
    return nats


def head_products(model: KGram, features_NH: Tensor, grad_NV: Tensor) -> None:
    """Make the logits, and both gradients of the product that makes them."""
    weight_VH = model.head.weight.detach()
    features_NH @ weight_VH.t()
    grad_NV @ weight_VH
    grad_NV.t() @ features_NH


def main() -> None:
    """Time both at several vocabularies."""
    arguments = parser(__doc__, rounds=5).parse_args()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(mode=True)
    keep_freed_memory()
    for vocab_size in VOCAB_SIZES:
        torch.manual_seed(0)
        config = KGramConfig(input="onehot", context_size=3, hidden_size=128)
        model = KGram(config, vocab_size, BLOCK_SIZE)
        num_tokens = BATCH_SIZE * BLOCK_SIZE
        loss = TrainingLoss(model, TrainingConfig(), num_logits=num_tokens * vocab_size)
        batch = torch.randint(vocab_size, (2, BATCH_SIZE, BLOCK_SIZE)).unbind()
        torch.testing.assert_close(our_step(loss, *batch), loop_step(model, *batch))
        operands = torch.randn(num_tokens, 128), torch.randn(num_tokens, vocab_size)
        size = f"vocabulary {vocab_size}, batch {BATCH_SIZE}, block {BLOCK_SIZE}"
        step = {
            LOOP: lambda model=model, batch=batch: loop_step(model, *batch),
            OURS: lambda loss=loss, batch=batch: our_step(loss, *batch),
            FLOOR: lambda model=model, operands=operands: head_products(model, *operands),
        }
        print_timings(f"training step, {size}", take_turns(step, rounds=arguments.rounds))
        below = {
            LOOP: lambda model=model, ids_BT=batch[0]: (
                torch.stack(loop_hidden(model, ids_BT)).sum().backward()  # type: ignore[no-untyped-call]
            ),
            OURS: lambda model=model, ids_BT=batch[0]: model.features(ids_BT).sum().backward(),
        }
        title = f"the same without the head, {size}"
        print_timings(title, take_turns(below, rounds=arguments.rounds))


if __name__ == "__main__":
    main()
