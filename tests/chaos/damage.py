"""Damage to a sweep's folder while no driver holds it."""

import json
import random
import shutil
import subprocess
import zlib
from pathlib import Path

import yaml

from tests.chaos.disk import TERMINAL, read_disk
from tests.chaos.driver import ROOT, command, environment


def tear_journal(folder: Path, chance: random.Random) -> bool:
    """Leave a half-written line at the journal's end, as a power cut would."""
    segment = max((folder / "journal").glob("*.jsonl"))
    last = segment.read_bytes().splitlines(keepends=True)[-1]
    with segment.open("ab") as file:
        file.write(last[: chance.randrange(1, len(last) - 1)])
    return True


def cut_journal(folder: Path, chance: random.Random) -> bool:
    """Cut the journal off at any byte: within its last lines, or anywhere."""
    segment = max((folder / "journal").glob("*.jsonl"))
    content = segment.read_bytes()
    lines = content.splitlines(keepends=True)
    recent = len(content) - sum(map(len, lines[-3:]))
    first = recent if chance.random() < 0.5 else len(content) // 3
    segment.write_bytes(content[: chance.randrange(first, len(content))])
    return True


def corrupt_part(folder: Path, chance: random.Random) -> bool:
    """Flip bytes in a Parquet part."""
    parts = sorted(folder.glob("*/part-*.parquet"))
    return bool(parts) and _flip(chance.choice(parts), chance)


def corrupt_checkpoint(folder: Path, chance: random.Random) -> bool:
    """Flip bytes in the checkpoint from which a trial would go on."""
    trials = read_disk(folder).trials
    checkpoints = [
        path
        for path in sorted(folder.glob("checkpoints/*/*.safetensors"))
        if path.parent.name in trials and trials[path.parent.name]["status"] not in TERMINAL
    ]
    if not checkpoints:
        return False
    return _flip(chance.choice(checkpoints), chance)


def age_tables(folder: Path, chance: random.Random) -> bool:
    """Present a folder of an older version to the command; whether it was refused clearly."""
    old = folder.parent / "old"
    shutil.rmtree(old, ignore_errors=True)
    (old / "journal").mkdir(parents=True)
    body = json.dumps([["format", {"table_version": 0}]]).encode()
    (old / "journal" / "000000.jsonl").write_bytes(b"%08x %s\n" % (zlib.crc32(body), body))
    spec = folder.parent.parent / "old.yaml"
    content = yaml.safe_load((folder.parent.parent / "spec.yaml").read_text())
    spec.write_text(yaml.safe_dump(content | {"name": "old"}))
    result = subprocess.run(
        command("run", spec, "--results", folder.parent),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment(folder),
    )
    shutil.rmtree(old)
    refused = result.returncode == 2 and "another version" in result.stdout + result.stderr
    if not refused:
        raise AssertionError(result.stdout + result.stderr)
    return True


def _flip(path: Path, chance: random.Random) -> bool:
    content = bytearray(path.read_bytes())
    if not content:
        return False
    for _ in range(4):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return True


DAMAGE = {
    "torn journal line": tear_journal,
    "journal cut off": cut_journal,
    "corrupt Parquet part": corrupt_part,
    "corrupt checkpoint": corrupt_checkpoint,
    "older table version": age_tables,
}
