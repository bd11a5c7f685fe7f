r"""Reads what a program printed as a reply: the words that ``extract`` finds an answer in.

A program prints ``0.1 + 0.2`` as 0.30000000000000004, a root as ``sqrt(2)`` and a power with
``**``. Noise beyond twelve significant digits is rounded away, and Python's notation is written as
LaTeX. A number is the last one that was printed, any other mathematics the last line.
"""

from __future__ import annotations

import re

from ponder.answers.extract import extract
from ponder.answers.numerals import NUMBER
from ponder.core.problem import Problem

DIGITS = 12
"""Significant digits that are kept of a long decimal."""
_LONG = re.compile(r"-?\b\d+\.\d{9,}(?![\d.eE])")
_ROOT = re.compile(r"\bsqrt\(([^()\n]{1,100})\)")
_LIST = re.compile(r"^[\[{]([^\[\]{}:]+)[\]}]$")
_NOTHING = re.compile(r"[\s()\[\]{}.]*|none|true|false|null|-?(?:nan|inf)j?|<.*>", re.I)


def reply(output: str, problem: Problem) -> str:
    """Return the output as a reply to the problem; '' if it says nothing."""
    lines = [line.strip() for line in output.splitlines()]
    said = next((line for line in reversed(lines) if line), "")
    if _NOTHING.fullmatch(said) and problem.answer_type in ("number", "math", "text"):
        return ""
    match problem.answer_type:
        case "number":
            marked = [found[0] for found in NUMBER.finditer(_rounded(said))]
            return rf"\boxed{{{marked[-1]}}}" if marked and r"\boxed" not in said else said
        case "math":
            formula = _LIST.sub(r"\1", said)
            formula = extract(formula, problem) or formula
            return rf"\boxed{{{_latex(_rounded(formula))}}}"
    return output


def _rounded(text: str) -> str:
    def short(match: re.Match[str]) -> str:
        found = f"{float(match[0]):.{DIGITS}g}"
        return match[0] if "e" in found else found

    return _LONG.sub(short, text)


def _latex(text: str) -> str:
    text = _ROOT.sub(r"\\sqrt{\1}", text).replace("**", "^")
    return re.sub(r"(?<![\\A-Za-z])pi\b", r"\\pi ", text).strip()
