"""Search in words (Gandhi 2024, 'Stream of Search'): a puzzle of numbers, solved without a model.

A depth-first search takes two of the numbers that are left, combines them, and goes on with the
result in their place; where two are left and nothing makes the target of them, it goes back. What
it wrote on the way is the lesson. Each step is true by construction, which a model's own chains are
seldom: of 192 recorded chains of Qwen2.5-Coder-0.5B for Countdown the 5 with a right answer all had
false steps.

Steps that leave numbers nearest to half of the target come first (the paper's sum heuristic), or
all in random order. Values are whole and not negative, and what the rest of the numbers could not
bring down to the target is not tried: with three numbers that loses no solution.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from ponder.learning.thinking.bounds import Bound

MOST_NUMBERS = 4
"""Most numbers of a puzzle that is searched."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number that is left, and the expression that makes it."""

    number: int
    expression: str


@dataclass(frozen=True, slots=True)
class Step:
    """Two numbers combined."""

    said: str
    """The step alone: ``9 - 4 = 5``."""
    left: tuple[Value, ...]
    """Numbers that are left after it, its result last."""

    def __str__(self) -> str:
        return f"{self.said} (left: {listed(self.left)})"


@dataclass(frozen=True, slots=True)
class Place:
    """A state of the search, with all that was tried from it, in that order."""

    left: tuple[Value, ...]
    step: Step | None = None
    """The step that led here; None at the root."""
    below: tuple[Place, ...] = field(default=(), repr=False)
    solved: bool = False
    """True if the last place below is solved, or the one number left is the target."""

    @property
    def steps(self) -> list[Step]:
        """The steps from here to the solution, this place's own first."""
        own = [self.step] if self.step else []
        return own + (self.below[-1].steps if self.below and self.solved else [])

    @property
    def dead_ends(self) -> int:
        """Number of places with two numbers left of which nothing makes the target."""
        if len(self.left) == 2:
            return int(not self.solved)
        return sum(place.dead_ends for place in self.below)


def search(numbers: Sequence[int], target: int, rng: random.Random | None = None) -> Place | None:
    """Return the root of a search that ended with a solution; None if it found none.

    With ``rng`` steps are tried in random order.
    """
    root = Place(tuple(Value(n, str(n)) for n in numbers))
    found = _searched(root, target, rng)
    return found if found.solved else None


def thinned(root: Place, bound: Bound) -> Place:
    """Return a search with the first of its dead ends alone, as many as a level allows.

    With none, the straight way is left: not even the last step has others beside it.
    """
    return _thinned(root, bound.branches, straight=not bound.branches)


def told(root: Place, target: int) -> str:
    """Return what a search writes."""
    first = f"I want {target} from {listed(root.left)}."
    return "\n".join([first, *_told(root, target, root)])


def solution(root: Place) -> tuple[list[Step], str]:
    """Return the steps of a search's solution, and the expression of all."""
    steps = root.steps
    return steps, steps[-1].left[0].expression


def listed(values: Sequence[Value]) -> str:
    """Return numbers as a text."""
    return ", ".join(str(value.number) for value in values)


def _searched(place: Place, target: int, rng: random.Random | None) -> Place:
    if len(place.left) == 1:
        return replace(place, solved=place.left[0].number == target)
    below: list[Place] = []
    for step in _ordered(list(_steps(place.left, target)), target, rng):
        below.append(_searched(Place(step.left, step), target, rng))
        if below[-1].solved:
            break
    return replace(place, below=tuple(below), solved=bool(below) and below[-1].solved)


def _ordered(steps: list[Step], target: int, rng: random.Random | None) -> list[Step]:
    if not steps or len(steps[0].left) == 1:
        return steps
    if rng:
        rng.shuffle(steps)
        return steps
    return sorted(steps, key=lambda s: sum(abs(2 * value.number - target) for value in s.left))


def _steps(left: tuple[Value, ...], target: int) -> Iterator[Step]:
    """Yield the steps from these numbers that may lead to the target."""
    for i, j in combinations(range(len(left)), 2):
        rest = tuple(value for k, value in enumerate(left) if k not in (i, j))
        reach = target
        for value in rest:
            reach *= value.number + 1
        for said, result in _results(left[i], left[j]):
            if result.number <= reach if rest else _plausible(said, result.number, target):
                yield Step(f"{said} = {result.number}", (*rest, result))


def _plausible(said: str, number: int, target: int) -> bool:
    """Return True unless a glance shows that a last step misses the target."""
    first, sign, _ = said.split()
    if sign == "*":
        return number <= 2 * target
    return sign != "/" or int(first) >= target


def _results(a: Value, b: Value) -> Iterator[tuple[str, Value]]:
    """Yield what can be made of two numbers."""
    more, less = (a, b) if a.number >= b.number else (b, a)
    yield _made(a, "+", b, a.number + b.number)
    yield _made(more, "-", less, more.number - less.number)
    yield _made(a, "*", b, a.number * b.number)
    if less.number and more.number % less.number == 0:
        yield _made(more, "/", less, more.number // less.number)


def _made(a: Value, sign: str, b: Value, number: int) -> tuple[str, Value]:
    whole = " ".join((_inner(a), sign, _inner(b)))
    return f"{a.number} {sign} {b.number}", Value(number, whole)


def _inner(value: Value) -> str:
    return value.expression if value.expression.isdigit() else f"({value.expression})"


def _thinned(place: Place, most: int, *, straight: bool) -> Place:
    if len(place.left) == 2:
        return replace(place, below=place.below[-1:]) if place.solved and straight else place
    kept: list[Place] = []
    for below in place.below:
        used = sum(one.dead_ends for one in kept)
        if below.solved or used < most:
            thin = _thinned(below, most - used, straight=straight)
            if thin.solved or thin.dead_ends:
                kept.append(thin)
    return replace(place, below=tuple(kept))


def _told(place: Place, target: int, above: Place) -> Iterator[str]:
    """Yield the lines of a place and of all below it; ``above`` is the place to go back to."""
    if place.step:
        yield str(place.step)
    back = f"I go back to {listed(above.left)}."
    if len(place.left) == 2:
        tried = ", ".join(end.step.said for end in place.below if end.step)
        if place.solved:
            yield f"{tried}: that is it."
        else:
            yield f"{tried}: not {target}. That fails. {back}"
        return
    for below in place.below:
        yield from _told(below, target, place)
    if place.step and not place.solved:
        yield f"Nothing else is left to try. {back}"
