"""What travels from an actor to the driver."""

from picosweep.sweeps.workers.work import Delivery


def test_a_checkpoint_is_never_formatted() -> None:
    """Tune puts every result into a debug message, made even when nobody reads it."""
    delivery = Delivery(metrics={"step": 1}, checkpoint=b"weights" * 100)
    assert "weights" not in repr(delivery)
    assert "step" in repr(delivery)
