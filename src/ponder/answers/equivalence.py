r"""Decides when two answers mean the same, by canonical keys: same key, one vote.

A key is a function of one answer's text and the answer type, so equality is transitive and does
not depend on the order of arrival; pairwise checks (math-verify's ``verify``) cannot promise that.
The key's prefix says what was recognised: ``q:`` exact rational, ``r:`` other real number, ``z:``
complex, ``e:`` expression, ``t:`` text, ``c:`` choice, ``j:`` JSON, ``p:`` program (see
``symbolic`` for the rest).

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

from ponder.core.answer import Answer
from ponder.core.problem import AnswerType

LONGEST_QUICK = 1_000
"""Longest text, in characters, that is tried as a plain number."""
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
        key = await worker.key(clean_latex(text)) or latex_key(text)
    return Answer(text, key)


async def equivalent(
    reference: str, reply: str, answer_type: AnswerType, worker: MathOracle
) -> bool:
    """Return True if a grader accepts ``reply`` for ``reference``: same key, or math-verify does.

    More lenient than the vote (six decimals are enough, ``50%`` may be 0.5), and not symmetric.
    """
    a = await canonical(reference, answer_type, worker)
    b = await canonical(reply, answer_type, worker)
    if a.key == b.key:
        return True
    if answer_type not in ("number", "math"):
        return False
    return await worker.same(clean_latex(reference), clean_latex(reply)) or False


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


# Plain numbers ------------------------------------------------------------------------------------

_UINT = r"(?:\d{1,3}(?:[, ]\d{3})+(?!\d)|\d+)"
_UDEC = rf"(?:{_UINT}(?:\.\d+)?|\.\d+)"
_PART = r"(?:\{\s*(-?\s?\d+(?:\.\d+)?)\s*\}|(\d))"  # one argument of \frac: {12} or a bare digit
_PLAIN = re.compile(
    rf"(?P<sign>[-+]?)\s*(?:(?:(?P<whole>{_UINT})\s*)?\\frac\s*{_PART}\s*{_PART}"
    rf"|(?:(?P<whole2>\d+)\s+)?(?P<over>{_UDEC})\s*/\s*(?P<under>{_UDEC})"
    rf"|(?P<decimal>{_UDEC})"
    r"(?:[eE](?P<exp>[-+]?\d{1,3})|\s*\\(?:times|cdot)\s*10\s*\^\s*\{?(?P<exp2>-?\d{1,3})\}?)?)"
    r"\s*(?:\\?%|\\?\bpercent\b)?"
)
_LATEX_UNIT = r"\\(?:text|mbox|mathrm|textbf)\s*\{[^{}]*\}(?:\^\{?\d\}?)?"
_MATH_UNIT = re.compile(rf"\s*(?:{_LATEX_UNIT}|(?<=\s)[A-Za-z]{{3,}}(?: [A-Za-z]+)*)?\s*")
_ANY_UNIT = re.compile(rf"\s*(?:{_LATEX_UNIT}|[A-Za-z](?:[A-Za-z/. -]|\^\{{?\d\}}?)*)?\s*")
NUMBER = re.compile(
    r"(?<![\w.])[-+\u2212]?(?:\\?[$])?[€£¥]?"
    r"(?:\\[dt]?frac\{-?\d+\}\{-?\d+\}"
    r"|(?:\d{1,3}(?:[,\u00a0\u2009\u202f]\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3}\b|/\d+)?"
    r"|\.\d+)(?:\s?\\?%)?"
)
"""A number within running text. Linear: the look-behind forbids a start inside a number."""


def plain_number(text: str, *, units: bool = False) -> Fraction | None:
    """Return the exact value of a text that is only a number, a currency sign and a unit.

    ``units`` also admits short units (``5 cm``, ``2x``), which in ``math`` may be variables.
    """
    return _cleaned_number(clean_latex(text), units=units) if len(text) <= LONGEST_QUICK else None


def _cleaned_number(text: str, *, units: bool) -> Fraction | None:
    found = _PLAIN.match(text)
    if found is None or not (_ANY_UNIT if units else _MATH_UNIT).fullmatch(text, found.end()):
        return None
    over, under = found[3] or found[4] or found["over"], found[5] or found[6] or found["under"]
    try:
        if found["decimal"]:
            value = _fraction(found["decimal"])
            value *= Fraction(10) ** int(found["exp"] or found["exp2"] or 0)
        else:
            value = _fraction(over) / _fraction(under)
            value += _fraction(found["whole"] or found["whole2"] or "0")
    except ZeroDivisionError:
        return None
    return -value if found["sign"] == "-" else value


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", "").replace(" ", ""))


def rational_key(value: Fraction) -> str:
    """Return ``q:n`` or ``q:n/d`` in lowest terms."""
    return f"q:{value}"


@lru_cache(maxsize=1024)
def _quick_math_key(text: str, *, units: bool) -> str | None:
    if len(text) > LONGEST_QUICK:
        return None
    cleaned = clean_latex(text)
    value = _cleaned_number(cleaned, units=units)
    if value is None and units:
        value = _number_among_words(cleaned)
    if value is not None:
        return rational_key(value)
    return latex_key(text) if _WORDS.fullmatch(cleaned) else None


def _number_among_words(cleaned: str) -> Fraction | None:
    """Return 72 for ``48 + 24 = 72``, and for ``about 72 (clips)``, its only number.

    Else ``None``.
    """
    _, equals, right = cleaned.rpartition("=")
    if equals:
        return _cleaned_number(right.strip(), units=True)
    found = NUMBER.findall(cleaned)
    if len(found) == 1 and not re.search(r"[\\^*+/\d]", cleaned.replace(found[0], "")):
        return plain_number(found[0])
    return None


# LaTeX as text ------------------------------------------------------------------------------------

_SPELLINGS = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "π": r"\pi ", "∞": r"\infty ",
        "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ", "²": "^2", "³": "^3",
        "€": "", "£": "", "¥": "", "~": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip
_NOISE = re.compile(
    r"(?<!\\)\\(?:(?:left|right)(?![a-zA-Z])\.?|displaystyle|degree|[,;:!]\s*|[()\[\]])"
    r"|\\?\$|\^\s*(?:\\circ|\{\s*\\circ\s*\})|°"
)
EMPHASIS = re.compile(r"(?<![\w)])\*\*|\*\*(?![\w(-])")
"""Markdown's emphasis, which is at the edge of a word; Python's power is between two."""
_TEXT_COMMAND = re.compile(r"\\(?:text|mbox|mathrm|textbf|textit|texttt|mathbf)\s*\{([^{}]*)\}")
# One \text{...}, a word of three letters or more (fewer may be a product), or one letter. 'i' is
# left to sympy, for it may be the imaginary unit.
_WORDS = re.compile(
    r"\\(?:text|mbox|mathrm|textbf)\s*\{[^{}]*\}|[A-Za-z]{3,}(?:[ '-]+[A-Za-z]+)*"
    r"|\([A-Za-z]\)|[A-HJ-Za-hj-z]"
)


def clean_latex(text: str) -> str:
    r"""Return one line without meaningless mark-up: ``$``, ``\left``, thin spaces, degrees."""
    text = EMPHASIS.sub("", text.translate(_SPELLINGS))
    text = re.sub(r"(?<=[\w)])\*\*(-?\w+)", r"^{\1}", text)  # 2**10
    text = _NOISE.sub("", text).replace("{,}", ",")
    text = re.sub(r"(?<!\\)\\ ", " ", text)  # but a matrix's row ends in \\\\
    text = text.replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac")
    return " ".join(text.split()).rstrip(". ")


def latex_key(text: str) -> str:
    """Return the notation itself, without spaces and case: the fallback when nothing parses."""
    bare = "".join(_TEXT_COMMAND.sub(r"\1", clean_latex(text)).split()).casefold()
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
    bare = _TEXT_COMMAND.sub(r"\1", text)
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
