"""Which specs are taken from the network."""

from pathlib import Path

import pytest

from picosweep.service.untrusted import Allowed, check_submitted, check_text
from picosweep.sweeps.errors import InputError

BASE = """
name: mine
data: {source: SOURCE, tokenizer: {kind: char}}
budget: {unit: steps, min: 10, rungs: 1}
architectures: {a: {model: MODEL}}
"""


def _check(tmp_path: Path, text: str, allowed: Allowed) -> str:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    return check_submitted(path, allowed)


def _spec(source: str = "pydocs", model: str = "kgram", more: str = "") -> str:
    return BASE.replace("SOURCE", source).replace("MODEL", model) + more


def test_a_spec_without_code_and_files_is_taken(tmp_path: Path) -> None:
    """Prompts are texts, whatever they look like."""
    text = _spec(more="samples: {prompts: ['/etc/passwd is', '../']}\n")
    assert _check(tmp_path, text, Allowed()) == "mine"
    assert _check(tmp_path, _spec("numbers:walk", "lstm"), Allowed()) == "mine"


@pytest.mark.parametrize("model", ["my_package.mine:Model", "os:system", "a.b"])
def test_code_is_refused_unless_it_is_allowed(tmp_path: Path, model: str) -> None:
    """An import path runs what it names."""
    with pytest.raises(InputError, match="does not import classes"):
        _check(tmp_path, _spec(model=f"'{model}'"), Allowed())
    if ":" in model:
        assert _check(tmp_path, _spec(model=f"'{model}'"), Allowed(code=True)) == "mine"


@pytest.mark.parametrize(
    "source", ["/etc/passwd", "../secrets.txt", "~/.ssh/id_rsa", "a/b.txt", "{/etc/passwd: 1}"]
)
def test_files_are_refused_unless_their_folder_is_allowed(tmp_path: Path, source: str) -> None:
    """A path, a mixture's too, leads nowhere by itself."""
    with pytest.raises(InputError, match="reads files only from"):
        _check(tmp_path, _spec(source), Allowed())


def test_an_allowed_folder_ends_where_it_ends(tmp_path: Path) -> None:
    """Neither dots nor links lead out of it."""
    inside = tmp_path / "texts"
    inside.mkdir()
    (inside / "a.txt").write_text("text")
    (inside / "out").symlink_to("/etc")
    allowed = Allowed(folders=(inside,))
    assert _check(tmp_path, _spec(str(inside / "a.txt")), allowed) == "mine"
    for path in (inside / ".." / "secret", inside / "out" / "passwd", tmp_path / "texts2" / "x"):
        with pytest.raises(InputError, match="reads files only from"):
            _check(tmp_path, _spec(str(path)), allowed)


def test_a_sandbox_is_not_switched_off_from_outside(tmp_path: Path) -> None:
    """`sandbox: none` runs what a model wrote."""
    with pytest.raises(InputError, match="outside of a sandbox"):
        _check(tmp_path, _spec(more="evaluate: {sandbox: none}\n"), Allowed())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 300_000, "too long"),
        ("[" * 60 + "]" * 60, "too deep"),
        ("a: &a 1\nb: [" + ", ".join(["*a"] * 200) + "]", "too many aliases"),
    ],
)
def test_what_a_reader_should_not_be_given_is_refused(text: str, message: str) -> None:
    """Before anything is made of it."""
    with pytest.raises(InputError, match=message):
        check_text(text)
    check_text("a: [1, {b: 2}]")
    check_text("a: [")  # the reader of specs says it
