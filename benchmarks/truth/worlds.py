"""Sweeps whose truth is known: response surfaces, and the searches that are run over them.

A surface: `loss = 3 + base of the architecture + .1 · setting + noise of the seed + 1 / step`.
The setting's part is a parabola over log learning rate where that has an effect, and, for each
configuration, a draw that no searched hyperparameter explains. `weight_decay` and `embed_size` do
nothing. Noise has a standard deviation of .01 unless said otherwise. The last term is the same for
all, so rungs are perfect, unless they are said to mislead.
"""

import hashlib
import math
import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from picosweep.analysis.results import Results, load
from picosweep.sweeps.search.candidates import Candidate
from picosweep.sweeps.store.atomic_write import write_json
from picosweep.sweeps.workers.simulated import (
    Loss,
    SimulatedRunner,
    SimulatedTrial,
    simulated_sweep,
)

FLOOR: Final = 3.0
SPREAD: Final = 0.1
UNEXPLAINED: Final = 0.3
NOISE: Final = 0.01
LAST_STEP: Final = 81


@dataclass(frozen=True, kw_only=True)
class World:
    """A surface, and the sweeps that search it."""

    name: str
    base: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys("abcd", 0.0))
    """What each architecture's loss has more than the others'."""
    noise: Mapping[str, float] = field(default_factory=dict)
    """Deviation over seeds of an architecture, where it is another one than `NOISE`."""
    trials: int = 9
    seeds: int = 2
    sampler: str = "random"
    top: int = 1
    effect: float = 1.0
    """How far the learning rate moves the loss; 0: no setting does anything."""
    misled: float = 0.0
    """Deviation of what a trial's loss has more before the end than it will have there."""
    exempt: float = 0.1
    """Share of the trials that early stopping may not touch."""

    def spec(self, name: str, search_seed: int) -> dict[str, Any]:
        """Return the content of a spec that searches this world."""
        space = {"model": "kgram", "embed_size": [8, 16, 32], "hidden_size": 16}
        return {
            "name": name,
            "data": {"source": "stdlib", "block_size": 16},
            "budget": {"unit": "steps", "min": 9, "factor": 3, "rungs": 3, "reports_per_rung": 1},
            "search": {
                "trials_per_architecture": self.trials,
                "startup_trials": min(5, self.trials),
                "sampler": self.sampler,
                "seed": search_seed,
            },
            "early_stopping": {"exempt_fraction": self.exempt},
            "confirm": {"top": self.top, "seeds": self.seeds},
            "common": {
                "learning_rate": {"log_uniform": [1e-3, 1e-1]},
                "weight_decay": {"uniform": [0.0, 0.2]},
                "batch_size": 4,
            },
            "architectures": dict.fromkeys(self.base, space),
        }

    def truth(self, architecture: str, trial: Mapping[str, Any], salt: str) -> float:
        """Return the mean loss over all seeds of a setting, at the last step."""
        rate = trial["learning_rate"]
        parabola = self.effect * (math.log10(rate) + 2) ** 2
        unexplained = _normal(f"{salt} {architecture} {rate!r}")
        setting = SPREAD * (parabola + UNEXPLAINED * unexplained)
        return FLOOR + self.base[architecture] + setting + 1 / LAST_STEP

    def loss(self, surface: str, seeds: str) -> Loss:
        """Return the loss of a trial at a step.

        Args:
            surface: which draw of the surface.
            seeds: which draw of the noise over fresh seeds; searched trials keep theirs.
        """

        def loss(candidate: Candidate, step: int) -> float:
            name = candidate.architecture
            rate = {"learning_rate": candidate.trial.training.learning_rate}
            salt = seeds if candidate.trial.seed else surface
            noise = self.noise.get(name, NOISE) * _normal(f"{salt} {candidate.config}")
            if step < LAST_STEP:
                noise += self.misled * _normal(f"{surface} early {candidate.config}")
            return self.truth(name, rate, surface) + noise + 1 / step - 1 / LAST_STEP

        return loss


def _normal(key: str) -> float:
    return random.Random(hashlib.sha256(key.encode()).digest()).gauss(0, 1)


def run_search(folder: Path, world: World, number: int, search: int, loss: Loss) -> Path:
    """Simulate one search of a world; return the sweep's folder."""
    spec = world.spec(f"search{search}", 1000 * search + number)
    coordinator, store = simulated_sweep(folder, spec)
    write_json(store.files.spec, spec)  # the report asks which trials were drawn at random
    SimulatedRunner(loss, seed=number).run(coordinator, SimulatedTrial.of, lambda: None)
    store.seal()
    store.close()
    return folder / str(spec["name"])


def sweep(world: World, number: int, *, seeds: int = 0, search: int = 0) -> Results:
    """Return the tables of one simulated sweep.

    Args:
        world: what is searched.
        number: which draw of the surface.
        seeds: which draw of the noise over fresh seeds.
        search: which search: another one draws other configurations, and other noise.
    """
    surface = f"{world.name} {number} {search}"
    loss = world.loss(surface, f"{surface} {seeds}")
    with tempfile.TemporaryDirectory() as folder:
        return load(run_search(Path(folder), world, number, search, loss))
