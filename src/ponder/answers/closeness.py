"""Decides whether two keys mean different values, so that no grader's tolerance can merge them.

Exact values that differ are different, however small. A tolerance is relative, and belongs to
decimals: two numbers, one of them written as a decimal, are alike if they agree to six decimals
and to six significant digits, as published graders round.
"""

from __future__ import annotations

import re
from fractions import Fraction

from ponder.answers.numerals import based, ratio

_DECIMAL = re.compile(r"\.\d|\d\.(?!\d)")
_RELATIVE = Fraction(5, 10**6)
_ABSOLUTE = Fraction(5, 10**7)
_APPROXIMATE = Fraction(1, 10**11)
"""Precision of the keys of irrational numbers."""
_OPENERS = ("(", "i:(", "i:[", "s:{", "u:", "m:")

Value = tuple[Fraction, Fraction]
"""Real and imaginary part."""


def alike(gold: str, reply: str, gold_text: str, reply_text: str) -> bool | None:
    """Return True if two keys mean values that are alike, ``None`` if the keys do not say.

    The texts tell decimals, percent signs, and what a base or a ratio stands for.
    """
    if {gold[:2], reply[:2]} & {"h:", "k:"}:
        return _same_time(gold, reply, gold_text, reply_text)
    if gold.startswith("b:") or reply.startswith("b:"):
        return _same_numeral(gold, reply, gold_text, reply_text)
    if "n:" in (gold[:2], reply[:2]):
        return False
    decimal = bool(_DECIMAL.search(gold_text) or _DECIMAL.search(reply_text))
    verdict = _compared(gold, reply, decimal)
    if verdict is False and ("%" in gold_text) != ("%" in reply_text):
        share, other = (gold, reply) if "%" in gold_text else (reply, gold)
        return _same_number(share, other, decimal, share=Fraction(1, 100))
    return verdict


def _compared(a: str, b: str, decimal: bool) -> bool | None:
    if a == b:
        return True
    kinds = [_kind(key) for key in (a, b)]
    if kinds == ["number", "number"]:
        return _same_number(a, b, decimal)
    if "number" in kinds and not {"other", "text"} & {*kinds}:
        return False
    if kinds == ["expression", "expression"]:
        return _same_expression(a, b, decimal)
    if kinds[0] == kinds[1] == "composite":
        return _same_composite(a, b, decimal)
    return None


def _kind(key: str) -> str:
    if key[:2] in ("q:", "r:", "z:"):
        return "number"
    if key.startswith("e:"):
        return "expression"
    if key.startswith(_OPENERS):
        return "composite"
    return "text" if key.startswith("t:") else "other"


def _number(key: str) -> Value | None:
    kind, _, digits = key.partition(":")
    try:
        if kind == "z":
            real, imaginary = (_number(part) for part in digits.split(";"))
            return (real[0], imaginary[0]) if real and imaginary else None
        return Fraction(digits), Fraction(0)
    except ValueError:  # infinite, or the digest of a longer one
        return None


def _same_number(a: str, b: str, decimal: bool, share: Fraction = Fraction(1)) -> bool:
    first, second = _number(a), _number(b)
    if first is None or second is None:
        return False
    first = first[0] * share, first[1] * share
    if decimal:
        return _near(first, second, _RELATIVE, _ABSOLUTE)
    if a[:2] == b[:2] == "q:" or (a[:2] == b[:2] and share == 1):  # the keys are all there is
        return first == second and share != 1
    return {a[:2], b[:2]} == {"q:", "r:"} and _near(first, second, _APPROXIMATE)


def _near(a: Value, b: Value, relative: Fraction, absolute: Fraction | None = None) -> bool:
    distance = max(abs(x - y) for x, y in zip(a, b, strict=True))
    return distance <= relative * max(map(abs, a)) and (absolute is None or distance <= absolute)


def _same_expression(a: str, b: str, decimal: bool) -> bool | None:
    """Compare the values where all symbols are positive; elsewhere domains may differ."""
    first, second = (key[2:].partition(",")[0] for key in (a, b))
    if first == second:
        return None
    if not decimal or "i" in first + second:
        return None if decimal else False
    return None if _same_number(f"r:{first}", f"r:{second}", True) else False


def _same_composite(a: str, b: str, decimal: bool) -> bool | None:
    """Compare two sets, tuples, intervals or matrices element by element."""
    (opening, first, closing), (opening2, second, closing2) = _elements(a), _elements(b)
    if (opening, closing) != (opening2, closing2):
        return None
    if len(first) != len(second):
        return False
    if opening in ("s:{", "u:"):
        first, second = sorted(first, key=_order), sorted(second, key=_order)
    verdicts = [_compared(x, y, decimal) for x, y in zip(first, second, strict=True)]
    return False if False in verdicts else None if None in verdicts else True


def _order(key: str) -> tuple[Fraction, Fraction, str]:
    real, imaginary = _number(key) or (Fraction(0), Fraction(0))
    return real, imaginary, key


def _elements(key: str) -> tuple[str, list[str], str]:
    """Return the opening, the elements and the closing of a key."""
    if key.startswith("u:"):
        return "u:", _parted(key[2:], "|"), ""
    if key.startswith("m:"):
        shape, _, cells = key[2:].partition(":")
        return shape, _parted(cells, ";"), ""
    opening = next(mark for mark in _OPENERS if key.startswith(mark))
    return opening, _parted(key[len(opening) : -1], ";"), key[-1:]


def _parted(text: str, separator: str) -> list[str]:
    parts, depth = [""] if text else [], 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if char == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


# Times, and numerals with a base ------------------------------------------------------------------


def _same_time(gold: str, reply: str, gold_text: str, reply_text: str) -> bool:
    """Compare times and ratios.

    A time that does not name the half of the day stands for both; ``10:15`` may be a ratio too.
    """
    if gold.startswith("h:") and reply.startswith("h:"):
        named, other = (gold, reply) if gold.endswith(" *") else (reply, gold)
        hour, _, rest = named[2:].removesuffix(" *").partition(":")
        hour2, _, rest2 = other[2:].partition(":")
        if not named.endswith(" *") or other.endswith(" *"):
            return False
        return rest == rest2 and int(hour2) in (int(hour), (int(hour) - 1) % 12 + 1)
    for time, text, other in (gold, gold_text, reply), (reply, reply_text, gold):
        if time.startswith("h:") and ":" not in text:  # '3 PM' for 3
            return other == f"q:{(int(time[2:].partition(':')[0]) - 1) % 12 + 1}"
    first, second = ratio(gold_text), ratio(reply_text)
    return first is not None and first == second


def _same_numeral(gold: str, reply: str, gold_text: str, reply_text: str) -> bool:
    """Compare numerals: the base of the reference need not be repeated.

    A reference without a base is met by a numeral of its value.
    """
    wanted, said = based(gold_text), based(reply_text)
    if wanted and said:
        return wanted[:2] == said[:2]
    if wanted:
        return reply_text == wanted[2]
    return said is not None and gold == f"q:{said[0]}"
