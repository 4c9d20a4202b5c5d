"""What the report says of `precision: auto`."""

from dataclasses import replace

import pytest

from picosweep.analysis.results import Results
from picosweep.analysis.trials.number_formats import figure, formats_sentence, formats_table
from tests.analysis.handmade import FORMATS

MEASURED = {
    "demo": {
        "transformer": FORMATS,
        "lstm": [{"num_params": 9, "tokens": 4, "taken": "fp32", "seconds": {}}],
        "kgram": "bf16",
    }
}


def test_measured_formats_are_told_with_their_ratios() -> None:
    """What could not be measured has no ratio; what an earlier version kept has no row."""
    table = formats_table(MEASURED)
    assert table.select("architecture", "quicker", "taken").rows() == [
        ("lstm", None, "fp32"),
        ("transformer", 0.5, "fp32"),
        ("transformer", pytest.approx(3.0), "bf16"),
    ]
    assert formats_sentence(table) == (
        "Of 1 measured lstm configuration, 1 took fp32. "
        "Of 2 measured transformer configurations, 1 took fp32 and 1 took bf16; a step in bf16 is "
        "0.50 to 3.0 times as fast as one in fp32. Every trial takes the format of the nearest one."
    )


def test_a_sweep_that_measured_nothing_has_no_such_figure(results: Results) -> None:
    """Most sweeps name their format."""
    assert figure(results) is not None
    assert figure(replace(results, formats={})) is None
