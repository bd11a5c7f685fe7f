"""Inference of the answer type of a question."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ponder.core.problem import AnswerType

_QUANTITY = re.compile(
    r"\bhow (many|much|old|far|long|tall|fast)\b|\bwhat (number|percentage)\b", re.I
)
_PROGRAM = re.compile(
    r"\b(write|implement|complete)\b.{0,40}\b(function|program|class)\b|^def ", re.I | re.M
)
_FORMULA = re.compile(r"[0-9=^+*/<>\\$]")
_OPTIONS = re.compile(r"^\s*\(?([A-Z])[).:]\s+\S", re.M)


def infer(question: str, choices: Sequence[str] = (), schema: str = "") -> AnswerType:
    """Return the answer type of a question for which none was given: a guess by its form.

    A schema means ``json``; choices, or lines such as 'A) ...' and 'B) ...', ``choice``; a request
    for a function or program ``code``; 'how many' and the like ``number``; any formula ``math``;
    the rest is ``text``.
    """
    if schema:
        return "json"
    if choices or {"A", "B"} <= set(_OPTIONS.findall(question)):
        return "choice"
    if _PROGRAM.search(question):
        return "code"
    if _QUANTITY.search(question):
        return "number"
    return "math" if _FORMULA.search(question) else "text"
