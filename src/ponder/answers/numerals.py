r"""The grammar of plain numbers, clock times, ratios and numerals with a base.

One grammar serves running text (``NUMBER``) and a text that is only a number (``plain_number``).
What is more than a plain number (``3!``, ``\sqrt{2}``, ``10^{4}``) is not read in part: it has no
plain value, and goes to the worker process whole.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import gcd

from ponder.answers.notation import (
    LOWERED,
    RAISED,
    SCALE,
    SCALES,
    TEXT_COMMAND,
    VULGAR,
    clean_latex,
)

LONGEST = 1_000
"""Longest text, in characters, that is tried as a plain number."""

_UINT = r"(?:\d{1,3}(?:[, ]\d{3})+(?!\d)|\d+)"
_UDEC = rf"(?:{_UINT}(?:\.\d+)?|\.\d+)"
_PART = r"(?:\{\s*(-?\s?\d+(?:\.\d+)?)\s*\}|(\d))"  # one argument of \frac: {12} or a bare digit
_PLAIN = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?:(?P<whole>{_UINT})\s*)?\\frac\s*{_PART}\s*{_PART}"
    rf"|(?:(?P<whole2>\d+)\s+)?(?P<over>{_UDEC})\s*/\s*(?P<under>{_UDEC})"
    rf"|(?P<decimal>{_UDEC})"
    r"(?:[eE](?P<exp>[-+]?\d{1,3})"
    r"|\s*(?:\\(?:times|cdot)|[xX*])\s*10\s*\^\s*(?:(?P<exp2>-?\d{1,3})(?!\d)"
    r"|\{\s*(?P<exp3>[-+]?\s?\d{1,3})\s*\}))?)"
    rf"(?P<scale>(?:[\s-]*{SCALE})*)(?P<thousand>k(?![A-Za-z]))?"
    r"\s*(?:\\?%|\\?\bpercent\b)?",
    re.I,
)
_TEXT_UNIT = r"\\(?:text|mbox|mathrm|textrm|textbf)\s*\{[^{}]*\}(?:\^\{?-?\d\}?)?"
_TEXT_UNIT = rf"(?:{_TEXT_UNIT}|\\frac\s*\{{\s*{_TEXT_UNIT}\s*\}}\s*\{{\s*{_TEXT_UNIT}\s*\}})"
_LATEX_UNIT = rf"{_TEXT_UNIT}(?:\s*(?:/|\\cdot)?\s*{_TEXT_UNIT})*"
_MATH_UNIT = re.compile(rf"\s*(?:{_LATEX_UNIT}|(?<=\s)[A-Za-z]{{3,}}(?: [A-Za-z]+)*)?\s*")
_ANY_UNIT = re.compile(
    rf"\s*(?:{_LATEX_UNIT}|(?![ei](?![A-Za-z]))[A-Za-z](?:[A-Za-z/. -]|\^\{{?-?\d\}}?)*)?\s*"
)

_MORE_OF_IT = re.compile(r"(?:,|\s+and\b)?\s+(?=\d)")

_POWER_OF_TEN = (
    rf"\s?(?:[xX×*·⋅]|\\times|\\cdot)\s?10(?:(?:\^|\*\*)(?:-?\d{{1,3}}|\{{-?\d{{1,3}}\}})"
    rf"|[{RAISED}]{{1,4}})"
)
_MORE = (
    rf"(?:\s?[{VULGAR}]|[{RAISED}]{{1,20}}|[{LOWERED}]{{1,4}}|(?:\^|\*\*|_)(?:-?\d{{1,9}}|\{{-?\d{{1,9}}\}})"
    r"|\s?(?:√|\\sqrt\s?)(?:\{\d{1,20}\}|\(\d{1,20}\)|\d{1,20})|\s?(?:\\pi|π)(?![A-Za-z])"
    r"|!(?=[.,;=$\\])|\\(?:mathrm|operatorname)\{[ei]\}|[ei](?![A-Za-z\d]))"
)
NUMBER = re.compile(
    r"(?<![\w.])[-+\u2212]?(?P<money>\\?[$]|[€£¥])?"
    r"(?:\\[dt]?frac\{-?\d+\}\{-?\d+\}"
    rf"|[{VULGAR}]|(?:[√∛∜]|\\sqrt\s?)(?:\{{\d{{1,20}}\}}|\(\d{{1,20}}\)|\d{{1,20}})"
    r"|\d{1,9}(?::\d{1,9}){1,9}(?:\s?[apAP]\.?[mM](?![A-Za-z])\.?)?(?![\d:])"
    r"|(?:\d{1,3}(?:[,\u00a0\u2009\u202f]\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3}\b|/\d+)?"
    rf"(?:{_POWER_OF_TEN}|{_MORE}{{1,4}})?"
    rf"|\.\d+)(?:[\s-](?i:{SCALE})(?:,?\s(?:and\s)?\d{{1,3}}(?=\s{SCALE}))?)*"
    r"(?(money)(?:\s?(?:[kKMBT]|bn|mn)(?![A-Za-z]|\s?\$))?|(?:k(?![A-Za-z\d]))?)(?:\s?\\?%)?"
)
"""A number within running text. Linear: the look-behind forbids a start inside a number."""


def plain_number(text: str, *, units: bool = False) -> Fraction | None:
    """Return the exact value of a text that is only a number, a currency sign and a unit.

    ``units`` also admits short units (``5 cm``, ``2x``), which in ``math`` may be variables.
    """
    if len(text) > LONGEST:
        return None
    cleaned = clean_latex(text)
    return cleaned_number(cleaned, units=units) if units or not clock_key(cleaned) else None


def cleaned_number(text: str, *, units: bool) -> Fraction | None:
    """Return what ``plain_number`` does, of a text in the one notation."""
    found = _PLAIN.match(text)
    if found is None or (found["thousand"] and not units):
        return None
    more = _MORE_OF_IT.match(text, found.end("scale")) if found["scale"] else None
    rest = cleaned_number(text[more.end() :], units=units) if more else None
    if rest is None and not (_ANY_UNIT if units else _MATH_UNIT).fullmatch(text, found.end()):
        return None
    over, under = found[3] or found[4] or found["over"], found[5] or found[6] or found["under"]
    try:
        if found["decimal"]:
            value = _fraction(found["decimal"])
            raised = found["exp"] or found["exp2"] or found["exp3"] or "0"
            value *= Fraction(10) ** int(raised.replace(" ", ""))
        else:
            value = _fraction(over) / _fraction(under)
            value += _fraction(found["whole"] or found["whole2"] or "0")
    except ZeroDivisionError:
        return None
    for word in re.findall(SCALE, found["scale"], re.I)[:4]:
        value *= SCALES[word.lower().removesuffix("s")]
    if rest is not None:  # 5 million 200 thousand
        if not 0 <= rest < value / _fraction(found["decimal"] or "1"):
            return None
        value += rest
    if found["thousand"]:
        value *= 1000
    return -value if found["sign"] == "-" else value


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", "").replace(" ", ""))


_CLINGING = re.compile(r"\s*!|\s?[ei](?![A-Za-z])")
"""Suffixes that make another number of the one before them."""


def number_among_words(cleaned: str) -> Fraction | None:
    """Return 72 for ``48 + 24 = 72``, and for ``about 72 (clips)``, its only number.

    Else ``None``.
    """
    _, equals, right = cleaned.rpartition("=")
    if equals:
        return cleaned_number(right.strip(), units=True)
    found = list(NUMBER.finditer(cleaned))
    if len(found) != 1:
        return None
    before, after = cleaned[: found[0].start()], cleaned[found[0].end() :]
    words = TEXT_COMMAND.sub(r"\1", f"{before} {after}")
    if _CLINGING.match(after) or re.search(r"[\\^*+/\d_√|<>≤≥]", words):
        return None
    return cleaned_number(found[0][0], units=False)


# Times and ratios ---------------------------------------------------------------------------------

_CLOCK = re.compile(
    r"(\d{1,2})(?:\s*:\s*([0-5]\d)(?:\s*:\s*([0-5]\d))?)?\s*"
    r"(a\.?\s?m\.?|p\.?\s?m\.?|noon|midnight|o'?clock|hours|hrs?)?",
    re.I,
)
_TERM = r"(?!0\d)\d{1,40}(?:\.\d{1,40})?"
_RATIO = re.compile(rf"{_TERM}(?:\s*:\s*{_TERM})+")


def clock_key(cleaned: str) -> str | None:
    """Return the key of a time of day: ``h:14:30 pm`` if the half of the day is named."""
    found = _CLOCK.fullmatch(TEXT_COMMAND.sub(r" \1", cleaned).strip())
    if found is None:
        return None
    half = (found[4] or "").lower().replace(".", "").replace(" ", "")
    hour = int(found[1])
    if (found[2] is None and half not in ("am", "pm")) or hour > 24:
        return None
    if half in ("am", "pm", "noon", "midnight"):
        if not 1 <= hour <= 12:
            half = ""
        else:
            hour = hour % 12 + 12 * (half in ("pm", "noon"))
    seconds = f":{found[3]}" if found[3] not in (None, "00") else ""
    named = " *" if half in ("am", "pm", "noon", "midnight") else ""
    return f"h:{hour}:{found[2] or '00'}{seconds}{named}"


def ratio(cleaned: str) -> tuple[Fraction, ...] | None:
    """Return the terms of ``2:3`` or ``1:2:3`` as the least whole numbers."""
    bare = TEXT_COMMAND.sub(r" \1", cleaned).strip()
    if not _RATIO.fullmatch(bare):
        return None
    terms = [Fraction(term.strip()) for term in bare.split(":")]
    if not any(terms):
        return None
    scale = Fraction(
        gcd(*(t.numerator * (_common(terms) // t.denominator) for t in terms)), _common(terms)
    )
    return tuple(term / scale for term in terms)


def _common(terms: list[Fraction]) -> int:
    common = 1
    for term in terms:
        common = common * term.denominator // gcd(common, term.denominator)
    return common


def ratio_key(cleaned: str) -> str | None:
    """Return the key of a ratio: of two terms, that of their quotient."""
    terms = ratio(cleaned)
    if terms is None:
        return None
    if len(terms) == 2:
        return f"q:{terms[0] / terms[1]}" if terms[1] else None
    return f"k:{':'.join(map(str, terms))}"


# Bases --------------------------------------------------------------------------------------------

_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16,
}  # fmt: skip
_BASED = r"([\dA-F]{1,200})\s*_\s*(?:\{\s*(\d{1,2}|[a-z]{3,7})\s*\}|(\d))(?![\dA-Za-z.])"
_PREFIXES = {"0x": 16, "0o": 8, "0b": 2}
_PREFIXED = re.compile(r"(0[xob])([\da-f]{1,200})", re.I)
_ONE_BASED = re.compile(rf"\(?\s*{_BASED}")
_ANY_BASED = re.compile(rf"(?<![\w.\\{{]){_BASED}")


def based(cleaned: str) -> tuple[int, int, str] | None:
    """Return value, base and digits of a numeral with its base: ``1010_2``, ``(FF)_{16}``."""
    bare = re.sub(r"[()]", "", TEXT_COMMAND.sub(r"\1", cleaned).strip())
    found = _ONE_BASED.fullmatch(bare)
    if found is not None:
        upright = any(map(str.isdigit, found[1])) or found[2] == "16"  # C_5 has an index
        return _value_of(found) if upright else None
    prefixed = _PREFIXED.fullmatch(bare)
    if prefixed is None:
        return None
    base, digits = _PREFIXES[prefixed[1].lower()], prefixed[2].upper().lstrip("0") or "0"
    try:
        return int(digits, base), base, digits
    except ValueError:  # 0b12
        return None


def _value_of(found: re.Match[str]) -> tuple[int, int, str] | None:
    word = found[2] or found[3]
    base = _BASES.get(word) or (int(word) if word.isdigit() else 0)
    try:
        return (int(found[1], base), base, found[1].lstrip("0") or "0") if base >= 2 else None
    except ValueError:  # a digit beyond the base, or a base beyond 36: an index
        return None


def without_bases(cleaned: str) -> str:
    """Return a formula with each numeral that names its base in decimal digits."""

    def decimal(found: re.Match[str]) -> str:
        value = _value_of(found) if found[1][0].isdigit() else None
        return found[0] if value is None else str(value[0])

    return _ANY_BASED.sub(decimal, cleaned)
