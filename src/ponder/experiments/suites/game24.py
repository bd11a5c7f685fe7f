"""Game of 24 (Yao 2023, 'Tree of Thoughts'): make 24 of four numbers.

Graded exactly: all four, each once, ``+ - * /``. The answer type is ``math``, so equal values are
one vote. The paper uses the puzzles of rank 901 to 1000 (``game24/paper``).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ponder.core.problem import ArithmeticTests, Message, Problem
from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import Arithmetic
from ponder.experiments.suites.rows import Row

QUESTION = (
    "Use each of the numbers {numbers} exactly once, with the operations +, -, *, / and "
    "parentheses, to make {target}. Combine two numbers at a time, one step on each line, and say "
    "which numbers are left. Put the whole expression in \\boxed{{}}."
)
# Steps of this form are those of the paper's chain-of-thought prompt. Without examples, or with
# examples of another size, small models write essays or lose numbers: docs/data.md.
WORKED = {
    3: (
        ((9, 4, 3), 15, ("9 - 4 = 5 (left: 3, 5)", "3 * 5 = 15 (left: 15)"), "3 * (9 - 4)"),
        (
            (20, 6, 11),
            37,
            ("6 + 11 = 17 (left: 20, 17)", "20 + 17 = 37 (left: 37)"),
            "20 + (6 + 11)",
        ),
        ((50, 7, 25), 9, ("50 / 25 = 2 (left: 7, 2)", "7 + 2 = 9 (left: 9)"), "7 + 50 / 25"),
        (
            (12, 64, 30),
            46,
            ("64 - 30 = 34 (left: 12, 34)", "12 + 34 = 46 (left: 46)"),
            "12 + (64 - 30)",
        ),
    ),
    4: (
        (
            (8, 3, 10, 2),
            31,
            (
                "10 * 2 = 20 (left: 8, 3, 20)",
                "8 + 3 = 11 (left: 20, 11)",
                "20 + 11 = 31 (left: 31)",
            ),
            "10 * 2 + (8 + 3)",
        ),
        (
            (5, 9, 40, 6),
            23,
            ("40 / 5 = 8 (left: 9, 6, 8)", "9 + 6 = 15 (left: 8, 15)", "8 + 15 = 23 (left: 23)"),
            "40 / 5 + (9 + 6)",
        ),
        (
            (7, 1, 4, 12),
            68,
            ("7 - 1 = 6 (left: 4, 12, 6)", "12 * 6 = 72 (left: 4, 72)", "72 - 4 = 68 (left: 68)"),
            "12 * (7 - 1) - 4",
        ),
    ),
}


def puzzle(numbers: tuple[int, ...], target: int) -> Problem:
    """Return the question, with worked examples of its size, worded alike for both puzzles."""
    shown = []
    for others, other, steps, whole in WORKED.get(len(numbers), ()):
        told = "\n".join((*steps, rf"\boxed{{{whole}}}"))
        shown += [Message("user", _question(others, other)), Message("assistant", told)]
    asked = ask(_question(numbers, target), "math", tests=ArithmeticTests(numbers, str(target)))
    return replace(asked, examples=tuple(shown))


def _question(numbers: tuple[int, ...], target: int) -> str:
    return QUESTION.format(numbers=", ".join(map(str, numbers)), target=target)


def item(row: Row) -> Item:
    """Return the item of one row: ``Puzzles`` is '4 5 6 10'."""
    try:
        numbers = tuple(int(n) for n in row.text("Puzzles").split())
    except ValueError:
        raise row.refusal("Puzzles", "numbers with spaces between") from None
    return Item(
        f"game24/{row.number('Rank')}",
        puzzle(numbers, 24),
        Arithmetic(numbers, Fraction(24)),
    )


SUITE = FileSuite(
    "game24",
    "make 24 of four numbers, easiest first",
    "princeton-nlp/tree-of-thought-llm",
    "MIT",
    ("game24/24.csv",),
    "any exact solution",
    1362,
    item,
)
PAPER = replace(SUITE.part("paper", "the puzzles of the paper", 100), first=901, last=1000)
