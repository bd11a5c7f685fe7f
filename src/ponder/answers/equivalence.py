r"""Decides when two answers mean the same, by canonical keys: same key, one vote.

A key is a function of one answer's text and the answer type, so equality is transitive and does
not depend on the order of arrival; pairwise checks (math-verify's ``verify``) cannot promise that.
The key's prefix says what was recognised: ``q:`` exact rational, ``r:`` other real number, ``z:``
complex, ``e:`` expression, ``b:`` numeral with a base, ``h:`` time, ``k:`` ratio, ``t:`` text,
``n:`` notation that nothing reads, ``c:`` choice, ``j:`` JSON, ``p:`` program, ``f:`` calls of
tools (see ``symbolic`` for the rest).

Plain numbers are read here in pure Python (GSM8K never starts sympy); the rest of ``number`` and
``math`` goes to the worker process. Decisions:

- A percent sign is a unit: ``50%`` is 50, not 1/2. Units and currency signs are dropped.
- Commas and spaces before groups of three digits separate thousands; there is no decimal comma.
- ``2\frac{1}{2}`` and ``2 1/2`` are mixed numbers.
- ``1/3`` and ``0.333`` are two votes: a tolerance is not transitive. ``equivalent`` has one.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
import unicodedata
import warnings
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

from ponder.answers.closeness import alike
from ponder.answers.notation import TEXT_COMMAND, clean_latex
from ponder.answers.numerals import (
    LONGEST,
    based,
    cleaned_number,
    clock_key,
    number_among_words,
    ratio_key,
    without_bases,
)
from ponder.core.answer import Answer
from ponder.core.problem import AnswerType

LONGEST_PROGRAM = 100_000
"""Longest text, in characters, that is parsed as Python: its tree takes 100 times the memory."""


class MathOracle(Protocol):
    """The slow path; ``mathworker.MathWorker`` implements it. ``None`` means undecided."""

    async def key(self, latex: str) -> str | None:
        """Return the canonical key of a LaTeX expression."""

    async def same(self, reference: str, reply: str) -> bool | None:
        """Return True if math-verify accepts the reply for the reference."""


async def canonical(text: str, answer_type: AnswerType, worker: MathOracle) -> Answer:
    """Return the answer with its key; only mathematics beyond plain numbers goes to the worker."""
    key = quick_key(text, answer_type)
    if key is None:
        key = await worker.key(without_bases(clean_latex(text))) or latex_key(text)
    return Answer(text, key)


async def equivalent(
    reference: str, reply: str, answer_type: AnswerType, worker: MathOracle
) -> bool:
    """Return True if a grader accepts ``reply`` for ``reference``.

    That is, they have the same key; or they are numbers, alone or within a set, that ``alike``
    takes for one (six decimals are enough, ``50%`` may be 0.5); or math-verify, asked only where
    the keys do not say that they differ, accepts it. More lenient than the vote, and not
    symmetric.
    """
    a = await canonical(reference, answer_type, worker)
    b = await canonical(reply, answer_type, worker)
    if a.key == b.key:
        return True
    if answer_type not in ("number", "math"):
        return False
    gold, said = clean_latex(reference), clean_latex(reply)
    verdict = alike(a.key, b.key, gold, said)
    if verdict is None:
        verdict = await worker.same(without_bases(gold), without_bases(said))
    return verdict or False


def quick_key(text: str, answer_type: AnswerType) -> str | None:
    """Return the key without sympy.

    ``None`` (``number`` and ``math`` only) if the worker is needed.
    """
    match answer_type:
        case "number" | "math":
            return _quick_math_key(text, units=answer_type == "number")
        case "choice":
            return choice_key(text)
        case "json":
            return json_key(text)
        case "code":
            return code_key(text)
        case "text":
            return text_key(text)


# Mathematics --------------------------------------------------------------------------------------

# One \text{...}, a word of three letters or more (fewer may be a product), or one letter. 'i' and
# 'e' are left to sympy, for they may be numbers.
_WORDS = re.compile(
    r"\\(?:text|mbox|mathrm|textrm|textbf)\s*\{[^{}]*\}|[A-Za-z]{3,}(?:[ '-]+[A-Za-z]+)*"
    r"|\([A-Za-z]\)|[A-HJ-Za-df-hj-z]"
)
_OPAQUE = re.compile(
    r"[,:;+]\s*(?:\\[lcv]?dots|\.\.\.)"  # '1, 2, \ldots, n'
    r"|\d\s*\\text\s*\{(?!\s*(?:and|or|,)\s*\})[^{}]*\}\s*\d"  # '18 dollars and 50 cents'
    r"|!!"
)
"""Notation of which math-verify would read a part."""


def recorded_key(text: str, key: str | None, answer_type: AnswerType) -> str:
    """Return the key of a recorded answer, made without sympy if none was recorded."""
    return key or quick_key(text, answer_type) or f"s:{text}"


def rational_key(value: Fraction) -> str:
    """Return ``q:n`` or ``q:n/d`` in lowest terms."""
    return f"q:{value}"


@lru_cache(maxsize=1024)
def _quick_math_key(text: str, *, units: bool) -> str | None:
    if len(text) > LONGEST:
        return None
    cleaned = clean_latex(text)
    if not units and (key := clock_key(cleaned)):
        return key
    value = cleaned_number(cleaned, units=units)
    if value is None and units:
        value = number_among_words(cleaned)
    if value is not None:
        return rational_key(value)
    if (numeral := based(cleaned)) is not None:
        return f"b:{numeral[1]}:{numeral[2]}"
    if key := clock_key(cleaned) or ratio_key(cleaned):
        return key
    if _OPAQUE.search(cleaned):
        return f"n{latex_key(text)[1:]}"
    return latex_key(text) if _WORDS.fullmatch(cleaned) else None


def latex_key(text: str) -> str:
    """Return the notation itself, without spaces and case: the fallback when nothing parses."""
    bare = "".join(TEXT_COMMAND.sub(r"\1", clean_latex(text)).split()).casefold()
    if bare[:1] == "(" and bare[-1:] == ")" and bare[1:-1].isalpha():
        bare = bare[1:-1]
    return f"t:{bare.rstrip('.')}"


# The other answer types ---------------------------------------------------------------------------

_KEPT = frozenset("#%&@/")
_SIGNS = frozenset("+-*/^()=<>")


def text_key(text: str) -> str:
    """Return NFKC and casefold, without articles and punctuation (kept inside and before numbers).

    In a formula without letters every sign counts: ``6 - 4`` is not ``6 * 4``. Removing words may
    leave such a formula, so the text is normalised until nothing changes.
    """
    key, before = _text(text), text
    while key != before:
        key, before = _text(key), key
    return f"t:{key}"


def _text(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    joined = "".join(plain.split())
    if not any(map(str.isalpha, plain)) and not _SIGNS.isdisjoint(joined.strip("-.")):
        return joined.rstrip(".")
    padded = f" {unicodedata.normalize('NFKC', text).casefold()} "
    spelt = "".join(
        char
        for before, char, after in zip(padded, padded[1:], padded[2:], strict=False)
        if char in _KEPT
        or not unicodedata.category(char).startswith("P")
        or (after.isdigit() and (before.isdigit() or char == "-"))
    )
    words = unicodedata.normalize("NFKC", spelt).split()
    return " ".join(w for w in words if w not in ("a", "an", "the")) or " ".join(words)


def choice_key(text: str) -> str:
    """Return the label in upper case, without surrounding characters: ``(b).`` is ``B``."""
    bare = TEXT_COMMAND.sub(r"\1", text)
    at = [i for i, char in enumerate(bare) if char.isalnum()]  # not a pattern: one is quadratic
    return "c:" + (bare[at[0] : at[-1] + 1] if at else bare.strip()).upper()


def json_key(text: str) -> str:
    """Return the value with sorted keys; 1.0 is 1. Text that is not JSON is keyed as text."""
    try:
        value = json.loads(text, parse_float=_json_number)
        return "j:" + json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return text_key(text)


def _json_number(digits: str) -> float | int | str:
    value = float(digits)
    if not math.isfinite(value) or (not value and set(digits.lower().partition("e")[0]) - {*"-0."}):
        return f"number {digits.lower()}"  # beyond a double: equal to itself alone
    return int(value) if value.is_integer() else value


def code_key(text: str) -> str:
    """Return a digest of the syntax tree, which ignores comments and layout; else of the text."""
    tree = parse_python(text) if len(text) <= LONGEST_PROGRAM else None
    try:
        meaning = "" if tree is None else ast.dump(tree)
    except (RecursionError, ValueError):  # too deep, or a number of too many digits to print
        meaning = ""
    meaning = meaning or "\n".join(line.rstrip() for line in text.strip().split("\n"))
    return "p:" + hashlib.sha256(meaning.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def parse_python(text: str) -> ast.Module | None:
    """Return the syntax tree, or ``None`` if the text is not Python or is nested too deeply."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a sample is not our warning
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
