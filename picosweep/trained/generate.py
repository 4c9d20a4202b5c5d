"""Letting a trained trial write: `picosweep generate`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.errors import FieldError
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.decoding import DECODER_TABLE, Decoding
from picosweep.pico.probes.generate import stream_text
from picosweep.pico.probes.neighbours import nearest_tokens
from picosweep.pico.probes.samples import Sample, write_samples
from picosweep.sweeps.errors import input_error
from picosweep.sweeps.store.tables import short_id
from picosweep.trained.stored import StoredTrial


@dataclass(frozen=True, kw_only=True)
class TokenNeighbours:
    """A token of a text, and the tokens nearest to it in the model's own space."""

    text: str
    neighbours: tuple[tuple[str, float], ...]
    """Text and cosine similarity of each, the nearest first."""


class LoadedModel:
    """A trial's model with its tokenizer, on the CPU and in evaluation mode.

    Args:
        trial_id: id of the trial, or a beginning of it.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there is no such trial, it has no checkpoint, or its class does not fit it.
    """

    def __init__(self, trial_id: str, results: str | Path = "results") -> None:
        trial = StoredTrial(trial_id, results)
        self.row, self.remark = trial.row, trial.remark
        self.model: LanguageModel = trial.model
        """The module: ids `[B, T]` to logits `[B, T, V]`."""
        self.tokenizer: Tokenizer = trial.tokenizer
        self.ids = trial.ids

    def __repr__(self) -> str:
        """Return what it is in a line."""
        row = self.row
        return (
            f"{row['architecture']} {short_id(row['trial_id'])} of sweep {row['sweep']}: "
            f"{row['num_params']:,} parameters, a vocabulary of {self.tokenizer.vocab_size:,}"
        )

    @torch.no_grad()
    def logits(self, text: str) -> Tensor:
        """Return the logits `[T, V]` over a text: row t foretells what follows token t.

        Raises:
            InputError: the tokenizer cannot read the text.
        """
        return self.model(torch.tensor([self.ids(text)]))[0]  # type: ignore[no-any-return]

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
        """Continue a prompt; the arguments are those of `picosweep.generate`.

        Raises:
            InputError: the tokenizer cannot read the prompt, or a setting is out of range.
        """
        decoding = make_decoding(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
        )
        return "".join(self.stream(prompt, decoding, num_tokens=num_tokens, seed=seed))

    def stream(
        self, prompt: str, decoding: Decoding, *, num_tokens: int, seed: int
    ) -> Iterator[str]:
        """Return an iterator over what the model writes after a prompt, piece by piece.

        Raises:
            InputError: the tokenizer cannot read the prompt.
        """
        self.ids(prompt)
        return stream_text(
            self.model,
            self.tokenizer,
            prompt,
            decoding,
            num_tokens=num_tokens,
            seed=seed,
            stop_ids=(self.tokenizer.end_of_text_id,),
        )

    def samples(
        self,
        prompts: Sequence[str],
        *,
        num_tokens: int,
        seed: int,
        decodings: Sequence[Decoding] = DECODER_TABLE,
    ) -> list[Sample]:
        """Continue every prompt by every decoder; by default greedy first.

        Raises:
            InputError: the tokenizer cannot read a prompt.
        """
        for prompt in prompts:
            self.ids(prompt)
        return write_samples(
            self.model,
            self.tokenizer,
            prompts,
            num_tokens=num_tokens,
            decodings=decodings,
            seed=seed,
        )

    def neighbours(self, text: str) -> list[TokenNeighbours]:
        """Return each token of a text with the tokens nearest to it.

        Raises:
            InputError: the tokenizer cannot read the text.
        """
        ids = self.ids(text)
        return [
            TokenNeighbours(
                text=self.tokenizer.decode([token]),
                neighbours=tuple(
                    (self.tokenizer.decode([other.token]), other.similarity) for other in near
                ),
            )
            for token, near in zip(ids, nearest_tokens(self.model, ids), strict=True)
        ]


def generate(
    trial_id: str,
    prompt: str = "",
    *,
    num_tokens: int = 100,
    temperature: float = 0.75,
    top_k: int | None = None,
    top_p: float = 1.0,
    repetition_penalty: float = 1.0,
    seed: int = 0,
    results: str | Path = "results",
) -> str:
    """Let a trained trial continue a prompt.

    Args:
        trial_id: id of the trial, or a beginning of it.
        prompt: what the text starts with; empty for the start of a document.
        num_tokens: most tokens to write.
        temperature: 0 always takes the likeliest token.
        top_k: draw from this many likeliest tokens only; None: from all.
        top_p: draw from the fewest likeliest tokens whose probabilities reach this sum.
        repetition_penalty: above 1, tokens already written become less likely.
        seed: the same seed gives the same text.
        results: folder or address in which the sweeps are.

    Returns:
        continuation without the prompt.

    Raises:
        InputError: there is no such trial, it has no checkpoint, or a setting is out of range.
    """
    return load_model(trial_id, results=results).generate(
        prompt,
        num_tokens=num_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
    )


def load_model(trial_id: str, *, results: str | Path = "results") -> LoadedModel:
    """Load a trained trial's model and tokenizer.

    Args:
        trial_id: id of the trial, or a beginning of it.
        results: folder or address in which the sweeps are.

    Raises:
        InputError: there is no such trial, it has no checkpoint, or its class does not fit it.
    """
    return LoadedModel(trial_id, results)


def make_decoding(
    *, temperature: float, top_k: int | None, top_p: float, repetition_penalty: float
) -> Decoding:
    """Return how tokens are chosen.

    Raises:
        InputError: a setting is out of range.
    """
    try:
        return Decoding(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
        )
    except FieldError as error:
        raise input_error(str(error)) from error
