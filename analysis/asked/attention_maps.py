"""What did each head look at? One image per head over a prompt, exact weights beside."""

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from picosweep.analysis.asked.frames import Asked
from picosweep.analysis.page.figure import Figure, Image, Panel

POSITIVE: Final = (0x1F, 0x86, 0xD6)
NEGATIVE: Final = (0xD1, 0x60, 0x3D)
"""Middle tones, legible on white and on black; how opaque says how much weight."""
NOT_SHARES: Final = (
    "Linear attention: blue weights are positive, orange ones negative, and those of a token need "
    "not sum to 1 where positions are rotary."
)


def attention_image(weights: Sequence[Sequence[float]]) -> str:
    """Return a head's weights as a PNG in a `data:` address: rows look, columns are looked at.

    Args:
        weights: for each token the weights of the tokens up to its own.
    """
    size = len(weights)
    most = max((abs(weight) for row in weights for weight in row), default=0.0) or 1.0
    lines = bytearray()
    for row in weights:
        lines.append(0)  # a line without a filter
        for weight in row:
            lines += bytes(POSITIVE if weight >= 0 else NEGATIVE)
            lines.append(round(255 * min(1.0, abs(weight) / most)))
        lines += bytes(4 * (size - len(row)))
    return "data:image/png;base64," + b64encode(_png(size, bytes(lines))).decode()


def _png(size: int, lines: bytes) -> bytes:
    """Return a square picture of 8-bit RGBA.

    Source: W3C, Portable Network Graphics (Third Edition), sections 5 and 11.
    """
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def attention_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each head and token of a prompt.

    Returns:
        head, place, token_text, top (the token with most weight), weight (its weight), weights
        (of all tokens up to its own, in their order).
    """
    found = []
    for row in frame.sort("layer", "head").iter_rows(named=True):
        tokens: list[str] = json.loads(row["prompt_tokens"])
        weights: list[list[float]] = json.loads(row["weights"])
        for place, own in enumerate(weights):
            top = max(range(len(own)), key=lambda at: abs(own[at]))
            found.append(
                {
                    "head": f"{row['layer']}.{row['head']}",
                    "place": place,
                    "token_text": tokens[place],
                    "top": f"{tokens[top]!r} at {top}",
                    "weight": own[top],
                    "weights": " ".join(f"{weight:g}" for weight in own),
                }
            )
    return pl.DataFrame(found)


def attention_sentence(name: str, frame: pl.DataFrame) -> str:
    """Say what was read, and by how many heads."""
    row: dict[str, Any] = frame.row(0, named=True)
    tokens = json.loads(row["prompt_tokens"])
    layers, heads = frame["layer"].n_unique(), frame.height
    text = (
        f"{name} reads {row['prompt']!r} as {len(tokens)} tokens, with {heads} heads in {layers} "
        f"layer{'s' if layers > 1 else ''}. A row looks, a column is looked at; each image is as "
        "dark as its own largest weight."
    )
    return text if row["is_distribution"] else f"{text} {NOT_SHARES}"


def images(frame: pl.DataFrame) -> tuple[Image, ...]:
    """Return each head's image."""
    return tuple(
        Image(
            caption=f"head {row['layer']}.{row['head']}",
            source=attention_image(weights),
            description=(
                f"Attention of head {row['layer']}.{row['head']} over {len(weights)} tokens; "
                "exact weights are in the data below"
            ),
            size=len(weights),
        )
        for row in frame.sort("layer", "head").iter_rows(named=True)
        for weights in [json.loads(row["weights"])]
    )


def _panel(name: str, frame: pl.DataFrame) -> Panel:
    own = frame.filter(pl.col("prompt") == frame["prompt"].last())
    return Panel(
        label=name,
        sentence=attention_sentence(name, own),
        images=images(own),
        table=attention_table(own),
    )


def figure(asked: Asked) -> Figure | None:
    """Return a panel for each trial whose attention was looked at; None for none."""
    panels = asked.panels(asked.latest("probes_attention"), _panel)
    if not panels:
        return None
    return Figure(
        key="attention",
        title="What each head looks at",
        panels=panels,
        note=(
            "Weights are recomputed from the queries and keys that the model made; times the "
            "values they are what its attention returned. That a head looks somewhere does not "
            "say that the model uses it: see what each head is worth."
        ),
    )
