"""Problems of a suite in memory, and a model that solves them."""

from __future__ import annotations

from ponder.core.problem import Message, Problem
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading.gold import Reference
from ponder.models.base import Request

WORDS = 5  # of a question, and of a reply


def items(count: int) -> dict[int, Item]:
    found = {}
    for i in range(count):
        problem = Problem((Message("user", f"What is {i} + 1?"),), "number")
        found[i] = Item(f"p{i}", problem, Reference(str(i + 1), "number"), i % 3)
    return found


def right(request: Request) -> str:
    number = int(request.messages[0].content.split()[2])
    return f"so I say: \\boxed{{{number + 1}}} !"
