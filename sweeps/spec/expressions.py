"""Conditions over hyperparameters, written in Python's expression syntax and never executed as it.

`"num_params <= 2_000_000"`, `"embed_size % num_heads == 0"`, `"position in ['rotary', 'none']"`.
`true`, `false` and `null` may be written as in YAML.
The text is parsed once; only the node types named below are evaluated, so a spec from a stranger
cannot call, import or reach an attribute.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_CONSTANTS = {"true": True, "false": False, "null": None}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs}

ALLOWED = (
    "names, numbers, texts, true, false, null and lists; + - * / // %; comparisons, in, is, and, "
    "or, not; min, max, abs"
)


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A parsed condition."""

    text: str
    names: frozenset[str]
    """The hyperparameters and facts it reads."""
    _body: ast.expr

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Return the expression's value.

        Raises:
            ValueError: the values do not fit the expression (a division by zero, a text compared
                with a number).
        """
        try:
            return _evaluate(self._body, values)
        except (TypeError, ZeroDivisionError) as error:
            raise ValueError(f"'{self.text}' cannot be evaluated: {error}") from error


def parse_expression(text: str) -> Expression:
    """Parse a condition.

    Raises:
        ValueError: it is not an expression, or uses more than the language above has.
    """
    names: set[str] = set()
    try:
        body = ast.parse(text.strip(), mode="eval").body
        _check(body, names)
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"not an expression: {error}") from error
    return Expression(text=text, names=frozenset(names), _body=body)


def _check(node: ast.expr, names: set[str]) -> None:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return
        case ast.Name(id=name) if name in _CONSTANTS:
            return
        case ast.Name(id=name):
            names.add(name)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            for part in parts:
                _check(part, names)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            _check(operand, names)
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _BINARY:
            _check(left, names)
            _check(right, names)
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(
            type(op) in _COMPARE for op in ops
        ):
            for part in (left, *rest):
                _check(part, names)
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as args, keywords=[]) if (
            name in _FUNCTIONS
        ):
            for part in args:
                _check(part, names)
        case _:
            raise ValueError(f"'{ast.unparse(node)}' is not part of the language")


def _evaluate(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return _CONSTANTS[name] if name in _CONSTANTS else values[name]
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_evaluate(part, values) for part in parts]
        case ast.BoolOp(op=op, values=parts):
            combine = all if isinstance(op, ast.And) else any
            return combine(_evaluate(part, values) for part in parts)
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_evaluate(operand, values))
        case ast.BinOp(op=op, left=left, right=right):
            numbers = _evaluate(left, values), _evaluate(right, values)
            if not all(isinstance(number, int | float) for number in numbers):
                raise TypeError(f"{ast.unparse(node)} is no arithmetic with numbers")
            return _BINARY[type(op)](*numbers)
        case ast.Compare(left=left, ops=ops, comparators=rest):
            terms = [_evaluate(part, values) for part in (left, *rest)]
            return all(
                _COMPARE[type(op)](a, b) for op, a, b in zip(ops, terms, terms[1:], strict=False)
            )
        case ast.Call(func=ast.Name(id=name), args=args):
            return _FUNCTIONS[name](*(_evaluate(part, values) for part in args))
    raise AssertionError(f"checked but not evaluated: {ast.dump(node)}")
