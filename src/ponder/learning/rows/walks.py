"""Lessons in thinking from runs: the search tree of each, as a walk to its right answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ponder.answers.arithmetic import steps
from ponder.answers.extract import extract
from ponder.core.problem import ArithmeticTests, Problem
from ponder.core.record.search import Node, Tree
from ponder.learning.rows.chains import Asked, Chain
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.questions import turns
from ponder.learning.thinking.bounds import BOUNDS, Level
from ponder.learning.thinking.lessons import Lesson, wrong
from ponder.learning.thinking.trees import added, linearised
from ponder.models import taught

WARNED = "verify_and_backtrack"
"""The strategy that shows a model what failed: a walk shows that, too."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The lessons of one run, all of which end with one chain."""

    chain: Chain
    lessons: tuple[Lesson, ...]


def walked(
    asked: Asked, choice: Choice, levels: Sequence[Level], left_out: Counter[str]
) -> Walked | None:
    """Return the lessons of a run; None if it has no right chain that can be one.

    The chain is the one that the answer came from, else the first right one.
    """
    tree = asked.tree
    right = [chain for chain in asked.chains if _teaches(chain, asked, choice)]
    if tree is None:
        left_out["right without a search tree"] += len(right)
        return None
    if not right:
        return None
    chain = next((one for one in right if one.origin.sample == tree.chosen), right[0])
    lessons = tuple(_lessons(tree, chain, asked, choice, levels))
    left_out["right runs without a walk within the bounds"] += not lessons
    return Walked(chain, lessons) if lessons else None


def lesson_row(problem: Problem, lesson: Lesson) -> dict[str, Any]:
    """Return the columns of a lesson: the question asks for its level, as it will be asked for."""
    return {
        "prompt": turns(taught.asked(problem.shown, lesson.level)),
        "completion": [{"role": "assistant", "content": lesson.turn}],
    }


def _teaches(chain: Chain, asked: Asked, choice: Choice) -> bool:
    """Return True if a chain may be the end of a walk.

    A chain that was shown what failed before it may, if that is all it was shown: the walk shows
    the same.
    """
    if choice.right(chain):
        return True
    steered = asked.tree is not None and any(node.actions for node in asked.tree.nodes.values())
    warned = chain.origin.strategy == WARNED and not steered and chain.whole
    return warned and choice.passed(chain) and (choice.any_steps or not chain.misstep)


def _lessons(
    tree: Tree, chain: Chain, asked: Asked, choice: Choice, levels: Sequence[Level]
) -> Iterator[Lesson]:
    end = chain.origin.sample
    right = {one.origin.sample for one in asked.chains if choice.passed(one)}

    def sound(node: Node) -> bool:
        return node.id not in right and _true(node, asked.problem, choice)

    text = _answer(tree, chain, asked.problem)
    for level in levels:
        bound = BOUNDS.get(level)
        thinking = linearised(tree, end, bound, sound) if bound else ""
        if thinking is None or text is None:
            continue
        lesson = Lesson(level, thinking, text if bound else tree[end].trace.text.strip())
        if lesson.fits and not _faulty(lesson, asked.problem, chain, choice):
            yield lesson


def _answer(tree: Tree, chain: Chain, problem: Problem) -> str | None:
    """Return the last step if the answer stands in it, else the whole text; None for no steps.

    A puzzle's steps are checked from the first, so there it is always the whole text.
    """
    end = chain.origin.sample
    parts = added(tree, [*list(tree.above(end))[::-1], tree[end]])
    if parts is None:
        return None
    alone = extract(parts[-1], problem) == chain.answer
    short = alone and not isinstance(problem.tests, ArithmeticTests)
    return parts[-1] if short else tree[end].trace.text.strip()


def _true(node: Node, problem: Problem, choice: Choice) -> bool:
    """Return True unless a way that failed has a false step of a puzzle; a wrong end is none."""
    puzzle = problem.tests
    if choice.any_steps or not isinstance(puzzle, ArithmeticTests):
        return True
    held, fault = steps(node.trace.text, puzzle.numbers, Fraction(puzzle.target))
    return not fault or held == len(puzzle.numbers) - 1


def _faulty(lesson: Lesson, problem: Problem, chain: Chain, choice: Choice) -> bool:
    """Return True if a lesson's answer is another than the one that was verified, or a puzzle's
    lesson has a false step.
    """
    if extract(lesson.turn, problem) != chain.answer:
        return True
    is_puzzle = isinstance(problem.tests, ArithmeticTests)
    return is_puzzle and not choice.any_steps and bool(wrong(lesson, problem))
