r"""One notation for what models write: characters, Markdown and LaTeX brought to plain LaTeX.

``clean_latex`` takes away what has no meaning (``$``, ``\left``, thin spaces, degrees) and spells
the rest in one way: ``2½`` as ``2\frac{1}{2}``, ``x⁴`` as ``x^{4}``, ``√2`` and ``\sqrt2`` as
``\sqrt{2}``, ``\mathrm{e}`` as ``e``, ``0.\overline{3}`` and ``0.\dot3`` as ``\frac{1}{3}``.
Every step takes time linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from math import comb

SCALES = {
    "tenth": Fraction(1, 10), "hundredth": Fraction(1, 100), "thousandth": Fraction(1, 1000),
    "millionth": Fraction(1, 10**6), "dozen": Fraction(12), "hundred": Fraction(100),
    "thousand": Fraction(1000), "lakh": Fraction(10**5), "million": Fraction(10**6),
    "crore": Fraction(10**7), "billion": Fraction(10**9), "trillion": Fraction(10**12),
    "quadrillion": Fraction(10**15),
}  # fmt: skip
"""Value of each word of scale."""
SCALE = rf"(?:{'|'.join(sorted(SCALES, key=len, reverse=True))})s?(?![A-Za-z])"
_LETTERS_OF_SCALE = {
    "k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion",
    "t": "trillion",
}  # fmt: skip

RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
LOWERED = "₀₁₂₃₄₅₆₇₈₉₊₋"
VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉"
_ORDINARY = str.maketrans(RAISED + LOWERED + "ⁿⁱ", "0123456789+-" * 2 + "ni")

_SPELLINGS = str.maketrans(
    {
        "−": "-", "–": "-", "‒": "-", "‐": "-", "‑": "-", "×": r"\times ", "·": r"\cdot ",
        "⋅": r"\cdot ", "∙": r"\cdot ", "÷": r"\div ", "∕": "/", "⁄": "/", "∶": ":",
        "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm ",
        "≈": r"\approx ",
        "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "ℝ": r"\mathbb{R}",
        "ⅈ": " i ", "ⅇ": " e ", "ℯ": " e ", "…": r"\ldots ",
        "∛": r"\sqrt[3]", "∜": r"\sqrt[4]", "√": r"\sqrt",
        "€": "", "£": "", "¥": "", "~": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
        "\u200b": "", "\u2060": "", "\u2061": "", "\u2062": "", "\ufeff": "",
    }
)  # fmt: skip
_WIDE = re.compile("[\ufe50-\ufe6f\uff01-\uff5e\U0001d400-\U0001d7ff]+")
_RAISED_OVER_LOWERED = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,20})[⁄/∕]([₀₁₂₃₄₅₆₇₈₉]{1,20})")
_RAISED_RUN = re.compile(f"[{RAISED}ⁿⁱ]+")
_LOWERED_RUN = re.compile(f"[{LOWERED}]+")
_VULGAR = re.compile(f"[{VULGAR}]")
_OVERLINED = re.compile("(?:\\d\u0305)+")
_DOTTED = re.compile("(\\d)\u0307")
_ROOT_SIGN = re.compile(r"([√∛∜])\s*(\d+(?:\.\d+)?|[A-Za-z])")
_MONEY = re.compile(
    r"((?:\\\$|(?<!\\)\$|[€£¥])\s?\d[\d,.]*)\s?([kKmMbBtT]|[bBmM]n)(?![A-Za-z]|\s?\$)"
)

_NOISE = re.compile(
    r"(?<!\\)\\(?:(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\.?|displaystyle|degree|[,;:!]\s*"
    r"|[()\[\]])|\\?\$|\^\s*(?:\\circ|\{\s*\\circ\s*\})|°"
)
EMPHASIS = re.compile(r"(?<![\w)])\*\*|\*\*(?![\w(-])")
"""Markdown's emphasis, which is at the edge of a word; Python's power is between two."""
TEXT_COMMAND = re.compile(
    r"\\(?:text|mbox|mathrm|textrm|textbf|textit|texttt|mathbf)\s*\{([^{}]*)\}"
)
_ARGUMENT = r"\s*(?:\{([^{}]*)\}|(\w))"
_BINOMIAL = re.compile(rf"\\[dt]?binom{_ARGUMENT}{_ARGUMENT}")
_CHOOSE = re.compile(r"\{([^{}\\]*)\\choose\b([^{}\\]*)\}")
_ROOT = r"\\sqrt\s*(\[\s*\w+\s*\])?\s*"
_TIGHT_ROOT = re.compile(rf"{_ROOT}(\d)")
_ROOT_OF_BRACKETS = re.compile(rf"{_ROOT}\(([^()]*)\)")
_UPRIGHT = re.compile(
    r"\\(?:mathrm|mathit|mathnormal|mathsf|operatorname|textrm|text|rm)\s*\{\s*([ei])\s*\}"
    r"|\{\s*\\rm\s+([ei])\s*\}"
)
_EMPTY = re.compile(r"\\varnothing(?![a-zA-Z])|\\\{\s*\\\}")
_NUMBER_IN_TEXT = re.compile(
    r"\\(?:text|mbox|textrm|textbf|mathbf|mathrm)\s*\{\s*([-+]?[\d.,/:]+)\s*\}"
)
_SCALE_IN_TEXT = re.compile(
    rf"\\(?:text|mbox|mathrm|textrm)\s*\{{[\s~-]*({SCALE}[^{{}}]*)\}}", re.I
)
_ABOUT = re.compile(r"\\(?:approx|simeq|sim)(?![A-Za-z])\s*")
_BAR = re.compile(
    r"(?<![\d.,])(\d{0,30})\.(\d{0,30})\\(?:overline|bar|widebar|overbar)\s*"
    r"(?:\{\s*(\d{1,30})\s*\}|(\d))"
)
_DOT = re.compile(
    r"(?<![\d.,])(\d{0,30})\.(\d{0,30})\\dot\s*\{?\s*(\d)\s*\}?(?:(\d{0,30})\\dot\s*\{?\s*(\d)\}?)?"
)
_BRACKETED = re.compile(r"([-+]?)(\d{0,30})\.(\d{0,30})\((\d{1,30})\)")


def clean_latex(text: str) -> str:
    """Return the text on one line, in the one notation."""
    text = EMPHASIS.sub("", _characters(text))
    text = re.sub(r"(?<=[\w)])\*\*(-?\w+)", r"^{\1}", text)  # 2**10
    text = _NOISE.sub("", text).replace("{,}", ",").replace("{:}", ":").replace(r"\colon", ":")
    text = re.sub(r"(?<!\\)\\ ", " ", text)  # but a matrix's row ends in \\\\
    text = re.sub(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", text)
    text = " ".join(text.split()).rstrip(". ")
    return _commands(text)


def _characters(text: str) -> str:
    if not text.isascii():
        text = _WIDE.sub(lambda wide: unicodedata.normalize("NFKC", wide[0]), text)
        text = _RAISED_OVER_LOWERED.sub(
            lambda f: rf"\frac{{{f[1].translate(_ORDINARY)}}}{{{f[2].translate(_ORDINARY)}}}", text
        )
        text = _RAISED_RUN.sub(lambda run: f"^{{{run[0].translate(_ORDINARY)}}}", text)
        text = _LOWERED_RUN.sub(lambda run: f"_{{{run[0].translate(_ORDINARY)}}}", text)
        text = _VULGAR.sub(_fraction_of_character, text)
        text = _OVERLINED.sub(lambda run: rf"\overline{{{run[0].replace(chr(0x305), '')}}}", text)
        text = _DOTTED.sub(r"\\dot{\1}", text)
        text = _ROOT_SIGN.sub(r"\1{\2}", text)
    if "$" not in text or text.count("$") == 1:  # else it may be a formula between dollar signs
        text = _MONEY.sub(_scaled_money, text)
    return text.translate(_SPELLINGS)


def _fraction_of_character(found: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", found[0]).partition("⁄")
    return rf"\frac{{{above}}}{{{below}}}"


def _scaled_money(found: re.Match[str]) -> str:
    return f"{found[1]} {_LETTERS_OF_SCALE[found[2].lower()]}"


def _commands(text: str) -> str:
    text = _ABOUT.sub("", text, 1) if _ABOUT.match(text) else text
    if "\\" not in text:
        return _bracketed(text)
    whole = TEXT_COMMAND.fullmatch(text)
    if whole and any(map(str.isdigit, whole[1])):
        return _bracketed(" ".join(whole[1].split()).rstrip(". "))
    text = _NUMBER_IN_TEXT.sub(r"\1", text)
    if not whole:
        text = _UPRIGHT.sub(_italic, text)
    text = _EMPTY.sub(r"\\emptyset ", text)
    text = _CHOOSE.sub(r"\\binom{\1}{\2}", text)
    text = _BINOMIAL.sub(_binomial, text)
    text = _ROOT_OF_BRACKETS.sub(r"\\sqrt\1{\2}", text)
    text = _TIGHT_ROOT.sub(r"\\sqrt\1{\2}", text)
    text = _SCALE_IN_TEXT.sub(r" \1", text)
    text = _BAR.sub(lambda b: _recurring(b[1], b[2], b[3] or b[4]), text)
    text = _DOT.sub(lambda d: _recurring(d[1], d[2], f"{d[3]}{d[4] or ''}{d[5] or ''}"), text)
    return " ".join(text.split())


def _italic(found: re.Match[str]) -> str:
    """Return the letter, apart from a command's name before it and from letters after it."""
    before = " " if found.string[found.start() - 1 : found.start()].isalpha() else ""
    after = " " if found.string[found.end() : found.end() + 1].isalpha() else ""
    return f"{before}{found[1] or found[2]}{after}"


def _binomial(found: re.Match[str]) -> str:
    above, below = ((found[i] or found[i + 1] or "").strip() for i in (1, 3))
    if re.fullmatch(r"\d{1,2}", above) and re.fullmatch(r"\d{1,3}", below):
        value = str(comb(int(above), int(below)))
        before = found.string[: found.start()].rstrip()[-1:]
        return rf" \cdot {value}" if before.isdigit() else f"{{{value}}}" if before else value
    return rf"\binom{{{above}}}{{{below}}}"


def _bracketed(text: str) -> str:
    """Read ``0.1(6)``, which is a product within a longer text."""
    found = _BRACKETED.fullmatch(text)
    return found[1] + _recurring(found[2], found[3], found[4]) if found else text


def _recurring(whole: str, fixed: str, period: str) -> str:
    nines = 10 ** len(period) - 1
    value = Fraction(int(whole + fixed or "0") * nines + int(period), nines * 10 ** len(fixed))
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
