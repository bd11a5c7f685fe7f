"""Allocation of samples to many problems that share one budget.

The next samples go where they are expected to gain most for their price (Damani 2024; Russell and
Wefald 1991). One more sample often gains nothing where three do: a leader of two votes cannot be
overtaken by one. So the expected gain of a few more samples is taken as a curve, and its upper
concave hull is cut into steps; the steepest step of all problems comes next. That greedy choice is
the best one at every price that its steps add up to (Fox 1966).

Samples are decided on in waves, so that an engine is kept full: within a wave nothing new is known,
and a problem's further steps follow on its hull. Every problem gets its first sample before any
gets a second.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import pairwise

from ponder.core.outlook import Outlook, Seen

SIZES = (1, 2, 3, 5, 8)
"""Numbers of further samples that are considered."""
LEAST = 0.0002
"""Least expected gain for which a sample is drawn, in right answers."""

Step = tuple[int, float]
"""A number of samples, and their expected gain."""


def hull(values: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps of the upper concave hull of a curve that begins at (0, 0).

    ``values`` are its points (samples, gain), by samples. Steps are differences from one corner to
    the next, each less steep than the one before; those that gain nothing are left out.
    """
    corners: list[Step] = [(0, 0.0)]
    for x, y in values:
        while len(corners) > 1 and _slope(corners[-2], corners[-1]) <= _slope(corners[-1], (x, y)):
            corners.pop()
        corners.append((x, y))
    steps = [(x - a, y - b) for (a, b), (x, y) in pairwise(corners)]
    return tuple(step for step in steps if step[1] > 0)


def _slope(start: Step, end: Step) -> float:
    return (end[1] - start[1]) / (end[0] - start[0])


class Allocation:
    """The state of all problems, and the samples that are worth most next.

    ``outlooks`` forecast the votes of each problem; ``prices`` are those of its first sample, in
    any unit. No problem gets more than ``n`` samples, and none is drawn for less than ``least``.
    """

    def __init__(
        self, outlooks: Sequence[Outlook], prices: Sequence[float], n: int, least: float = LEAST
    ) -> None:
        self._outlooks, self._n, self._least = outlooks, n, least
        self._asked = [0] * len(outlooks)
        self._versions = [0] * len(outlooks)
        self._prices = list(prices)
        self._curves = _Curves()
        self._steps = [list(self._curves.steps(one, Seen(), min(1, n))) for one in outlooks]
        self._heap: list[tuple[bool, float, int, int]] = []
        for i in range(len(outlooks)):
            self._push(i)

    def asked(self, problem: int) -> int:
        """Return the number of samples that were allotted to a problem."""
        return self._asked[problem]

    def open(self, problem: int) -> bool:
        """True if a further sample of the problem is worth its while."""
        return bool(self._steps[problem])

    def learn(self, problem: int, seen: Seen, price: float) -> None:
        """Take note of all samples of a problem so far, and of the price of one more."""
        left = self._n - self._asked[problem]
        steps = self._curves.steps(self._outlooks[problem], seen, left)
        self._steps[problem] = [step for step in steps if step[1] >= self._least * step[0]]
        self._prices[problem] = price
        self._push(problem)

    def close(self, problem: int) -> None:
        """Allot nothing more to a problem."""
        self._steps[problem] = []
        self._versions[problem] += 1

    def wave(self, room: int) -> list[tuple[int, int]]:
        """Return the next samples as (problem, number), and count them as allotted.

        They are the first sample of every problem, or else about ``room`` samples: the last step is
        never divided. Empty if nothing is worth its while. ``learn`` each problem afterwards.
        """
        found: dict[int, int] = {}
        left, first = room, None
        while self._heap:
            later, _, i, version = self._heap[0]
            if version != self._versions[i]:
                heapq.heappop(self._heap)
                continue
            first = not later if first is None else first
            if first == later or (not first and left <= 0):
                break
            heapq.heappop(self._heap)
            samples, _ = self._steps[i].pop(0)
            found[i] = found.get(i, 0) + samples
            self._asked[i] += samples
            left -= samples
            if not first:
                self._push(i)
        return list(found.items())

    def _push(self, i: int) -> None:
        """Put the problem's next step into the heap, in place of any other of its steps."""
        self._versions[i] += 1
        if self._steps[i]:
            samples, gain = self._steps[i][0]
            rate = gain / (samples * self._prices[i])
            heapq.heappush(self._heap, (self._asked[i] > 0, -rate, i, self._versions[i]))


class _Curves:
    """The steps of each state, computed once: many problems are in the same state."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Seen, int], tuple[Step, ...]] = {}

    def steps(self, outlook: Outlook, seen: Seen, most: int) -> tuple[Step, ...]:
        """Return the steps of up to ``most`` further samples."""
        most = min(most, SIZES[-1])
        key = id(outlook), seen, most
        if key not in self._known:
            now = outlook.right(seen)
            sizes = [size for size in SIZES if size <= most]
            self._known[key] = hull([(k, outlook.after(seen, k) - now) for k in sizes])
        return self._known[key]
