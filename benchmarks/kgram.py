"""The K-gram model against a Python loop over time, forward and backward.

    python benchmarks/kgram.py

The loop is the model as the equations read: for every example and every time step it builds the
one-hot rows of the context, side by side, and sends them through the layers. Both share the same
weights, and their losses are compared before anything is timed.

Shape suffixes: B batch, T time, V vocabulary.
"""

import torch
import torch.nn.functional as F
from timing import parser, print_timings, take_turns
from torch import Tensor

from pico.models.kgram import KGram, KGramConfig, OneHotContext


def loop_logits(model: KGram, ids_BT: Tensor) -> Tensor:
    """Return the model's logits `[B, T, V]`, one example and one time step at a time."""
    context = model.context
    assert isinstance(context, OneHotContext)
    examples = []
    for ids in ids_BT.tolist():
        steps = []
        for place in range(len(ids)):
            row = torch.zeros(model.context_size, model.vocab_size)
            for back in range(min(model.context_size, place + 1)):
                row[model.context_size - 1 - back, ids[place - back]] = 1.0
            hidden = row.flatten() @ context.rows + context.bias
            steps.append(model.head(model.activation(hidden)))
        examples.append(torch.stack(steps))
    return torch.stack(examples)


def main() -> None:
    """Time both at several vocabularies."""
    arguments = parser(__doc__, rounds=5).parse_args()
    torch.set_num_threads(arguments.threads)
    for vocab_size, batch_size in ((64, 16), (256, 16), (2048, 16)):
        torch.manual_seed(0)
        config = KGramConfig(input="onehot", context_size=3, hidden_size=128)
        model = KGram(config, vocab_size, 64)
        ids_BT, targets_BT = torch.randint(vocab_size, (2, batch_size, 64)).unbind()

        def step(logits_BTV: Tensor, targets_BT: Tensor = targets_BT) -> Tensor:
            loss = F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())
            loss.backward()
            return loss.detach()

        torch.testing.assert_close(step(loop_logits(model, ids_BT)), step(model(ids_BT)))
        timings = take_turns(
            {
                "Python loop over time": lambda m=model, x=ids_BT: step(loop_logits(m, x)),
                "picosweep": lambda m=model, x=ids_BT: step(m(x)),
            },
            rounds=arguments.rounds,
        )
        title = f"vocabulary {vocab_size}, batch {batch_size}, block 64, context 3, hidden 128"
        print_timings(title, timings)


if __name__ == "__main__":
    main()
