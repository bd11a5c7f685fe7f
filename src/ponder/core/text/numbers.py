"""Exact numbers from text, read in bounded time."""

from __future__ import annotations

import re
from fractions import Fraction

_WRITTEN = re.compile(r"\s*[-+]?\d{0,200}(?:\.\d{0,200})?(?:[eE][-+]?\d{1,3}|/\d{1,200})?\s*", re.A)


def exact(value: str | float) -> Fraction:
    """Return the value of a number or of a text such as ``7/2``, ``0.5`` or ``1e3``.

    Raises:
        ValueError, ZeroDivisionError: it is not a number, is not finite, or has more than 200
            digits or an exponent beyond 999, which ``Fraction`` would write out.
    """
    text = str(value)
    if isinstance(value, bool) or not _WRITTEN.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a number of moderate size")
    return Fraction(text)
