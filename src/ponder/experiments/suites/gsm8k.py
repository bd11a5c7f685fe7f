"""GSM8K (Cobbe 2021): grade-school word problems. The gold is the number after ``####``.

``level`` is the number of calculations (``<<...>>``) in the reference solution.
"""

from __future__ import annotations

from ponder.answers.numerals import plain_number
from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.rows import Row


def item(row: Row) -> Item:
    """Return the item of one row."""
    solution, mark, answer = row.text("answer").rpartition("####")
    if not mark or plain_number(answer) is None:
        raise row.refusal("answer", "a solution that ends in '#### NUMBER'")
    return Item(
        f"gsm8k/{row.stem}/{row.index}",
        ask(row.text("question"), "number"),
        Reference(answer.strip(), "number"),
        solution.count("<<"),
    )


SUITE = FileSuite(
    "gsm8k",
    "grade-school word problems, test split",
    "openai/grade-school-math",
    "MIT",
    ("gsm8k/test.jsonl",),
    "number, by value",
    1319,
    item,
)
TRAIN = SUITE.part("train", "the same, training split", 7473, "gsm8k/train.jsonl")
