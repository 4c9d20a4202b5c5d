"""Who may import whom: one direction, and no module loads what its users do not need."""

import ast
import collections
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("picosweep", "analysis", "sweeps", "pico")
LOOSE = ("picosweep", "analysis", "sweeps", "pico", "pico.data")
"""Folders whose own modules are rooms of their own: they stand on different floors."""

ROOMS: Mapping[str, str] = {
    # The program
    "picosweep.cli": "pico.presets picosweep.commands picosweep.early_start "
    "picosweep.exports picosweep.model_commands picosweep.remote "
    "picosweep.serve_command picosweep.start picosweep.start_commands "
    "picosweep.study_commands picosweep.terminal sweeps.errors",
    "picosweep.terminal": "analysis.next_steps analysis.page pico.presets pico.probes "
    "picosweep.commands picosweep.trained sweeps.decisions sweeps.errors sweeps.search "
    "sweeps.spec sweeps.store",
    "picosweep.study_commands": "picosweep.studies picosweep.terminal sweeps.errors",
    "picosweep.studies": "analysis.images analysis.page analysis.report analysis.results "
    "pico.data.sources pico.presets pico.probes picosweep.commands "
    "picosweep.trained sweeps.errors sweeps.search sweeps.spec "
    "sweeps.store",
    "picosweep.remote": "picosweep.terminal pico.data.config pico.data.sources sweeps.errors "
    "sweeps.spec sweeps.store sweeps.workers",
    "picosweep.commands": "analysis.images analysis.next_steps analysis.page analysis.report "
    "analysis.results analysis.summary analysis.watch pico.training "
    "pico.trial picosweep.exports sweeps.asking sweeps.data "
    "sweeps.data_in_words sweeps.decisions sweeps.errors "
    "sweeps.initial_weights sweeps.pairs sweeps.search sweeps.spec "
    "sweeps.store sweeps.workers",
    "picosweep.trained": "analysis.asked analysis.page pico.data.prepared pico.data.tokenizers "
    "pico.evaluation pico.models pico.probes pico.sandbox pico.weights sweeps.asking sweeps.data "
    "sweeps.errors sweeps.search sweeps.spec sweeps.store",
    "picosweep.exports": "pico.optional_libraries sweeps.errors sweeps.search sweeps.spec "
    "sweeps.store",
    # What it means: of a sweep, the tables alone
    "analysis.images": "analysis.page analysis.report analysis.results",
    "analysis.next_steps": "analysis.answer analysis.page analysis.results analysis.shapes "
    "analysis.statistics analysis.stopping",
    "analysis.summary": "analysis.answer analysis.report analysis.results",
    "analysis.watch": "analysis.report analysis.results",
    "analysis.report": "analysis.answer analysis.chapters analysis.page analysis.results "
    "sweeps.store",
    "analysis.chapters": "analysis.answer analysis.asked analysis.curves analysis.equal_cost "
    "analysis.fronts analysis.page analysis.preference analysis.results analysis.shapes "
    "analysis.stopping analysis.trials analysis.what_mattered",
    "analysis.answer": "analysis.page analysis.results analysis.statistics sweeps.store",
    "analysis.curves": "analysis.page analysis.results analysis.statistics",
    "analysis.equal_cost": "analysis.page analysis.results analysis.statistics",
    "analysis.fronts": "analysis.page analysis.results analysis.statistics sweeps.store",
    "analysis.shapes": "analysis.page analysis.results analysis.statistics",
    "analysis.stopping": "analysis.page analysis.results",
    "analysis.trials": "analysis.page analysis.results pico.evaluation sweeps.store",
    "analysis.what_mattered": "analysis.page analysis.results analysis.statistics sweeps.store",
    "analysis.statistics": "analysis.page analysis.results",
    "analysis.results": "analysis.asked analysis.settings sweeps.store",
    "analysis.settings": "sweeps.store",
    "analysis.page": "sweeps.store",
    # Decides, remembers, hands out
    "sweeps.workers": "pico.data.prepared pico.models pico.probes pico.training "
    "pico.training_config pico.trial pico.weights sweeps.asking sweeps.data sweeps.decisions "
    "sweeps.errors sweeps.search sweeps.spec sweeps.store",
    "sweeps.decisions": "sweeps.asking sweeps.search sweeps.spec sweeps.store",
    "sweeps.asking": "pico.data.prepared pico.data.tokenizers pico.evaluation pico.models "
    "pico.probes pico.sandbox pico.weights sweeps.errors sweeps.spec sweeps.store",
    "sweeps.data": "pico.data.config pico.data.pairs pico.data.preparation "
    "pico.data.prepared pico.data.sources pico.data.tokenizer_quality "
    "sweeps.errors sweeps.search sweeps.spec sweeps.store",
    "sweeps.pairs": "pico.data.prepared pico.preference_config pico.tasks sweeps.data "
    "sweeps.errors sweeps.search sweeps.spec",
    "sweeps.initial_weights": "pico.trial pico.weights sweeps.errors sweeps.spec sweeps.store",
    "sweeps.search": "pico.facts pico.models pico.preference_config pico.training "
    "pico.training_config pico.trial pico.weights sweeps.errors "
    "sweeps.spec sweeps.store",
    "sweeps.spec": "pico.data.config pico.evaluation pico.facts pico.field_checks pico.models "
    "pico.preference_config pico.presets pico.probes pico.training_config pico.value_types "
    "sweeps.errors sweeps.store",
    "sweeps.store": "sweeps.errors sweeps.store.schema",
    "sweeps.store.schema": "",
    "sweeps.errors": "",
    # Trains one model
    "pico.training": "pico.data.prepared pico.facts pico.models pico.tasks "
    "pico.training_config pico.trial pico.weights",
    "pico.weights": "pico.facts pico.field_checks pico.models pico.trial",
    "pico.tasks": "pico.data.batching pico.data.prepared pico.models pico.models.layers "
    "pico.preference_config pico.training_config pico.trial pico.weights",
    "pico.evaluation": "pico.data.batching pico.data.prepared pico.data.tokenizer_quality "
    "pico.data.tokenizers pico.models pico.probes pico.sandbox pico.tasks pico.weights",
    "pico.probes": "pico.data.prepared pico.data.tokenizers pico.field_checks pico.models "
    "pico.models.layers",
    "pico.trial": "pico.field_checks pico.models pico.preference_config pico.training_config "
    "pico.value_types",
    "pico.facts": "pico.models pico.preference_config",
    "pico.presets": "pico.models",
    "pico.models": "pico.field_checks pico.models.layers pico.training_config pico.value_types",
    "pico.models.layers": "",
    "pico.preference_config": "pico.field_checks",
    "pico.training_config": "pico.field_checks",
    "pico.data.preparation": "pico.data.config pico.data.prepared pico.data.sources "
    "pico.data.tokenizers",
    "pico.data.tokenizer_quality": "pico.data.prepared pico.data.tokenizers",
    "pico.data.batching": "pico.data.prepared",
    "pico.data.prepared": "pico.data.sources pico.data.tokenizers",
    "pico.data.tokenizers": "pico.data.config pico.data.sources",
    "pico.data.sources": "pico.data.config pico.optional_libraries",
    "pico.data.config": "pico.field_checks",
    "pico.field_checks": "",
    "pico.errors": "",
    "pico.targets": "",
    "pico.sandbox": "",
    "picosweep.model_commands": "analysis.asked analysis.page picosweep.terminal picosweep.trained",
    "analysis.asked": "analysis.page pico.evaluation sweeps.store",
    "analysis.preference": "analysis.page analysis.results analysis.trials pico.evaluation "
    "sweeps.store",
    "pico.data.pairs": "pico.data.prepared pico.data.sources pico.data.tokenizers",
    "pico.optional_libraries": "",
    "pico.value_types": "",
    "picosweep.start": "pico.data.config pico.data.sources pico.data.tokenizers "
    "sweeps.errors sweeps.spec sweeps.store sweeps.workers",
    "picosweep.start_commands": "picosweep.start picosweep.terminal",
    "picosweep.studies.models": "pico.models",
    "sweeps.data_in_words": "pico.data.config pico.data.prepared pico.data.sources sweeps.data "
    "sweeps.search",
    "picosweep.charts": "analysis.answer analysis.curves analysis.equal_cost "
    "analysis.fronts analysis.page analysis.preference analysis.results "
    "analysis.shapes analysis.stopping analysis.what_mattered",
    "picosweep.from_python": "picosweep.commands picosweep.terminal",
    "picosweep.early_start": "sweeps.spec sweeps.workers",
    "picosweep.serve_command": "picosweep.service picosweep.terminal",
    "picosweep.service": "analysis.page pico.data.sources picosweep.commands "
    "picosweep.service.queue picosweep.start picosweep.trained "
    "sweeps.errors sweeps.search sweeps.spec sweeps.store",
    "picosweep.service.queue": "sweeps.errors sweeps.store",
    "picosweep.attempt_driver": "picosweep.cli picosweep.early_start picosweep.service.queue "
    "sweeps.store",
}
"""Every room (a folder, or a loose module) and the rooms that it may import beside the ground."""

GROUND = {"pico.errors", "pico.targets"}
"""What every room stands on."""

LIBRARIES: Mapping[str, frozenset[str]] = {
    "pico": frozenset({"ray", "polars", "altair", "optuna", "rich", "typer"}),
    "sweeps": frozenset({"polars", "altair", "rich", "typer"}),
    "analysis": frozenset({"ray", "torch", "rich", "typer"}),
    "picosweep.commands": frozenset({"ray", "rich", "typer"}),
    "picosweep.trained": frozenset({"ray", "rich", "typer", "altair"}),
    "picosweep.exports": frozenset({"ray", "rich", "typer"}),
    "picosweep.service": frozenset({"ray", "torch", "polars", "altair", "rich", "typer"}),
}
"""Libraries that a part never imports, not even late."""

HEAVY = ("ray", "torch", "optuna", "polars", "altair", "pandas", "scipy", "sklearn")


def _modules() -> dict[str, Path]:
    """Every module that is installed, by its name below `picosweep`."""
    found = {}
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            relative = path.relative_to(ROOT)
            if path.name != "__init__.py" and not any(
                (ROOT / parent).is_symlink() for parent in relative.parents
            ):
                found[".".join(relative.with_suffix("").parts)] = path
    return found


MODULES = _modules()


def _room(module: str) -> str:
    folder = module.rpartition(".")[0]
    return module if folder in LOOSE else folder


def _imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own_imports(path: Path) -> set[str]:
    """The modules of ours that a module imports."""
    found = set()
    for name in _imports(path):
        if name.startswith("picosweep."):
            # `picosweep.sweeps.x` is a module of `sweeps`; `picosweep.cli.main` a name in one.
            for full in (name, name.rpartition(".")[0]):
                short = full.removeprefix("picosweep.")
                found |= {one for one in (short, full) if one in MODULES}
    return found


ARROWS = {name: _own_imports(path) for name, path in MODULES.items()}


def test_every_room_imports_what_it_may() -> None:
    """The table of rooms is the truth: neither an arrow more, nor a room that it does not know."""
    arrows: dict[str, set[str]] = {_room(name): set() for name in MODULES}
    for name, imported in ARROWS.items():
        arrows[_room(name)] |= {_room(one) for one in imported} - {_room(name)} - GROUND
    assert arrows == {room: set(allowed.split()) for room, allowed in ROOMS.items()}


def test_rooms_and_modules_form_no_circle() -> None:
    """Every floor stands on lower ones, and no two modules need each other."""
    for graph in ({room: set(a.split()) for room, a in ROOMS.items()}, ARROWS):
        left = dict(graph)
        while left:
            on_the_ground = {name for name, below in left.items() if not below & left.keys()}
            assert on_the_ground, f"a circle among {sorted(left)}"
            left = {name: below for name, below in left.items() if name not in on_the_ground}


def test_no_folder_is_a_corridor() -> None:
    """At most 15 modules stand side by side."""
    sizes = collections.Counter(name.rpartition(".")[0] for name in MODULES)
    assert max(sizes.values()) <= 15, sizes.most_common(3)


def test_every_folder_says_what_it_is_for() -> None:
    """Its `__init__.py` begins with one sentence, and holds no logic."""
    for folder in {path.parent for path in MODULES.values()}:
        tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
        said = ast.get_docstring(tree)
        assert (said or "").partition("\n")[0].endswith("."), folder
        for node in tree.body:
            is_guard = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
            plain = (ast.Expr, ast.Import, ast.Assign)
            assert is_guard or isinstance(node, plain), (folder, ast.unparse(node))


@pytest.mark.parametrize("part", sorted(LIBRARIES))
def test_parts_do_without_libraries(part: str) -> None:
    """`pico` knows no Ray, `analysis` no Torch, and only the terminal knows Rich."""
    for name, path in MODULES.items():
        if name.startswith(f"{part}."):
            libraries = {one.partition(".")[0] for one in _imports(path)}
            assert not libraries & LIBRARIES[part], name


def test_one_module_joins_ray_and_training() -> None:
    """Ray and pico's training meet in the actor, and Ray's private names stand in one module."""
    joined, private = [], []
    for name, path in MODULES.items():
        imported = list(_imports(path))
        if any(one.partition(".")[0] == "ray" for one in imported):
            joined += [name] if "pico.training.train" in ARROWS[name] else []
            private += [name for one in imported if one.startswith("ray.") and "._" in one]
    assert joined == ["sweeps.workers.actor"]
    assert set(private) == {"sweeps.workers.ray_private"}


def test_benchmarks_and_tests_do_not_import_each_other() -> None:
    """What both need is part of the package."""
    for folder, other in (("benchmarks", "tests"), ("tests", "benchmarks")):
        for path in (ROOT / folder).rglob("*.py"):
            assert not any(one.partition(".")[0] == other for one in _imports(path)), path


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("picosweep", (*HEAVY, "pyarrow", "pydantic")),
        ("picosweep.cli", (*HEAVY, "pyarrow", "pydantic")),
        *((f"picosweep.commands.{name}", HEAVY) for name in ("status", "stop", "logs")),
        ("picosweep.commands.tokenizer", HEAVY),
        ("picosweep.terminal.tables", HEAVY),
        ("picosweep.service.pages", HEAVY),
        ("picosweep.service.server", HEAVY),
        ("picosweep.commands.plan", ("ray", "polars", "altair", "pandas")),
        ("picosweep.commands.replay", ("ray", "polars", "altair", "pandas")),
        ("picosweep.trained.generate", ("ray", "optuna", "polars", "altair", "pandas")),
        ("picosweep.commands.run", ("ray", "polars", "altair", "pandas")),
        ("picosweep.sweeps.decisions.coordinator", ("ray", "polars")),
        ("picosweep.sweeps.workers.simulated", ("ray", "polars")),
        ("picosweep.sweeps.store.tables", (*HEAVY, "pydantic")),
        ("picosweep.analysis.report", ("ray", "torch", "optuna")),
        ("picosweep.pico.training.train", ("ray", "polars", "altair", "optuna", "pandas")),
    ],
)
def test_importing_loads_no_more_than_is_needed(module: str, absent: tuple[str, ...]) -> None:
    """What an import really loads, in a process of its own."""
    code = f"import {module}, sys; print([n for n in {absent!r} if n in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["--help", "status", "run --help"])
def test_commands_that_only_look_load_nothing_heavy(command: str, tmp_path: Path) -> None:
    """From the first import to the last line that is printed."""
    code = (
        "import sys, picosweep.cli\n"
        f"sys.argv = ['picosweep', *{command.split()!r}]\n"
        "assert picosweep.cli.command_line() == (0, False)\n"
        f"print([n for n in {HEAVY!r} if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stdout.splitlines()[-1] == "[]"
