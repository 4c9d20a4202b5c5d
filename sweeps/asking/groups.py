"""Groups of texts that neurons may tell apart: the user's labels, or the sources of a mixture."""

from collections.abc import Sequence
from typing import Final

from picosweep.pico.data.prepared import PreparedData
from picosweep.pico.evaluation.position_loss import windows_of

MOST_TEXTS: Final = 64
"""Texts of a group that are looked at."""
MOST_TOKENS: Final = 64
"""Tokens of a text that are looked at."""


def text_groups(
    data: PreparedData, labelled: Sequence[tuple[str, str]], *, block_size: int
) -> dict[str, list[list[int]]]:
    """Return texts as token ids, by group.

    Args:
        data: prepared data: its tokenizer, and the parts of its validation text.
        labelled: labels and texts of the user's; empty for one group for each source of the data.
        block_size: most tokens that the model reads at once.

    Raises:
        ValueError: the tokenizer cannot write a text.
    """
    most = min(MOST_TOKENS, block_size)
    groups: dict[str, list[list[int]]] = {}
    for label, text in labelled:
        ids = data.tokenizer.encode(text)[:most]
        if ids and len(groups.setdefault(label, [])) < MOST_TEXTS:
            groups[label].append(ids)
    if labelled:
        return groups
    for part in data.meta.validation_parts:
        tokens = data.validation[part.first_token : part.end_token]
        groups[part.name] = windows_of(tokens, most, MOST_TEXTS).tolist()
    return groups
