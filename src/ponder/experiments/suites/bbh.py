"""BIG-Bench Hard (Suzgun 2022): six of its tasks. The gold is the target, as its task has it."""

from __future__ import annotations

from ponder.core.problem import AnswerType
from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import Reference
from ponder.experiments.suites.rows import Row

TASKS: dict[str, tuple[AnswerType, tuple[str, ...]]] = {
    "boolean_expressions": ("choice", ("True", "False")),
    "logical_deduction_three_objects": ("choice", ("(A)", "(B)", "(C)")),
    "multistep_arithmetic_two": ("number", ()),
    "navigate": ("choice", ("Yes", "No")),
    "object_counting": ("number", ()),
    "web_of_lies": ("choice", ("Yes", "No")),
}
"""The answer type of each task, and the labels to choose from."""


def item(row: Row) -> Item:
    """Return one example of a task, which the file's name gives."""
    kind, choices = TASKS[row.stem]
    target = row.text("target")
    if choices and target not in choices:
        raise row.refusal("target", f"one of {', '.join(choices)}")
    return Item(
        f"bbh/{row.stem}/{row.index}",
        ask(row.text("input"), kind, choices=choices),
        Reference(target, kind),
    )


SUITE = FileSuite(
    "bbh",
    "BIG-Bench Hard, six tasks",
    "suzgunmirac/BIG-Bench-Hard",
    "MIT",
    tuple(f"bbh/{task}.json" for task in TASKS),
    "label or number, as the task has it",
    1500,
    item,
    under="examples",
)
PARTS = tuple(
    SUITE.part(task, f"the task {task.replace('_', ' ')}", 250, f"bbh/{task}.json")
    for task in TASKS
)
