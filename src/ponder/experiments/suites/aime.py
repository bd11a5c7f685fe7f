r"""AIME 2024 and 2025: integers from 0 to 999. The prompts already ask for a ``\boxed`` answer."""

from __future__ import annotations

from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.rows import Row


def item(row: Row) -> Item:
    """Return the item of one row of ``qwq_aimeYY``; the rows are numbered in the file's order."""
    return Item(
        f"aime/20{row.stem[-2:]}/{row.index}",
        ask(row.text("prompt"), "number"),
        Reference(row.number("answer"), "number"),
    )


_FILES = ("aime24/qwq_aime24.jsonl", "aime25/qwq_aime25.jsonl")
SUITE = FileSuite(
    "aime",
    "American Invitational Mathematics Examination, 2024 and 2025",
    "QwenLM/QwQ",
    "Apache-2.0 (problems: MAA)",
    _FILES,
    "number, by value",
    60,
    item,
)
PARTS = tuple(
    SUITE.part(year, f"the examinations of {year}", 30, file)
    for year, file in zip(("2024", "2025"), _FILES, strict=True)
)
