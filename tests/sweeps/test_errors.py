"""What is asked of a name that is not known: a slip, or another tool's word for it."""

from typing import Any

import pytest

from picosweep.sweeps.errors import IN_SECTION, OTHER_NAMES, InputError, did_you_mean
from picosweep.sweeps.search.setup import check_sweep
from picosweep.sweeps.spec.hyperparameters import DataSettings, parts_of_task
from picosweep.sweeps.spec.parameters import KINDS
from picosweep.sweeps.spec.schema import Resources, Search, Spec

SPEC: dict[str, Any] = {
    "name": "x",
    "data": {"source": "pydocs"},
    "budget": {"min": 8192},
    "architectures": {"transformer": {}},
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"common": {"lr": 0.001}}, "did you mean learning_rate?"),
        ({"architectures": {"transformer": {"n_embd": 64}}}, "did you mean embed_size?"),
        ({"architectures": {"transformer": {"n-head": 4}}}, "did you mean num_heads?"),
        ({"common": {"learning_rate": {"loguniform": [1e-4, 1e-2]}}}, "did you mean log_uniform?"),
        ({"common": {"batch_size": {"values": [8, 16]}}}, "did you mean choices?"),
        ({"common": {"learning_rate": {"min": 1e-4, "max": 1e-2}}}, "{uniform: [min, max]}"),
        ({"common": {"max_epochs": 3}}, "max_epochs belongs to budget"),
        ({"learning_rate": 0.001}, "learning_rate belongs to common"),
        ({"search": {"n_trials": 9}}, "did you mean trials_per_architecture?"),
        ({"n_trials": 9}, "trials_per_architecture belongs to search"),
        ({"metric": "val_loss"}, "did you mean objectives?"),
        ({"common": {"learning_rat": 0.001}}, "did you mean learning_rate?"),
    ],
)
def test_other_tools_words_lead_to_ours(changes: dict[str, Any], told: str) -> None:
    """Where a name belongs, too, if it stands in the wrong place."""
    with pytest.raises(InputError) as error:
        check_sweep(SPEC | changes)
    assert told in str(error.value)


def test_every_name_that_is_suggested_is_one() -> None:
    """No word leads to a setting that was renamed."""
    fields: set[str] = {*KINDS, *Spec.model_fields, *Search.model_fields, *Resources.model_fields}
    for part in (*parts_of_task("preference"), DataSettings):
        fields |= set(part.__dataclass_fields__)
    fields |= {"num_layers", "num_heads", "embed_size", "hidden_size"}  # of architectures
    assert set(OTHER_NAMES.values()) <= fields
    assert {place.split(",")[0].removeprefix("an ") for place in IN_SECTION.values()} <= {
        "budget", "search", "resources", "common", "architecture's own entry", "data",
    }  # fmt: skip
    assert did_you_mean("zzzz", ["a"]) == ""
