"""Game of 24 (Yao 2023, 'Tree of Thoughts'): make 24 of four numbers.

Graded exactly: all four, each once, ``+ - * /``. The answer type is ``math``, so equal values are
one vote. The paper uses the puzzles of rank 901 to 1000 (``game24/paper``).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ponder.core.problem import ArithmeticTests
from ponder.experiments.gold import Arithmetic
from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.rows import Row

QUESTION = (
    "Use each of the numbers {numbers} exactly once, with the operations +, -, *, / and "
    "parentheses, to make {target}. Give one arithmetic expression as the answer."
)


def puzzle(numbers: tuple[int, ...], target: int) -> str:
    """The question, in the same words for Game of 24 and Countdown."""
    return QUESTION.format(numbers=", ".join(map(str, numbers)), target=target)


def item(row: Row) -> Item:
    """One row: ``Puzzles`` is '4 5 6 10'."""
    try:
        numbers = tuple(int(n) for n in row.text("Puzzles").split())
    except ValueError:
        raise row.refusal("Puzzles", "numbers with spaces between") from None
    return Item(
        f"game24/{row.number('Rank')}",
        ask(puzzle(numbers, 24), "math", tests=ArithmeticTests(numbers, "24")),
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
