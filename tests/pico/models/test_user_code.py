"""The user's own files: which a class is made of, what their hash covers, edits in a notebook."""

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from picosweep.pico.errors import FieldError
from picosweep.pico.models.custom import refresh
from picosweep.pico.models.registry import find_architecture
from picosweep.pico.models.user_code import (
    code_hash,
    extend_search_path,
    import_class,
    own_files,
    own_roots,
)

MODEL = """
import math, statistics
from torch import nn
from {helper} import WIDTH

class Tiny(nn.Module):
    def __init__(self, vocab_size: int, block_size: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, WIDTH)
        self.head = nn.Linear(WIDTH, vocab_size)

    def forward(self, ids):
        return self.head(self.embedding(ids))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which modules are imported; afterwards as if they never had been."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__in__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_files_are_those_that_the_class_imports_from_the_users_own(folder: Path) -> None:
    """Directly, through others, relative, inside functions; nothing installed, nothing else."""
    write(
        folder,
        own_model="import json, torch\nimport own_pkg.deep.layer as la\nfrom own_pkg import side",
        own_pkg__in____init__="",
        own_pkg__in__side="from .deep import *\ndef late():\n    from ..own_pkg import lazy",
        own_pkg__in__lazy="import own_pkg.lazy",
        own_pkg__in__other="",
        own_pkg__in__deep__in____init__="from .. import missing",
        own_pkg__in__deep__in__layer="from own_far import thing",
        own_far="syntax error here",
        own_plain__in__folder__in__module="from own_plain.folder import second",
        own_plain__in__folder__in__second="",
        own_unused="",
    )
    assert set(own_files("own_model")) == {
        "own_model",
        "own_pkg",
        "own_pkg.side",
        "own_pkg.lazy",
        "own_pkg.deep",
        "own_pkg.deep.layer",
        "own_far",
    }
    expected = [folder / "own_far.py", folder / "own_model.py", folder / "own_pkg"]
    assert own_roots("own_model") == expected
    assert own_roots("own_pkg.deep.layer") == [folder / "own_far.py", folder / "own_pkg"]
    plain = "own_plain.folder."  # packages without an `__init__.py`
    assert set(own_files(f"{plain}module")) == {f"{plain}module", f"{plain}second"}
    assert own_roots(f"{plain}module") == [folder / "own_plain"]
    assert not own_files("torch.nn")
    assert not own_files("picosweep.pico.models.lstm")
    assert not own_files("no_such_module")
    assert not {"own_model", "own_pkg", "own_far", "own_plain"} & set(
        sys.modules
    )  # nothing was run


def test_hash_covers_helpers_and_is_that_of_one_file_where_there_is_one(folder: Path) -> None:
    """Trials of a class in a single file keep the hash that they always had."""
    write(folder, own_alone="from torch import nn\nclass Tiny(nn.Module):\n    pass")
    alone = (folder / "own_alone.py").read_bytes() + b"\n"
    assert code_hash("own_alone:Tiny") == hashlib.blake2b(alone, digest_size=8).hexdigest()

    write(folder, own_model=MODEL.format(helper="own_help"), own_help="WIDTH = 4")
    before = code_hash("own_model:Tiny")
    write(folder, own_help="WIDTH = 8")
    assert code_hash("own_model:Tiny") != before
    write(folder, own_help="WIDTH = 4", own_other="WIDTH = 5")
    assert code_hash("own_model:Tiny") == before


def test_an_edit_is_seen_in_the_same_process(folder: Path) -> None:
    """After an edit of the class's file or of a helper, the next sweep is one of the new code."""
    write(folder, own_model=MODEL.format(helper="own_help"), own_help="WIDTH = 4")

    def width() -> int:
        refresh("own_model:Tiny")
        found = find_architecture("own_model:Tiny")
        model = found.build(found.config_class(), 11, 6)
        return model.token_vectors().shape[1]

    assert width() == 4
    first = import_class("own_model:Tiny")
    assert width() == 4
    assert import_class("own_model:Tiny") is first  # unchanged, not imported again
    write(folder, own_help="WIDTH = 8")
    assert width() == 8
    write(
        folder,
        own_model=MODEL.format(helper="own_help")
        .replace("nn.Embedding(vocab_size, WIDTH)", "nn.Embedding(vocab_size, 6)")
        .replace("nn.Linear(WIDTH", "nn.Linear(6"),
    )
    assert width() == 6


def test_a_module_that_the_user_imported_before_the_edit(folder: Path) -> None:
    """A notebook may have imported the class long before a sweep sees it."""
    write(folder, own_model=MODEL.format(helper="own_help"), own_help="WIDTH = 4")
    stale = import_class("own_model:Tiny")
    write(folder, own_help="WIDTH = 8")
    refresh("own_model:Tiny")
    assert import_class("own_model:Tiny") is not stale
    old = (0.0, 0.0)  # not written since this process began: what was imported is what is there
    write(folder, own_still=MODEL.format(helper="own_help"))
    for name in ("own_still.py", "own_help.py"):
        os.utime(folder / name, old)
    same = import_class("own_still:Tiny")
    refresh("own_still:Tiny")
    assert import_class("own_still:Tiny") is same


def test_what_a_module_does_when_it_is_imported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may print, which is no output of ours, or end the process, which is no end of ours."""
    write(
        folder, own_prints="print('hello')\n" + MODEL.format(helper="math").replace("WIDTH", "pi")
    )
    import_class("own_prints:Tiny")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "hello\n"
    write(folder, own_ends="raise SystemExit(3)")
    with pytest.raises(FieldError, match=r"can be imported \(SystemExit: 3\)"):
        import_class("own_ends:Tiny")


def test_installed_modules_come_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is searched after all that can be imported already."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    extend_search_path([str(folder / "more"), str(folder)])
    assert sys.path[-1] == str(folder / "more")
    assert sys.path.count(str(folder)) == 1


def test_a_module_that_runs_a_sweep_when_it_is_imported(folder: Path) -> None:
    """A script without a guard would run itself from within itself, in every process."""
    write(
        folder,
        own_script="from picosweep.sweeps.search.setup import check_sweep\ncheck_sweep({})",
    )
    told = r"a sweep is run by the module whose class(.|\n)*__name__ == '__main__'"
    with pytest.raises(FieldError, match=told):
        import_class("own_script:Tiny")
