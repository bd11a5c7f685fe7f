"""Is an expression a solution of Game of 24 or Countdown? Exact, and safe on any text.

The rule of both: each given number exactly once, only ``+ - * /`` and parentheses, the exact value
(Yao 2023, section 4.1; Countdown as in Zhao 2025, 'd1', whose checker compares the multiset of
numbers). Nothing is evaluated by ``eval``: the syntax tree is walked with fractions, and only after
the numbers were found to be the given ones, so no value can grow large.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from fractions import Fraction

from ponder.verifiers.equivalence import parse_python, plain_number

LONGEST = 500
"""Characters beyond which no text is tried."""

_SPELLINGS = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/",
        "[": "(", "]": ")", "（": "(", "）": ")", "`": " ", "$": " ", "\u00a0": " ",
    }
)  # fmt: skip
_COMMANDS = (
    (re.compile(r"\\(?:times|cdot|ast)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])"), "/"),
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])|\\[,;:! ()\[\]]"), " "),
    (re.compile(r"(?<=[\d)])\s*[xX]\s*(?=[\d(])"), "*"),
)
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}|(\d))\s*(?:\{([^{}]*)\}|(\d))")
_PRODUCT = re.compile(r"(?<=[\d)])\s*(?=\()|(?<=\))\s*(?=\d)")  # (10-4)(4)
_CLEAN = re.compile(r"[\d+\-*/(). ]+")


def solves(text: str, numbers: Sequence[int], target: Fraction) -> bool:
    """Whether ``text`` is a solution; ``= 24`` may follow it (or ``24 =`` go before)."""
    if len(text) > LONGEST:
        return False
    plain = _plain(text)
    left, equals, right = plain.partition("=")
    if equals:
        if plain_number(right) == target:
            plain = left
        elif plain_number(left) == target:
            plain = right
        else:
            return False
    value = _value(plain, sorted(numbers))
    return value is not None and value == target


def _plain(text: str) -> str:
    text = text.strip().rstrip(".").translate(_SPELLINGS)
    for pattern, sign in _COMMANDS:
        text = pattern.sub(sign, text)
    while (shorter := _FRACTION.sub(_over, text)) != text:  # innermost first
        text = shorter
    text = text.replace("{", "(").replace("}", ")")
    return _PRODUCT.sub("*", " ".join(text.split()))


def _over(match: re.Match[str]) -> str:
    return f"(({match[1] or match[2]})/({match[3] or match[4]}))"


def _value(expression: str, numbers: list[int]) -> Fraction | None:
    if not _CLEAN.fullmatch(expression):
        return None
    tree = parse_python(expression.strip())
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    try:
        used = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        whole = [value for value in used if isinstance(value, int)]
        if len(whole) != len(used) or sorted(whole) != numbers:
            return None
        return _walk(tree.body[0].value)
    except (ValueError, ZeroDivisionError, RecursionError):
        return None


def _walk(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_walk(operand)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _walk(left) + _walk(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _walk(left) - _walk(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _walk(left) * _walk(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _walk(left) / _walk(right)
    raise ValueError(node)
