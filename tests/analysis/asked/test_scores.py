"""What the report says of scores: computed from the items, claimed only beyond the controls."""

import polars as pl
import pytest

from picosweep.analysis.asked import before_after, code_scores, sizes, text_scores
from picosweep.analysis.asked.code_scores import IN_TRIES, code_sentence, code_table
from picosweep.analysis.asked.frames import short_names
from picosweep.pico.evaluation.scores import BASELINES, HELD_OUT, OTHER_PROMPTS
from tests.analysis.asked.rows import TRIALS, asked, scores, trial

KNOWS = [1.0] * 12 + [0.5] * 4 + [0.0] * 4
NOTHING = [0.0] * 19 + [1.0]


def code(**changes: list[float | None]) -> pl.DataFrame:
    """Rows of one evaluation by the code suite."""
    sections: dict[str, list[float | None]] = {
        "brackets": [1.0] * 15,
        "brackets" + OTHER_PROMPTS: [0.5] * 8 + [0.4] * 7,
        "keywords": [1.0, 0.0] * 7,
        "keywords" + OTHER_PROMPTS: [0.5] * 14,
        "parses": [1.0] * 20,
        "passes": list(KNOWS),
        **{name: list(NOTHING) for name in BASELINES},
        **changes,
    }
    frame = asked({"evaluations": scores(sections)}).tables["evaluations"]
    assert isinstance(frame, pl.DataFrame)
    return frame


def test_means_intervals_and_controls_are_those_of_the_items() -> None:
    """By hand: 14 of 20 pass, 1 of 20 without knowing; every one of 16 within ten tries."""
    table = code_table(code())
    passes = table.row(by_predicate=pl.col("section") == "passes", named=True)
    assert passes["mean"] == pytest.approx(14 / 20)
    assert passes["control"] == pytest.approx(1 / 20)
    assert passes["against"].startswith("returning a constant")
    assert (passes["low"], passes["high"]) == (
        pytest.approx(0.4572, abs=1e-4), pytest.approx(0.8811, abs=1e-4),
    )  # fmt: skip
    assert passes["gain_low"] > 0
    tries = table.row(by_predicate=pl.col("section") == IN_TRIES, named=True)
    assert tries["mean"] == pytest.approx(16 / 20)
    assert "brackets" + OTHER_PROMPTS not in table["section"].to_list()


def test_a_claim_needs_more_than_its_control() -> None:
    """And a section that is no better than for other prompts is said to be none."""
    frame = code()
    said = code_sentence("m", code_table(frame), frame)
    assert "70 % of the functions that it writes pass" in said
    assert ", more than returning a constant passes (5.0 %)" in said
    assert "better than others' prompts in brackets (100 %)" in said
    assert "Not shown to be better than for other prompts: keywords (50 %)" in said
    weak = code(passes=[0.0] * 18 + [1.0, 0.5])
    said = code_sentence("m", code_table(weak), weak)
    assert ", not shown to be more than returning a constant passes" in said


def test_what_was_not_run_is_no_zero() -> None:
    """The reason is told, nothing is drawn for it, and the other sections stay."""
    refused = code(**dict.fromkeys(("parses", "passes", *BASELINES), [None] * 20))
    table = code_table(refused)
    assert table.filter(section="passes")["mean"].to_list() == [None]
    said = code_sentence("m", table, refused)
    assert "no function was run: why" in said
    assert "0 %" not in said.partition("Its")[0]
    one = code(passes=[None, *KNOWS[1:]])
    assert "1 problem could not be run." in code_sentence("m", code_table(one), one)


def test_each_trial_has_a_panel_and_the_best_comes_first() -> None:
    """At its last step alone."""
    rows = scores({"passes": [0.0, 0.0]}, step=5) + scores({"passes": [1.0, 0.0]}, step=10)
    rows += scores({"passes": [0.0, 0.0]}, trial_id=TRIALS[1])
    both = asked({"evaluations": rows}, trial(TRIALS[1], architecture="lstm"), trial(TRIALS[0]))
    figure = code_scores.figure(both)
    assert figure is not None
    assert [panel.label for panel in figure.panels] == ["lstm bbbb", "transformer aaaa"]
    assert "50 % of the functions" in figure.panels[1].sentence
    assert "Sandbox: rlimits, landlock 7, seccomp." in figure.note
    assert short_names(["a", "a"], ["12345", "12349"]) == ["a 12345", "a 12349"]


def test_text_figures_stand_beside_held_out_text() -> None:
    """Perplexity with its band, and what both have."""
    run = "runs of 8 tokens that stand in the training data"
    rows = [
        *scores({"perplexity": [8.0]}, suite="text", item="validation", detail="no band: 66"),
        *scores({"bits per byte": [1.5]}, suite="text", item="validation"),
        *scores({"memorisation": [0.25]}, suite="text", item=run),
        *scores({"memorisation" + HELD_OUT: [0.125]}, suite="text", item=run),
        *scores({"diversity": [0.5]}, suite="text", item="repeats itself"),
        *scores({"diversity" + HELD_OUT: [0.0]}, suite="text", item="repeats itself"),
    ]
    figure = text_scores.figure(asked({"evaluations": rows}))
    assert figure is not None
    assert figure.panels[0].sentence == (
        "transformer aaaa: perplexity 8.00 on unseen text, 1.50 bits per byte (no band: 66); 25 % "
        "of the runs of 8 tokens that it writes stand in the training data, of as much unseen text "
        "12 %; 50 % of its three-word runs repeat earlier ones, of unseen text 0 %."
    )


def test_loss_past_a_block_is_that_of_places_past_it() -> None:
    """Not of places within it, though both were read with more room."""
    places = {"1": 3.0, "2": 2.5, "3-4": 2.0}
    rows = [
        row
        for section, more in (("loss by place", {}), ("loss by place, past a block", {"5-8": 2.75}))
        for item, loss in {**places, **more}.items()
        for row in scores({section: [loss]}, suite="text", item=item)
    ]
    figure = text_scores.place_figure(asked({"evaluations": rows}))
    assert figure is not None
    assert figure.panels[0].sentence == (
        "transformer aaaa: 2.000 nats at the end of a block (places 3 to 4), 2.750 at places 5 to "
        "8, further than it was trained."
    )
    short = [row for row in rows if row["item"] != "5-8"]
    figure = text_scores.place_figure(asked({"evaluations": short}))
    assert figure is not None
    assert "not measured past it" in figure.panels[0].sentence


def test_the_best_of_several_steps_is_named() -> None:
    """And that choosing it flatters is said."""
    rows = scores({"passes": [0.5, 0.0]}, step=5) + scores({"passes": [0.25, 0.0]}, step=10)
    figure = sizes.checkpoints_figure(asked({"evaluations": rows}))
    assert figure is not None
    assert figure.panels[0].sentence == (
        "transformer aaaa had its best passes at step 5 (25 %; at its last, 12 %)."
    )
    even = scores({"passes": [0.5]}, step=5) + scores({"passes": [0.5]}, step=10)
    same = sizes.checkpoints_figure(asked({"evaluations": even}))
    assert same is not None
    assert "neither passes nor bits per byte changed" in same.panels[0].sentence
    assert "flatters" in figure.note
    assert sizes.checkpoints_figure(asked({"evaluations": rows[:2]})) is None


def test_sizes_stand_side_by_side() -> None:
    """Parameters, memory, speed, loss and scores in one table."""
    rows = scores({"passes": [0.5, 0.0]}) + scores({"passes": [1.0, 1.0]}, trial_id=TRIALS[1])
    two = asked(
        {"evaluations": rows},
        trial(TRIALS[0]),
        trial(TRIALS[1], num_params=5000, bits_per_byte=1.0),
    )
    figure = sizes.sizes_figure(two)
    assert figure is not None
    table = figure.panels[0].table
    assert table is not None
    assert table["passes"].to_list() == [0.25, 1.0]
    assert table["num_params"].to_list() == [1000, 5000]
    assert "1,000 parameters and 1.25 bits per byte" in figure.panels[0].sentence
    assert "one seed each" in figure.panels[0].sentence


def test_changes_are_told_where_items_agree_on_them() -> None:
    """Paired: a gain of every item is clear, one of a single item is not."""
    before = code(passes=[0.0] * 20)
    figure = before_after.figure("m", before, code(passes=[0.5] * 15 + [0.4] * 5))
    assert figure is not None
    assert figure.panels[0].sentence.startswith("Changed: passes 0 % to 48 %; in ")
    one = before_after.figure("m", before, code(passes=[0.0] * 19 + [1.0]))
    assert one is not None
    assert one.panels[0].sentence.startswith("No section has changed")
