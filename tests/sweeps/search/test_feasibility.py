"""What of a space is refused, and what is only rejected."""

from dataclasses import dataclass
from typing import Any

import pytest

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.search.feasibility import Feasibility
from picosweep.sweeps.search.setup import check_sweep


@dataclass(frozen=True)
class Data:
    fingerprint: str = "data"
    tokenizer_fingerprint: str = "tokenizer"
    vocab_size: int = 64


def feasibility(architecture: str, space: dict[str, Any], *constraints: str) -> Feasibility:
    spec = {
        "name": "space",
        "data": {"source": "stdlib", "tokenizer": {"kind": "char"}},
        "budget": {"unit": "steps", "min": 4, "rungs": 1},
        "architectures": {architecture: space},
        "constraints": list(constraints),
    }
    sweep = check_sweep(spec)
    size = sweep.spec.data_config.tokenizer.vocab_size
    return sweep.with_data({size: Data()}).feasibility[architecture]


@pytest.mark.parametrize("constraints", [(), ("embed_size % num_heads == 0",)])
def test_what_settings_forbid_together_rejects_configurations_alone(
    constraints: tuple[str, ...],
) -> None:
    space = {"embed_size": {"int_uniform": [8, 64]}, "num_heads": [2, 4], "position": "learned"}
    found = feasibility("transformer", space, *constraints)
    assert (found.num_checked, found.complete) == (114, True)
    assert found.num_feasible == 29 + 15  # even ones with 2 heads, multiples of 4 with 4
    (reason,) = found.reasons
    assert "embed_size that does not fit num_heads" in reason
    assert found.reasons[reason] == 70


@pytest.mark.parametrize(
    "constraint", ["learning_rate <= 0.001 * batch_size", "0.001 * batch_size >= learning_rate"]
)
def test_a_constraint_means_the_same_in_whatever_order_it_is_written(constraint: str) -> None:
    space = {"learning_rate": {"log_uniform": [1e-4, 1e-1]}, "batch_size": [4, 64]}
    found = feasibility("kgram", space, constraint)
    assert 0 < found.num_feasible < found.num_checked
    assert found.reasons == {constraint: found.num_checked - found.num_feasible}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"grad_clip": [0.0, 1.0]}, "grad_clip: a choice that is never possible"),
        ({"context_size": {"int_uniform": [0, 4]}}, "context_size: a choice that is never"),
        ({"lora_rank": [None, 4]}, "lora_rank: a choice that is never possible"),
    ],
)
def test_what_a_range_forbids_by_itself_is_a_slip(space: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        feasibility("kgram", space)
