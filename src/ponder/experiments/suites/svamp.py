"""SVAMP (Patel 2021): elementary word problems, varied so that shallow cues fail."""

from __future__ import annotations

from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.rows import Row


def item(row: Row) -> Item:
    """Return the item of one row: a body, often without its full stop, and a question."""
    body = row.text("Body").strip()
    body += "" if body.endswith((".", "?", "!")) else "."
    return Item(
        f"svamp/{row.text('ID')}",
        ask(f"{body} {row.text('Question').strip()}", "number"),
        Reference(row.number("Answer"), "number"),
    )


SUITE = FileSuite(
    "svamp",
    "elementary word problems, varied against shallow cues",
    "arkilpatel/SVAMP",
    "MIT",
    ("svamp/SVAMP.json",),
    "number, by value",
    1000,
    item,
)
