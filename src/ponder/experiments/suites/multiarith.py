"""MultiArith (Roy 2015): word problems of two or more operations. 20 of them occur twice."""

from __future__ import annotations

from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.rows import Row


def item(row: Row) -> Item:
    """Return the item of one row."""
    return Item(
        f"multiarith/{row.index}",
        ask(row.text("input"), "number"),
        Reference(row.number("target"), "number"),
    )


SUITE = FileSuite(
    "multiarith",
    "word problems of several operations",
    "ZubinGou/math-evaluation-harness",
    "MIT",
    ("mawps/multiarith.jsonl",),
    "number, by value",
    600,
    item,
)
