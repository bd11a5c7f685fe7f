"""Questions as the suites ask them."""

from __future__ import annotations

from ponder.experiments.suites.base import Item


def question(item: Item) -> str:
    *_, last = item.problem.shown  # the puzzles have worked ones before
    assert last.role == "user"
    return last.content


NUMBER = "\n\nThink step by step, and put the final number in \\boxed{}."
