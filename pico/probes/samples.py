"""What a model writes at one point of its training: each prompt continued by each decoder."""

from collections.abc import Sequence
from dataclasses import dataclass

from picosweep.pico.data.tokenizers.tokenizer import Tokenizer
from picosweep.pico.models.interface import LanguageModel
from picosweep.pico.probes.decoding import DECODER_TABLE, Decoding
from picosweep.pico.probes.generate import Job, generate, prompt_ids, separator_after


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One continuation."""

    decoder: str
    """The decoder's settings in words."""

    prompt: str
    """What the text starts with."""

    text: str
    """What the model wrote after it."""


def write_samples(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    *,
    num_tokens: int,
    decodings: Sequence[Decoding] = DECODER_TABLE,
    seed: int = 0,
) -> list[Sample]:
    """Continue every prompt with every decoder.

    Args:
        model: model to run, on the device of its weights; torch's global random stream is left
            alone.
        tokenizer: tokenizer that the model was trained with.
        prompts: texts to go on from; an empty one stands for the start of a document.
        num_tokens: most tokens to write for each prompt and decoder.
        decodings: decoders; by default from greedy to most random.
        seed: seed of every draw: the same seed gives the same texts.
    """
    pairs = [(prompt, decoding) for prompt in prompts for decoding in decodings]
    jobs = [
        Job(prompt=prompt_ids(tokenizer, prompt), decoding=decoding, seed=seed)
        for prompt, decoding in pairs
    ]
    stop_ids = (tokenizer.end_of_text_id,)
    texts = generate(model, jobs, num_tokens=num_tokens, stop_ids=stop_ids)
    return [
        Sample(
            decoder=decoding.name,
            prompt=prompt,
            text=separator_after(tokenizer, prompt) + tokenizer.decode(ids) if ids else "",
        )
        for (prompt, decoding), ids in zip(pairs, texts, strict=True)
    ]
