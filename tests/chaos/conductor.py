"""Runs one sweep through many drivers' lives, with faults at random moments from a seed."""

import contextlib
import random
import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.chaos.damage import DAMAGE
from tests.chaos.disk import read_lines
from tests.chaos.driver import (
    ROOT,
    Driver,
    command,
    environment,
    kill,
    wait_for,
)
from tests.chaos.ledger import Ledger, Verdict
from tests.chaos.model import BATCH_SIZE, TRIAL_ORDERS

SILENCE_MINUTES = 0.1
MANY = 100_000
SPEC: dict[str, Any] = {
    "name": "chaos",
    "data": {"tokenizer": {"kind": "char"}, "block_size": 8},
    "budget": {"unit": "steps", "min": 8, "factor": 2, "rungs": 4, "reports_per_rung": 2},
    "evaluation": {"tokens": 256},
    "search": {"sampler": "random", "trials_per_architecture": MANY},
    "early_stopping": {"scheduler": "asha", "exempt_fraction": 0.2},
    "limits": {
        "max_failed_trials": MANY,
        "attempts": MANY,
        "minutes_without_report": SILENCE_MINUTES,
    },
    "common": {"batch_size": BATCH_SIZE},
    "architectures": {
        "mine": {
            "model": "tests.chaos.model:ObedientBigram",
            "number": {"int_uniform": [0, MANY]},
        }
    },
}
POINTS = (5, 8, 11, 16, 22, 32, 45, 64)
RUNGS = (8, 16, 32, 64)
"""The steps at which SPEC's trials report, and those at which early stopping decides."""


class Conductor:
    """Injects faults and keeps the books.

    Args:
        folder: an empty folder, or one with an empty folder `results`.
        seed: of all chance.
        fillable: whether filling the file system of `results` harms nobody else.
        tell: prints a line.
    """

    def __init__(
        self, folder: Path, *, seed: int, fillable: bool, tell: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._fillable = fillable
        self._tell = tell
        self._results = folder / "results"
        self._orders = folder / "orders"
        self._orders.mkdir()
        self._spec = folder / "spec.yaml"
        text = folder / "text.txt"
        text.write_text(
            "\n\n".join(f"{i % 7} sees {i * 5 % 11}, then {i % 3}." for i in range(999))
        )
        self._write_spec(MANY)
        self.ledger = Ledger(self._results / "chaos", POINTS, RUNGS)
        self.injected: Counter[str] = Counter()
        self.lives = 0

    def _write_spec(self, num_trials: int) -> None:
        search = {**SPEC["search"], "trials_per_architecture": num_trials}
        data = {**SPEC["data"], "source": str(self._folder / "text.txt")}
        self._spec.write_text(yaml.safe_dump(SPEC | {"search": search, "data": data}))

    def run(self, num_faults: int) -> Verdict:
        """Inject that many faults, let the sweep come to its end, and judge it."""
        deaths = self._deck(
            {"driver killed": 4, "all killed": 3, "node killed": 1, "disk full": 2, "interrupt": 1}
        )
        damages = self._deck(dict.fromkeys(DAMAGE, 2) | {"older table version": 1})
        while self.injected.total() < num_faults:
            self.lives += 1
            if self.lives > 1 and self._chance.random() < 0.2:
                self._die_young()
            else:
                self._live(next(deaths), num_faults)
            self.ledger.after_life(f"life {self.lives}")
            self._damage_some(damages, num_faults)
            self._tell(
                f"life {self.lives}: {self.injected.total()} faults so far, "
                f"{len(self.ledger.lost)} lost, {len(self.ledger.altered)} altered"
            )
        return self._finish()

    def _deck(self, cards: dict[str, int]) -> Any:
        """Kinds of fault in random order, each as often as its weight says."""
        while True:
            deck = [kind for kind, count in cards.items() for _ in range(count)]
            self._chance.shuffle(deck)
            yield from deck

    def _exists(self) -> bool:
        return any((self._results / "chaos" / "journal").glob("*.jsonl"))

    def _damage_some(self, damages: Any, num_faults: int) -> None:
        """Damage the folder, but never both copies of a row: nothing survives that."""
        done: set[str] = set()
        for _ in range(self._chance.randrange(1, 4)):
            kind = next(damages)
            both_copies = {*done, kind} >= {"journal cut off", "corrupt Parquet part"}
            if self.injected.total() < num_faults and self._exists() and not both_copies:
                self._damage(kind)
                done.add(kind)

    def _damage(self, kind: str) -> None:
        if DAMAGE[kind](self._results / "chaos", self._chance):
            self.injected[kind] += 1
            self.ledger.after_damage()

    def _start(self) -> Driver:
        for order in self._orders.iterdir():
            if order.name != "steps.log":
                order.unlink()
        output = self._folder / f"life-{self.lives}.txt"
        self.ledger.before_life()
        return Driver(self._spec, self._results, self._orders, output)

    def _die_young(self) -> None:
        """Kill a driver while it starts."""
        driver = self._start()
        time.sleep(self._chance.uniform(0.5, 12))
        kill(driver.process.pid)
        driver.wait()
        self.injected["driver killed while starting"] += 1

    def _live(self, death: str, num_faults: int) -> None:
        """Let a driver train, inject faults into its trials and workers, then end it."""
        driver = self._start()
        try:
            lines = len(read_lines(self.ledger.folder))
            wait_for(lambda: self._has_grown(lines) or not driver.alive, 120)
            if not driver.alive:
                raise self._unexpected("a driver did not come up")
            for kind in self._faults_of_a_life():
                if self.injected.total() >= num_faults - 1:
                    break
                time.sleep(self._chance.uniform(0, 0.6))
                if not driver.alive:
                    raise self._unexpected("a driver died by itself")
                self._inject(kind, driver)
            self._end(death, driver)
        finally:
            driver.end()

    def _has_grown(self, lines: int) -> bool:
        return len(read_lines(self.ledger.folder)) > lines + 10

    def _faults_of_a_life(self) -> list[str]:
        kinds = [kind for kind in TRIAL_ORDERS if kind != "hang"] * 2
        kinds += ["worker killed"] * 2
        kinds += ["hang"] * (self.lives % 2)
        kinds += ["second driver"] * (self.lives % 3 == 1)
        kinds += ["freeze"] * (self.lives % 10 == 4)
        self._chance.shuffle(kinds)
        return kinds

    def _inject(self, kind: str, driver: Driver) -> None:
        if kind == "worker killed":
            workers = driver.workers()
            happened = bool(workers) and kill(self._chance.choice(workers))
        elif kind == "second driver":
            happened = self._start_second()
        else:
            happened = self._order(kind)
        self.injected[kind] += happened

    def _order(self, kind: str) -> bool:
        """Let some trial misbehave; a silent one must be noticed."""
        silent = self._num_silent()
        order = self._orders / kind
        order.touch()
        if not wait_for(lambda: not order.exists(), 30, give_up=False):
            order.unlink(missing_ok=True)
            return False
        if kind in ("hang", "freeze"):
            wait_for(lambda: self._num_silent() > silent, 90)
        return True

    def _num_silent(self) -> int:
        rows = read_lines(self.ledger.folder)
        return sum(table == "incidents" and row["kind"] == "hung" for table, row in rows)

    def _start_second(self) -> bool:
        """Start another driver on the same sweep; it must be refused."""
        result = subprocess.run(
            command("run", self._spec, "--results", self._results),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment(self._orders),
        )
        if result.returncode != 2 or "being run by process" not in result.stderr:
            raise AssertionError(f"a second driver was not refused: {result.stderr}")
        return True

    def _end(self, death: str, driver: Driver) -> None:
        expected = -signal.SIGKILL
        match death:
            case "driver killed":
                kill(driver.process.pid)
            case "all killed":
                processes = [driver.process.pid, *(pid for pid, _ in driver.processes())]
                self._chance.shuffle(processes)
                # All at once: a driver that runs on could notice the end of Ray, and end by itself.
                driver.process.send_signal(signal.SIGSTOP)
                for pid in processes:
                    kill(pid)
            case "node killed":
                node = driver.node()
                happened = node is not None and kill(node)
                self.injected[death] += happened
                with contextlib.suppress(subprocess.TimeoutExpired):
                    driver.wait(60)
                return
            case "disk full":
                expected = 2
                with self._full_disk(driver):
                    code = driver.wait()
            case "interrupt":
                expected = 130
                driver.process.send_signal(self._chance.choice([signal.SIGINT, signal.SIGTERM]))
        code = driver.wait()
        self.injected[death] += 1
        if code != expected:
            raise self._unexpected(f"{death}: exit code {code}")

    @contextlib.contextmanager
    def _full_disk(self, driver: Driver) -> Any:
        """No room for the driver's next rows: a full file system, or else a limit on its files."""
        if not self._fillable:
            journal = max((self.ledger.folder / "journal").glob("*.jsonl"))
            limit = journal.stat().st_size + self._chance.randrange(2000)
            resource.prlimit(driver.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
            yield
            return
        ballast = self._results / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(2**16)):
                pass
        try:
            yield
        finally:
            ballast.unlink()

    def _unexpected(self, what: str) -> AssertionError:
        output = self._folder / f"life-{self.lives}.txt"
        return AssertionError(f"{what}; it said:\n{output.read_text()[-3000:]}")

    def _finish(self) -> Verdict:
        """Run what is left without a fault, for a handful of new trials."""
        self.lives += 1
        rows = read_lines(self.ledger.folder)
        num_trials = len({row["trial_id"] for table, row in rows if table == "trials"})
        self._write_spec(num_trials + 5)
        code = self._start().wait(300)
        if code != 0:
            raise self._unexpected(f"the last run ended with {code}")
        self.ledger.after_life("the last run")
        return self.ledger.verdict(self._orders / "steps.log")
