r"""Canonical keys of sympy objects. Runs in the worker process alone: sympy may hang or explode.

Numbers are exact if rational, else rounded to 12 significant digits of a 40-digit value. An
expression in symbols is keyed by its values, to 10 digits, at three pseudo-random rational points
(polynomial identity testing after Schwartz 1980 and Zippel 1979: two different polynomials agree at
a random point with negligible probability). A symbol's value is a hash of its name, so names need
no other mention and a symbol that cancels leaves no mark. Points of both signs tell |x| from x.

math-verify (Kydlíček) parses, and its reading is followed: symbols ignore case, ``(1,2)`` is an
ordered pair or an open interval, ``x=5`` and ``y=2x+3`` mean their right side, ``{5}`` is 5.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from functools import cache
from hashlib import sha256
from typing import Any

import sympy
from latex2sympy2_extended.latex2sympy2 import is_expr_of_only_symbols
from math_verify import parse, verify
from math_verify.grader import is_assignment_relation, take_last_relation
from math_verify.parser import LatexExtractionConfig
from sympy.core.relational import Relational

from ponder.answers.equivalence import latex_key, rational_key

Sympy = Any  # sympy ships no types
_TRIALS = 3
_NOTHING = re.compile(r"r:(?:zoo|nan)")
_PERCENT = sympy.UnevaluatedExpr(sympy.Rational(1, 100))


def key(latex: str) -> str | None:
    """Return the key of a LaTeX expression (no delimiters); ``None`` if it means nothing."""
    parsed = _parse(latex)
    if not parsed or _undefined(parsed[0]):
        return None
    found = _key(parsed[0])
    return None if _NOTHING.search(found) else found


def same(reference: str, reply: str) -> bool:
    """Return math-verify's verdict on two LaTeX expressions; what is undefined equals nothing."""
    both = _parse(reference), _parse(reply)
    if any(parsed and _undefined(parsed[0]) for parsed in both):
        return False
    return bool(verify(*both, timeout_seconds=None))


def _undefined(obj: Sympy) -> bool:
    return isinstance(obj, sympy.Basic) and obj.has(sympy.zoo, sympy.nan)


def _parse(latex: str) -> list[Sympy]:
    # math-verify's own time-outs are signals; ours is the death of this process.
    found: list[Sympy] = parse(
        f"${latex}$",
        [LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
    )
    return found


def _key(obj: Sympy) -> str:
    if is_assignment_relation(obj):
        right = take_last_relation(obj).rhs
        if not is_expr_of_only_symbols(right):  # x=y is as good as y=x: an equation
            return _key(right)
    if isinstance(obj, sympy.MatrixBase):
        return f"m:{obj.rows}x{obj.cols}:{';'.join(map(_key, obj.flat()))}"
    if isinstance(obj, sympy.Set):
        return _set(obj)
    if isinstance(obj, sympy.Tuple):
        return f"({';'.join(map(_key, obj.args))})"
    if isinstance(obj, Relational | sympy.And | sympy.Or):
        return _condition(obj)
    if isinstance(obj, sympy.Symbol) and obj.name != "i":
        return latex_key(obj.name)
    if isinstance(obj, sympy.Expr):
        return _expression(_evaluated(obj))
    return f"o:{obj}"


def _set(obj: Sympy) -> str:
    if isinstance(obj, sympy.FiniteSet):
        if obj.args and all(isinstance(a, Relational) and not _is_eq(a) for a in obj.args):
            return _condition(sympy.Or(*obj.args))  # math-verify's reading of 'x<1 or x>2'
        keys = sorted(set(map(_key, obj.args)))
        single = len(keys) == 1 and not keys[0].startswith("s:")
        return keys[0] if single else f"s:{{{';'.join(keys)}}}"
    if isinstance(obj, sympy.Interval):
        low, high = _key(obj.start), _key(obj.end)
        if obj.left_open and obj.right_open:
            return f"({low};{high})"
        return f"i:{'(['[not obj.left_open]}{low};{high}{')]'[not obj.right_open]}"
    if isinstance(obj, sympy.Union):
        return f"u:{'|'.join(sorted(map(_key, obj.args)))}"
    return "s:{}" if obj is sympy.S.EmptySet else f"o:{obj}"


def _is_eq(obj: Sympy) -> bool:
    return isinstance(obj, sympy.Eq)


def _condition(obj: Sympy) -> str:
    """Key inequalities in one unknown by the set of their solutions, others by form."""
    if len(obj.free_symbols) == 1 and not obj.has(sympy.Eq):
        try:
            return _set(obj.as_set())
        except (NotImplementedError, TypeError, ValueError, AttributeError):
            pass  # periodic, or not real: compare by form
    if isinstance(obj, sympy.And | sympy.Or):
        return f"{obj.func.__name__.lower()}:{'|'.join(sorted(map(_condition, obj.args)))}"
    if isinstance(obj, sympy.Gt | sympy.Ge):
        obj = obj.reversed
    sides = (obj.lhs, obj.rhs)
    if not all(isinstance(side, sympy.Expr) for side in sides):
        return f"{obj.rel_op}({';'.join(map(_key, sides))})"
    values = _values(_evaluated(obj.lhs) - _evaluated(obj.rhs))
    if values is None or values[0] == 0:
        return f"o:{obj}"
    # An equation may be multiplied by anything, an inequality by what is positive.
    scale = values[0] if obj.rel_op in ("==", "!=") else abs(values[0])
    return f"{obj.rel_op}:{','.join(_rounded((v / scale).evalf(30), 10) for v in values)}"


def _evaluated(expr: Sympy) -> Sympy:
    """Evaluate, with exact decimals, without percent signs, and with ``i`` the imaginary unit."""
    expr = expr.xreplace({_PERCENT: sympy.Integer(1)})
    expr = expr.xreplace({f: sympy.Rational(str(f)) for f in expr.atoms(sympy.Float)})
    expr = expr.xreplace({s: sympy.I for s in expr.free_symbols if s.name == "i"})
    return expr.doit()


def _expression(expr: Sympy) -> str:
    if not expr.free_symbols:
        return _number(expr)
    values = _values(expr)
    if values is None:
        return f"o:{expr}"
    rounded = [_rounded(v, 10) for v in values]
    if len(set(rounded)) == 1:
        return _number(values[0])  # sin^2 + cos^2
    return f"e:{','.join(rounded)}"


def _values(expr: Sympy) -> list[Sympy] | None:
    found = [
        expr.xreplace({s: _point(s.name, trial) for s in expr.free_symbols}).evalf(40)
        for trial in range(_TRIALS)
    ]
    return found if all(v.is_number and v.is_finite for v in found) else None


@cache
def _point(name: str, trial: int) -> Sympy:
    """Return a rational of magnitude 0.4 to 2.4.

    Positive at the first trial, negative at the second.
    """
    digest = int.from_bytes(sha256(f"{trial}:{name}".encode()).digest()[:4], "big")
    sign = (1, -1, (-1) ** (digest % 2))[trial]
    return sympy.Rational(sign * (2000 + digest % 9973), 4999)


def _number(expr: Sympy) -> str:
    if expr.is_Rational:
        try:
            return rational_key(Fraction(int(expr.p), int(expr.q)))
        except ValueError:  # more digits than Python prints
            return f"r:{_rounded(expr.evalf(40), 12)}"
    value = expr.evalf(40)
    if not value.is_number:
        return f"o:{expr}"
    if not value.is_finite:
        return f"r:{value}"
    parts = value.as_real_imag()
    noise = sympy.Float("1e-24") * max(abs(part) for part in parts)
    real, imaginary = (_real(_silent(part, noise)) for part in parts)
    return real if imaginary == "q:0" else f"z:{real};{imaginary}"


def _silent(part: Sympy, noise: Sympy) -> Sympy:
    """Return 0 for what is nothing beside the other part, or has no digit that is certain."""
    vague = isinstance(part, sympy.Float) and part._prec < 20
    return sympy.Integer(0) if vague or abs(part) < noise else part


def _real(value: Sympy) -> str:
    """Key a real number.

    Closed forms such as (1+sqrt 2)(sqrt 2-1) are rational without looking so.

    No irrational number that anybody writes lies as near to a denominator below a million.
    """
    if abs(value) < 10**12:
        exact = Fraction(str(value))
        near = exact.limit_denominator(10**6)
        if abs(exact - near) <= Fraction(1, 10**24) * abs(exact):
            return rational_key(near)
    return f"r:{_rounded(value, 12)}"


def _rounded(value: Sympy, digits: int) -> str:
    """Return decimal notation with that many significant digits.

    Relative noise below 1e-20 is 0.
    """
    parts = value.as_real_imag()
    tiny = sympy.Float("1e-20") * max(abs(part) for part in parts)
    real, imaginary = (
        "0" if abs(part) <= tiny else f"{Decimal(str(part)):.{digits}g}" for part in parts
    )
    return real if imaginary == "0" else f"{real}+{imaginary}i"
