"""Who may import whom: the packages stay usable without each other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "pico": {"ray", "polars", "altair", "sweeps", "analysis", "optuna"},
    "analysis": {"ray", "torch", "pico"},
}


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {_package(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(_package(node.module))
    return names


def _package(module: str) -> str:
    return module.removeprefix("picosweep.").partition(".")[0]


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_packages_do_not_import_what_they_must_not(package: str) -> None:
    """pico works without the sweep's engine and analysis without Ray and Torch."""
    for path in (ROOT / package).rglob("*.py"):
        assert not _imports(path) & FORBIDDEN[package], path


def test_one_module_joins_ray_and_training() -> None:
    """Ray and pico's training meet in `sweeps/workers/actor.py` and nowhere else."""
    joined = [
        path.name
        for path in (ROOT / "sweeps").rglob("*.py")
        if "ray" in _imports(path) and "training.train import" in path.read_text(encoding="utf-8")
    ]
    assert joined == ["actor.py"]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("picosweep.sweeps.store.tables", ("ray", "torch", "polars")),
        ("picosweep.analysis.report", ("ray", "torch")),
        ("picosweep.pico.training.train", ("ray", "polars", "altair", "optuna")),
        ("picosweep.cli", ("ray", "torch", "polars", "altair", "optuna")),
    ],
)
def test_importing_does_not_drag_others_along(module: str, absent: tuple[str, ...]) -> None:
    """What an import really loads, in a process of its own."""
    code = f"import {module}, sys; print([n for n in {absent!r} if n in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


def test_package_inits_are_empty_but_for_a_registry() -> None:
    """`__init__.py` holds no logic: nothing, or a table of names."""
    for package in ("pico", "pico/models", "pico/data", "sweeps", "sweeps/specs", "analysis"):
        body = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")).body
        for node in body:
            allowed = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign, ast.AnnAssign)
            is_lazy = isinstance(node, ast.FunctionDef) and node.name in ("__getattr__", "__dir__")
            for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            assert isinstance(node, allowed) or is_lazy or for_types, (package, ast.unparse(node))
