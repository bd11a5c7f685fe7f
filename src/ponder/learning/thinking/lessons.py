"""One lesson in thinking: what is thought, and the answer that follows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction

from ponder.answers.arithmetic import false_statement, solves, steps
from ponder.answers.extract import extract
from ponder.core.problem import ArithmeticTests, Problem
from ponder.core.text.marks import joined, split
from ponder.learning.thinking import symbolic
from ponder.learning.thinking.bounds import BOUNDS, Level, tokens
from ponder.models.taught import CLOSED


@dataclass(frozen=True, slots=True)
class Lesson:
    """A turn of the assistant at one level of thinking."""

    level: Level
    thinking: str
    """Text between the marks; '' for ``off``."""
    text: str
    """The answer after them."""

    @property
    def turn(self) -> str:
        """The whole turn: without thinking the marks stand with nothing between, as a model that
        was taught is asked not to think.
        """
        return joined(self.thinking, self.text) if self.thinking else CLOSED + self.text

    @property
    def tokens(self) -> int:
        """About the number of tokens that are thought."""
        return tokens(self.thinking)

    @property
    def fits(self) -> bool:
        """True if it keeps to the bound of its level, and its marks are read as they are meant."""
        bound = BOUNDS.get(self.level)
        within = self.tokens <= bound.tokens if bound else not self.thinking
        read = split(self.turn)
        return within and (read.reasoning.rstrip(), read.text) == (self.thinking, self.text)


def wrong(lesson: Lesson, problem: Problem) -> str:
    """Return the fault of a puzzle's lesson; '' if its answer is right and each step is true.

    The answer is read and checked as the verifier ``arithmetic`` does it.
    """
    puzzle = problem.tests
    assert isinstance(puzzle, ArithmeticTests)
    target = Fraction(puzzle.target)
    answer = extract(lesson.turn, problem)
    if answer is None or not solves(answer, puzzle.numbers, target):
        return "wrong answers"
    if steps(lesson.text, puzzle.numbers, target)[1] or false_statement(lesson.thinking):
        return "false steps"
    return ""


def of_puzzle(problem: Problem, level: Level, seed: str) -> Lesson | None:
    """Return a lesson by a search of our own for a puzzle of numbers; None if there is none.

    ``high`` searches in random order, by the seed: so its lessons go back more often.
    """
    puzzle = problem.tests
    if not isinstance(puzzle, ArithmeticTests) or len(puzzle.numbers) > symbolic.MOST_NUMBERS:
        return None
    target = Fraction(puzzle.target)
    if target.denominator != 1 or target < 1 or min(puzzle.numbers) < 0:
        return None
    rng = random.Random(seed) if level == "high" else None
    root = symbolic.search(puzzle.numbers, int(target), rng)
    if root is None:
        return None
    way, expression = symbolic.solution(root)
    text = "\n".join([*map(str, way), rf"\boxed{{{expression}}}"])
    if level == "off":
        return Lesson(level, "", text)
    thinned = symbolic.thinned(root, BOUNDS[level])
    return Lesson(level, symbolic.told(thinned, int(target)), text)
