"""What is seen of a running sweep: on a small terminal, on a large one, and in a log."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from picosweep.terminal.console import PlainConsole
from picosweep.terminal.live import SAFE, LiveView
from picosweep.terminal.progress import BARS, render, sparkline
from tests.sweeps.simulation import SPEC, Simulation, spec_with

NAMES = ("linear_transformer", "transformer_rotary")
KGRAM = SPEC["architectures"]["kgram"]


@pytest.fixture
def simulation(simulate: Callable[..., Simulation], tmp_path: Path) -> Simulation:
    """A sweep with long names, of which a part has run."""
    spec = spec_with(architectures={name: {"model": "kgram", **KGRAM} for name in NAMES})
    found = simulate(tmp_path, spec=spec, diverging=0.6)
    found.run(events=30)
    return found


def drawn(simulation: Simulation, width: int) -> list[str]:
    """The lines of the view at some width."""
    console = PlainConsole(file=io.StringIO(), width=width, height=24, force_terminal=True,
                           no_color=True, record=True)  # fmt: skip
    console.print(render(simulation.coordinator, 2, 90.0, width))
    return console.export_text().splitlines()


def test_nothing_is_cut_off_at_80_columns(simulation: Simulation) -> None:
    """Names in full, done and stopped apart, the best with its trial, its rungs and its curve."""
    lines = drawn(simulation, 80)
    text = "\n".join(lines)
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert "…" not in text
    trials = list(simulation.coordinator.trials)
    for name in NAMES:
        (row,) = [line.split() for line in lines if line.startswith(name)]
        own = [trial.row for trial in trials if trial.row["architecture"] == name]
        statuses = [one["status"] for one in own]
        assert row[2:4] == [str(statuses.count(one)) for one in ("completed", "stopped")]
        measured = [one for one in own if one["rung"] is not None and one["val_loss"] > 0]
        best = min(measured, key=lambda one: (-one["rung"], one["val_loss"]))
        assert best["trial_id"][:8] in row
    assert "tokens/s" in text
    assert "of 2 slots" in text
    assert "1 min 30 s gone" in text


def test_what_did_not_happen_has_no_column(
    simulate: Callable[..., Simulation], tmp_path: Path, simulation: Simulation
) -> None:
    """A column of zeros says nothing; the first that is not one comes with its name."""
    calm = simulate(tmp_path / "calm")
    calm.run(events=10)
    assert "diverged" not in "\n".join(drawn(calm, 80))
    assert any(set(line.split()[-1]) <= set(BARS) for line in drawn(calm, 80) if line.strip())
    assert "diverged" in "\n".join(drawn(simulation, 80))
    assert "failed" not in "\n".join(drawn(simulation, 80))


def test_a_wide_terminal_is_used(simulation: Simulation) -> None:
    wide = "\n".join(drawn(simulation, 120))
    best = [trial.trial_id for trial in simulation.coordinator.trials if trial.trial_id in wide]
    assert len(best) == len(NAMES)


def test_the_time_left_shrinks_to_the_reports(simulation: Simulation) -> None:
    assert "left" in "\n".join(drawn(simulation, 80))
    assert simulation.run()
    assert "about 6 s left" in "\n".join(drawn(simulation, 80))


def test_without_a_terminal_it_is_a_line_at_each_new_best(
    simulate: Callable[..., Simulation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one a minute; each phase once."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    out = io.StringIO()
    simulation = simulate(tmp_path)
    with LiveView(PlainConsole(file=out, width=80)) as view:
        view.say("preparing the data: reading 10%")
        view.say("preparing the data: reading 90%")
        for _ in range(60):
            simulation.run(events=1)
            view.beat(simulation.coordinator, 2)
            view.beat(simulation.coordinator, 2)
            now[0] += 5.0
    lines = out.getvalue().splitlines()
    assert lines[0] == "preparing the data"
    assert sum(SAFE in line for line in lines) == 1
    assert sum("tokens/s" in line for line in lines) == 4
    best = [line for line in lines if ": best val_loss" in line]
    assert best
    assert len(set(best)) == len(best) < 30
    values = [float(line.split()[-6].rstrip(",")) for line in best]
    rungs = [int(line.split()[-1]) for line in best]
    assert all(later < earlier or up > down for earlier, later, down, up in zip(
        values, values[1:], rungs, rungs[1:], strict=False))  # fmt: skip


def test_a_curve_is_drawn_in_few_columns() -> None:
    assert sparkline([3.0, 2.0, 1.0], 8) == "█▅▁"
    assert sparkline([2.0, 2.0], 8) == "▁▁"
    assert sparkline([float("nan")], 8) == ""
    assert len(sparkline(list(range(50)), 8)) == 8
