"""Checks solutions of Game of 24 and Countdown, and the steps towards one.

The check is exact, and safe on any text. Both games have the same rule: each given number exactly
once, only ``+ - * /`` and parentheses, the exact value (Yao 2023, section 4.1; Countdown as in
Zhao 2025, 'd1', whose checker compares the multiset of numbers). Nothing is evaluated by ``eval``:
the syntax tree is walked with fractions, and only after its numbers were found to be the given
ones, so no value can grow large.
"""

from __future__ import annotations

import ast
import operator
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from ponder.answers.equivalence import parse_python
from ponder.answers.numerals import plain_number

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
    """Return True if ``text`` is a solution; ``= 24`` may follow it, or ``24 =`` precede it."""
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


_NUMBER = r"-?\d{1,40}(?:\.\d{1,40})?"  # longer numbers do not occur, and are slow
_STEP = re.compile(
    rf"^[ \t]*+({_NUMBER}) *+([-+*/]) *+({_NUMBER}) *+= *+({_NUMBER}) *+\(left: *+([-\d., ]*+)\)",
    re.MULTILINE,
)
_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def steps(text: str, numbers: Sequence[int], target: Fraction) -> tuple[int, str]:
    """Return the number of valid steps ``9 - 4 = 5 (left: 3, 5)``, and the fault of the next one.

    Each step takes two of the numbers that are left and puts their result in their place (Yao
    2023, section 4.1); the last leaves the target. Lines of another form are not steps.
    """
    left = Counter(Fraction(n) for n in numbers)
    held = 0
    for match in _STEP.finditer(text[: 100 * LONGEST]):
        first, second, result = (Fraction(match[i]) for i in (1, 3, 4))
        said = f"{match[1]} {match[2]} {match[3]}"
        if not Counter((first, second)) <= left:
            return held, f"{said} takes a number that is not left: {_listed(left)}"
        if (match[2] == "/" and not second) or _OPERATIONS[match[2]](first, second) != result:
            return held, f"{said} is not {match[4]}"
        left = left - Counter((first, second)) + Counter((result,))
        if Counter(Fraction(n) for n in re.findall(_NUMBER, match[5])) != left:
            return held, f"after {said} = {match[4]} there are left: {_listed(left)}"
        held += 1
        if left.total() == 1 and result != target:
            return held, f"{result} is left at the end, not {target}"
    return held, ""


_STATEMENT = re.compile(
    rf"(?<![-+*/(.\d])(?<![-+*/(] )({_NUMBER}) ([-+*/]) ({_NUMBER}) = ({_NUMBER})(?![.\d]*[\d/*(])"
)


def false_statement(text: str) -> str:
    """Return the first statement ``9 - 4 = 5`` of a text that is false; '' if there is none.

    Statements about more than two numbers are passed over.
    """
    for match in _STATEMENT.finditer(text):
        first, second, result = (Fraction(match[i]) for i in (1, 3, 4))
        if (match[2] == "/" and not second) or _OPERATIONS[match[2]](first, second) != result:
            return match[0]
    return ""


def _listed(left: Counter[Fraction]) -> str:
    return ", ".join(map(str, left.elements()))


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
