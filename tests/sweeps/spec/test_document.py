"""What a YAML file's values are read as, and what is said of files that cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from picosweep.sweeps.errors import InputError
from picosweep.sweeps.spec.document import MOST_NODES, read_yaml


def read(folder: Path, text: str) -> Any:
    path = folder / "spec.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return read_yaml(path).content


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("65_536", 65_536),
        ("+7", 7),
        ("-0", 0),
        ("1:30", "1:30"),
        ("0b11", "0b11"),
        ("2026-11-25", "2026-11-25"),
        ("2026-02-30", "2026-02-30"),
        ("2026-11-25 10:20:30", "2026-11-25 10:20:30"),
        ("=", "="),
        ("1e-4", 1e-4),
        ("1_0.5", 10.5),
        ("-.inf", float("-inf")),
        ("off", "off"),
        ("True", True),
        ("~", None),
        ("null", None),
        ("", None),
        ("'010'", "010"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\uD83D\uDE00 \n"', "😀 \n"),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(tmp_path: Path, written: str, value: object) -> None:
    found = read(tmp_path, f"key: {written}")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: \u0007", 2, "U\\+0007"),
        ("# \u0092\na: 1", 1, "U\\+0092"),
        ("a: 1\nb: &c {d: *c}", 2, "an alias that holds itself"),
        ("a: 1\nb: &c [*c]", 2, "an alias that holds itself"),
        ("a: 1\nb: 0x_", 2, "0x_ cannot be read as a whole number"),
        ("a: 1\nb: 1" + "0" * 5000, 2, "5001 characters"),
        ("a: 1\nb: !!int x", 2, "x cannot be read as a whole number"),
        ("a: 1\nb: !!float x", 2, "x cannot be read as a number"),
        ("a: 1\nb: !!binary '*'", 2, "!!binary"),
        ("a: 1\nb: !!timestamp 2026-13-45", 2, "!!timestamp"),
        ("a: 1\nb: !!set {x, y}", 2, "!!set"),
        ("a: 1\nb: !!python/name:os.system", 2, "python/name"),
        ("a: 1\nb: !mine x", 2, "!mine"),
        ("a: 1\n? [b, c]\n: 2", 2, "unhashable"),
        ("a: 1\na: 2", 2, "stands twice"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("a: 1\nb: *missing", 2, "undefined alias"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(InputError, match=f"spec.yaml:{line}:(.|\n)*{message}"):
        read(tmp_path, text)


def test_deep_brackets_and_alias_bombs_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="brackets too deep"):
        read(tmp_path, "a: " + "[" * 5000 + "]" * 5000)
    bomb = "\n".join(
        ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    )
    with pytest.raises(InputError, match=f"more than {MOST_NODES:,} values"):
        read(tmp_path, bomb)


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        read(folder, text)
    except InputError:
        return


finite = st.floats(allow_nan=False, allow_infinity=False)
# YAML 1.2, section 7.4.2: a key is no longer than 1,024 characters, and JSON may write one as 12.
keys = st.text(max_size=80)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(plain)
@settings(max_examples=200)
def test_json_is_read_as_json(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    folder = tmp_path_factory.mktemp("json")
    assert read(folder, json.dumps({"value": value})) == {"value": value}
