"""AMC 12 of 2023, without its options: the gold is the number, written as a float."""

from __future__ import annotations

from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.rows import Row


def item(row: Row) -> Item:
    """Return the item of one row; its own ids have gaps."""
    return Item(
        f"amc/2023/{row.text('id')}",
        ask(row.text("problem"), "number"),
        Reference(row.number("answer"), "number"),
    )


SUITE = FileSuite(
    "amc",
    "American Mathematics Competitions, 2023",
    "QwenLM/Qwen2.5-Math",
    "MIT (problems: MAA)",
    ("amc23/test.jsonl",),
    "number, by value",
    40,
    item,
)
