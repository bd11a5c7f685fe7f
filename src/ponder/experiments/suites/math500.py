"""MATH-500 (Hendrycks 2021; the split of Lightman 2023): competition problems of five levels.

The gold is a formula in LaTeX, graded by meaning.
"""

from __future__ import annotations

from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.rows import Row


def item(row: Row) -> Item:
    """Return the item of one row. Its own id is ``test/algebra/2584.json``."""
    level = row["level"]
    if type(level) is not int:
        raise row.refusal("level", "a level from 1 to 5")
    return Item(
        f"math500/{row.text('unique_id').removesuffix('.json')}",
        ask(row.text("problem"), "math"),
        Reference(row.text("answer"), "math"),
        level,
    )


SUITE = FileSuite(
    "math500",
    "competition mathematics, levels 1 to 5",
    "openai/prm800k",
    "MIT",
    ("math500/test.jsonl",),
    "formula, by meaning (math-verify)",
    500,
    item,
)
