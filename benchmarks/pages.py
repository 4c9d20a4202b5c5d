"""What benchmarks write into a page of docs: a section between two marks, and on what it ran."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

PACKAGES: Final = ("picosweep", "torch", "ray", "optuna")


def surroundings() -> dict[str, Any]:
    """Return the machine and the versions that a measurement was made with."""
    return {
        "machine": {
            "processor": _processor(),
            "cores": psutil.cpu_count(),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in PACKAGES},
    }


def surroundings_sentence(content: dict[str, Any]) -> str:
    """Say what `surroundings` found."""
    machine, versions = content["machine"], content["versions"]
    named = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}; {named}."


def marks(title: str, module: str) -> tuple[str, str]:
    """Return the lines between which a section of a page stands."""
    begin = f"<!-- {title}: written by python -m benchmarks.{module} --write -->"
    return begin, f"<!-- end of {title} -->"


def replace_section(page: Path, between: tuple[str, str], lines: list[str]) -> None:
    """Write lines between the marks of a page.

    Raises:
        ValueError: the page lacks one of the marks.
    """
    begin, end = between
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    _, found_too, after = rest.partition(end)
    if not (found and found_too):
        raise ValueError(f"{page} has no section {begin} … {end}")
    section = "\n".join([begin, "", *lines, "", end])
    page.write_text(before + section + after, encoding="utf-8")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.processor()
