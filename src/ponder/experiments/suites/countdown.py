"""Countdown with three numbers (the test set of Zhao 2025, 'd1'): make the target from them.

In d1's prompt and checker each number is used exactly once; all 256 puzzles can be solved so.
Graded exactly, as Game of 24.
"""

from __future__ import annotations

from fractions import Fraction

from ponder.experiments.suites.base import FileSuite, Item
from ponder.experiments.suites.game24 import puzzle
from ponder.experiments.suites.grading.gold import Arithmetic
from ponder.experiments.suites.rows import Row


def item(row: Row) -> Item:
    """Return the item of one row: ``input`` is '30,100,93', ``output`` the target."""
    try:
        numbers = tuple(int(n) for n in row.text("input").split(","))
        target = int(row.text("output"))
    except ValueError:
        raise row.refusal("input", "numbers with commas between, and 'output' a number") from None
    return Item(
        f"countdown/cd3/{row.index}",
        puzzle(numbers, target),
        Arithmetic(numbers, Fraction(target)),
    )


SUITE = FileSuite(
    "countdown",
    "make a target of three numbers",
    "dllm-reasoning/d1",
    "Apache-2.0",
    ("countdown/countdown_cd3_test.jsonl",),
    "any exact solution",
    256,
    item,
)
