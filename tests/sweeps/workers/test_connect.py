"""What is said when Ray cannot be started or joined."""

import pytest
import ray

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.workers.nodes import connect


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("Timed out waiting for file node_ip_address.json"), "very busy"),
        (TimeoutError("the raylet did not answer"), "very busy"),
        (RuntimeError("Version mismatch: Ray 2.59.0"), "other versions"),
        (ConnectionError("Could not find any running Ray instance"), "no Ray cluster answers"),
    ],
)
def test_every_failure_to_connect_is_a_message(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    """With what Ray said, and what may help."""

    def fail(**_options: object) -> None:
        raise error

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(InputError, match=message) as refused:
        connect(address="198.51.100.1:6379")
    assert str(error) in str(refused.value)
