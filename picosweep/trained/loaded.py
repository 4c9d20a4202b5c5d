"""A trained model in hand: `picosweep.load_model("3f2a")`."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.models.interface import LanguageModel
from picosweep.trained.generate import Writer, make_decoding


class LoadedModel:
    """A trial's model with its tokenizer, on the CPU and in evaluation mode.

    Args:
        trial_id: id of the trial, or a beginning of it.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there is no such trial, it has no checkpoint, or its class does not fit it.
    """

    def __init__(self, trial_id: str, results: str | Path = "results") -> None:
        self._writer = Writer(trial_id, results)
        self.model: LanguageModel = self._writer.model
        """The module: ids `[B, T]` to logits `[B, T, V]`."""
        self.tokenizer: Tokenizer = self._writer.tokenizer
        self.row: dict[str, Any] = dict(self._writer.row)
        """The trial's row of the `trials` table."""
        self.remark = self._writer.remark
        """What is to be known of what it says; empty for nothing."""

    def __repr__(self) -> str:
        """Return what it is in a line."""
        row = self.row
        return (
            f"{row['architecture']} {row['trial_id'][:8]} of sweep {row['sweep']}: "
            f"{row['num_params']:,} parameters, a vocabulary of {self.tokenizer.vocab_size:,}"
        )

    @torch.no_grad()
    def logits(self, text: str) -> Tensor:
        """Return the logits `[T, V]` over a text: row t foretells what follows token t.

        Raises:
            InputError: the tokenizer cannot read the text.
        """
        ids = self._writer.ids(text)
        return self.model(torch.tensor([ids]))[0]  # type: ignore[no-any-return]

    def generate(
        self,
        prompt: str = "",
        *,
        num_tokens: int = 100,
        temperature: float = 0.75,
        top_k: int | None = None,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        seed: int = 0,
    ) -> str:
        """Return what the model writes after a prompt; as `picosweep.generate`.

        Raises:
            InputError: the tokenizer cannot read the prompt, or a setting is out of range.
        """
        decoding = make_decoding(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
        )
        pieces = self._writer.stream(prompt, decoding, num_tokens=num_tokens, seed=seed)
        return "".join(pieces)


def load_model(trial_id: str, *, results: str | Path = "results") -> LoadedModel:
    """Load a trained trial's model and tokenizer.

    Args:
        trial_id: id of the trial, or a beginning of it.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there is no such trial, it has no checkpoint, or its class does not fit it.
    """
    return LoadedModel(trial_id, results)
