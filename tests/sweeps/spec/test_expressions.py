"""Constraints: what they mean, and that nothing else gets in."""

import pytest

from picosweep.sweeps.spec.expressions import parse_expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <= 2_000", True),
        ("a % b == 1", True),
        ("1 < b < 3 and not a == 8", True),
        ("kind in ['relu', 'gelu']", True),
        ("kind not in ('relu',) or a < 0", False),
        ("max(a, b) - min(a, b) == 5", True),
        ("-a + b * 2 // 3 >= 0", False),
        ("a / b > 3.5", False),
    ],
)
def test_values(text: str, expected: bool) -> None:
    """Arithmetic, comparisons, membership and logic mean what they mean in Python."""
    assert bool(parse_expression(text)({"a": 7, "b": 2, "kind": "relu"})) is expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "a.b",
        "a[0]",
        "[x for x in a]",
        "lambda: 0",
        "open('x')",
        "min()",
        "max(*a)",
        "f'{a}'",
        "a := 1",
        "a = 1",
        "2 ** 1000000000",
        "a if b else c",
        "",
        "a <",
        "(" * 500,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """Calls, attributes, comprehensions and unfinished text are no expressions."""
    with pytest.raises(ValueError, match=r"not part of the language|not an expression"):
        parse_expression(text)


def test_the_names_it_reads() -> None:
    """Every hyperparameter in the text is known before it is evaluated."""
    assert parse_expression("min(a, 3) < b or c == 'd'").names == {"a", "b", "c"}


@pytest.mark.parametrize("text", ["a / b > 1", "kind < a"])
def test_values_that_do_not_fit(text: str) -> None:
    """A division by zero or a text against a number names the expression."""
    with pytest.raises(ValueError, match="cannot be evaluated"):
        parse_expression(text)({"a": 1, "b": 0, "kind": "relu"})
