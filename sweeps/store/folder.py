"""What lies where in a sweep's folder: every file name, once.

```
results/<sweep>/
  trials/ reports/ decisions/ samples/ incidents/    Parquet tables, part by part
  evaluations/ probes_*/                             the same, where the spec asks for them
  journal/          the truth that they are made from
  checkpoints/      <trial_id>/<step>-<crc>.safetensors
  logs/             a file for each run of the command
  report.html
  spec.json         the resolved spec, and what all its trials share
  environment.json  versions, hardware, commit
  data.json         what is known of the data and its tokenizers
  sessions.json     each run of the command: how it ended, how busy it was
  precision.json    what `precision: auto` means, by architecture
  tokenizer.json    the first tokenizer; others are tokenizer-<fingerprint>.json
  export/           the sweep in other tools' formats
```

It imports nothing but the standard library.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

JOURNAL: Final = "journal"
CHECKPOINTS: Final = "checkpoints"

OF_ITS_DRIVER: Final = frozenset({".lock", "now.json", "requests"})
"""Names that mean something on the driver's machine alone: they are never copied elsewhere."""


def cache_folder() -> Path:
    """Return the folder of this user's caches (in `XDG_CACHE_HOME`, else `~/.cache`)."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "picosweep"


def prepared_data_folder(results: Path) -> Path:
    """Return the folder of the prepared data that the sweeps of a results folder share."""
    return results / ".cache" / "data"


@dataclass(frozen=True)
class SweepFolder:
    """The files of one sweep."""

    path: Path

    @property
    def is_sweep(self) -> bool:
        """Whether a sweep lies here."""
        return self.table("trials").is_dir() or self.journal.is_dir()

    def table(self, name: str) -> Path:
        """Return the folder of a result table's parts."""
        return self.path / name

    @property
    def part_checksums(self) -> Path:
        """Checksums of the tables' parts, and up to where the journal was sealed into them."""
        return self.path / ".parts.json"

    @property
    def journal(self) -> Path:
        """The folder of the journal's segments."""
        return self.path / JOURNAL

    def checkpoints(self, trial_id: str = "") -> Path:
        """Return the folder of a trial's checkpoints, or of all of them."""
        return self.path / CHECKPOINTS / trial_id

    @property
    def logs(self) -> Path:
        """The folder of the log files."""
        return self.path / "logs"

    @property
    def lock(self) -> Path:
        """The file that a running driver holds locked, with its name in it."""
        return self.path / ".lock"

    @property
    def now(self) -> Path:
        """Slots and trials of a running driver, as it wrote them last."""
        return self.path / "now.json"

    @property
    def requests(self) -> Path:
        """The folder in which other terminals ask a running driver for something."""
        return self.path / "requests"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def spec(self) -> Path:
        """The resolved spec, and under `comparable` what all trials of the folder share."""
        return self.path / "spec.json"

    @property
    def environment(self) -> Path:
        """Versions, hardware and commit of the last run."""
        return self.path / "environment.json"

    @property
    def data(self) -> Path:
        """What is known of the data and its tokenizers."""
        return self.path / "data.json"

    @property
    def sessions(self) -> Path:
        """List with an entry for each run of the command."""
        return self.path / "sessions.json"

    @property
    def precision(self) -> Path:
        """What `precision: auto` means, by architecture."""
        return self.path / "precision.json"

    def tokenizer(self, fingerprint: str | None = None) -> Path:
        """Return the file of the sweep's first tokenizer, or of another by its fingerprint."""
        return self.path / ("tokenizer.json" if fingerprint is None else _other(fingerprint))

    def export(self, format_name: str) -> Path:
        """Return the folder of the sweep in another tool's format."""
        return self.path / "export" / format_name


def _other(fingerprint: str) -> str:
    return f"tokenizer-{fingerprint}.json"


def read_json(path: Path) -> Any:
    """Read one of the JSON files; return None where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
