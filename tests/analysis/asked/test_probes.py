"""What the report says of a model's inside, and that it says no more than was measured."""

import json
import struct
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np

from picosweep.analysis.asked import attention_maps, heads, neurons, token_table
from picosweep.analysis.asked.attention_maps import NEGATIVE, POSITIVE, attention_image
from picosweep.analysis.asked.figures import figures_of, write_answers_page
from tests.analysis.asked.rows import TRIALS, asked, attention, head, neuron, trial
from tests.analysis.handmade import EVIL

ALIKE = head(None, None, loss_without=None)


def said(*rows: dict[str, Any]) -> str:
    """What is said of a trial with these heads."""
    figure = heads.figure(asked({"probes_heads": [*rows, ALIKE]}))
    assert figure is not None
    return figure.panels[0].sentence


def test_a_head_does_something_only_where_score_and_ablation_agree() -> None:
    """Looking there is not enough, and neither is being worth something."""
    both = said(head(0, 0, previous=0.9, loss_without=1.0), head(1, 1, induction=0.8,
                                                                loss_without=2.5))  # fmt: skip
    assert "head 0.0 looks at the token before (previous 0.90" in both
    assert "head 1.1 looks at what followed the token's first occurrence" in both
    assert "without it the loss rises by 2.5 nats" in both
    for only in ({"induction": 0.9}, {"loss_without": 3.0}, {"first": 1.0, "loss_without": 3.0}):
        assert "no head both looks where a score says" in said(head(0, 0), head(1, 0, **only))


def test_induction_is_held_against_one_layer() -> None:
    """The first layer of the same model, and other models of one layer."""
    rows = [
        head(0, 0, induction=0.03),
        head(1, 0, induction=0.9, loss_without=4.0),
        head(0, 0, trial_id=TRIALS[1], induction=0.05),
        ALIKE,
        ALIKE | {"trial_id": TRIALS[1]},
    ]
    figure = heads.figure(asked({"probes_heads": rows}, trial(TRIALS[0]), trial(TRIALS[1])))
    assert figure is not None
    first, second = (panel.sentence for panel in figure.panels)
    assert "the first layer, which cannot look for it, at most 0.03" in first
    assert "transformer bbbb of one layer at most 0.05" in first
    assert "a model of one layer cannot do more" in second
    assert "3.0 nats lower than where nothing can be known" in first
    assert "A gap alone is no induction" in figure.note


def pixels(address: str) -> np.ndarray[Any, Any]:
    """The picture in a `data:` address, `[size, size, 4]`, read by the format's rules."""
    content = b64decode(address.removeprefix("data:image/png;base64,"))
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    place, parts = 8, {}
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        kind = content[place + 4 : place + 8]
        body = content[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", content[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(kind + body)
        parts[kind] = body
        place += 12 + length
    size, height, depth, color = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert (size, depth, color) == (height, 8, 6)
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), dtype=np.uint8)
    return lines.reshape(size, 1 + 4 * size)[:, 1:].reshape(size, size, 4)


def test_an_image_shows_each_weight_by_how_opaque_it_is() -> None:
    """Against the largest; negative ones in another colour, later tokens not at all."""
    shown = pixels(attention_image([[1.0], [0.5, -0.25]]))
    assert shown[0, 0].tolist() == [*POSITIVE, 255]
    assert shown[1, 0].tolist() == [*POSITIVE, 128]
    assert shown[1, 1].tolist() == [*NEGATIVE, 64]
    assert shown[0, 1, 3] == 0


def test_exact_weights_stand_beside_the_images() -> None:
    """Every weight of every token; of linear attention it is said what they are not."""
    figure = attention_maps.figure(asked({"probes_attention": [attention(), attention(head=1)]}))
    assert figure is not None
    (panel,) = figure.panels
    assert [image.caption for image in panel.images] == ["head 0.0", "head 0.1"]
    assert panel.table is not None
    assert panel.table["weights"].to_list() == ["1", "0.25 0.75"] * 2
    assert panel.table["top"].to_list() == ["'a' at 0", "' b' at 1"] * 2
    assert "need not sum to 1" not in panel.sentence
    linear = attention_maps.figure(asked({"probes_attention": [attention(is_distribution=False)]}))
    assert linear is not None
    assert "need not sum to 1" in linear.panels[0].sentence


def test_components_are_held_against_a_table_without_structure() -> None:
    """And called frequency only where they go with it."""
    place = {"trial_id": TRIALS[0], "rung": 0, "step": 10}
    rows = {
        "probes_components": [
            {**place, "component": 1, "explained": 0.4, "baseline": 0.1, "log_frequency": -0.8},
            {**place, "component": 2, "explained": 0.1, "baseline": 0.1, "log_frequency": 0.1},
        ],
        "probes_tokens": [
            {**place, "token": n, "token_text": str(n), "occurrences": n, "component_1": 0.0,
             "component_2": 0.0, "component_3": 0.0, "neighbours": '["x"]'}
            for n in (0, 1, 2)
        ],
    }  # fmt: skip
    figure = token_table.figure(asked(rows))
    assert figure is not None
    assert figure.panels[0].sentence == (
        "transformer aaaa: component 1 explains 40 % of the variance, more than in a table without "
        "structure (10 %), and goes with how frequent a token is (r = -0.80); component 2 explains "
        "10 % of the variance, about as much as in a table without structure (10 %)."
    )
    table = figure.panels[0].table
    assert table is not None
    assert table["seen"].to_list() == ["seen", "seen", "never seen"]


def test_neurons_are_named_beyond_chance_alone() -> None:
    """Those with a small p among those that were chosen."""
    figure = neurons.figure(asked({"probes_neurons": [neuron(), neuron(unit=6, p_value=0.4)]}))
    assert figure is not None
    assert figure.panels[0].sentence == (
        "transformer aaaa: 1 of the 2 chosen among 64 units (cells) tell the groups apart on texts "
        "they were not chosen by. The best, 1.5, is below the others in prose: groups explain 60 % "
        "of its variance there, where chance gives up to 30 %."
    )
    none = neurons.figure(asked({"probes_neurons": [neuron(p_value=0.2, selectivity=0.2)]}))
    assert none is not None
    assert "none is shown to tell the groups apart" in none.panels[0].sentence


def test_answers_are_a_page_in_which_nothing_runs(tmp_path: Path) -> None:
    """Prompts, tokens and names are hostile text; images and tables are all inside."""
    found = asked(
        {
            "probes_attention": [attention(prompt=EVIL, prompt_tokens=json.dumps([EVIL, EVIL]))],
            "probes_neurons": [neuron(text_group=EVIL)],
        },
        trial(TRIALS[0], architecture=EVIL, sweep=EVIL),
    )
    page = tmp_path / "page.html"
    write_answers_page(page, found, figures_of(found))
    text = page.read_text(encoding="utf-8")
    assert "alert(1)</script>" not in text
    assert "<img src=x" not in text
    assert text.count('src="data:image/png') == 1
    assert "http://" not in text.replace("http://www.w3.org", "")
