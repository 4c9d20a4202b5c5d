"""What the page's first screen shows: a verdict, its tiles, and commands to repeat the winner."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number of the summary band."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a reader should know who reads nothing else."""

    verdict: str
    winner: str | None
    """Architecture of the best setting found."""
    sentence: str
    tiles: tuple[Tile, ...]
    settings: tuple[tuple[str, str], ...]
    """The winner's settings that were searched, name and value."""
    defaults: tuple[tuple[str, str], ...]
    """Its settings that every trial shared."""
    commands: tuple[tuple[str, str], ...]
    """What a command does, and the command."""
