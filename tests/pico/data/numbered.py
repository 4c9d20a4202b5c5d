"""Prepared data in which every token is its own index, so that a row says where it came from."""

import numpy as np

from picosweep.pico.data.prepared import Meta, Part, PreparedData

END_OF_TEXT_ID = 1_000_000


def _parts(documents_of_part, weights):
    starts, parts = [], []
    token = 0
    for index, lengths in enumerate(documents_of_part):
        first_token, first_start = token, len(starts)
        for length in lengths:
            starts.append(token)
            token += length + 1
        starts.append(token)
        token += 1
        parts.append(
            Part(
                name=f"part {index}",
                weight=weights[index],
                first_token=first_token,
                end_token=token,
                first_start=first_start,
                end_start=len(starts),
            )
        )
    return np.arange(token, dtype=np.uint32), np.array(starts), tuple(parts)


def numbered_data(
    *documents_of_part,
    weights=None,
    mode="contiguous",
    context_tokens=0,
    predict_end=True,
):
    """Data of these document lengths for each source, the same for training and validation."""
    weights = weights or [1 / len(documents_of_part)] * len(documents_of_part)
    tokens, starts, parts = _parts(documents_of_part, weights)
    meta = Meta(
        version=0,
        fingerprint="",
        tokenizer_fingerprint="",
        tokenizer_kind="char",
        vocab_size=END_OF_TEXT_ID + 1,
        end_of_text_id=END_OF_TEXT_ID,
        mode=mode,
        context_tokens=context_tokens,
        predict_end=predict_end,
        train_tokens=len(tokens),
        validation_tokens=len(tokens),
        num_documents=0,
        num_validation_documents=0,
        num_characters=0,
        num_bytes=0,
        characters_per_token=1.0,
        source="numbered",
        train_parts=parts,
        validation_parts=parts,
    )
    return PreparedData(
        meta=meta,
        train=tokens,
        validation=tokens,
        train_starts=starts,
        validation_starts=starts,
        tokenizer_json="{}",
    )
