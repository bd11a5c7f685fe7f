"""Votes on recorded answers that end by a rule.

Samples come in waves as ``policies.poll`` requests them: the fewest that could end the vote. With
``exact`` the wave itself ends with the vote. A wave's samples are counted whole for other rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ponder.core.outlook import Seen
from ponder.policies.stopping import Exact, Rule, Value, Window, decided


@dataclass(slots=True)
class Closing:
    """A rule, and what it said before."""

    rule: Rule
    _said: dict[tuple[Seen, int, int], bool] = field(default_factory=dict)

    def vote(self, answers: Sequence[int]) -> tuple[int, int]:
        """Return the number of samples that a vote on these uses, and its winner (-1: none)."""
        used, n = 0, len(answers)
        while used < n:
            seen, _ = tallied(answers[:used])
            run = _run(answers[:used]) if isinstance(self.rule, Window) else 0
            if self._closes(seen, 0, n - used, run):
                break
            left = n - used
            exact = isinstance(self.rule, Exact)  # looks at each sample
            wave = 1 if exact else next(
                k for k in range(1, left + 1) if self._closes(seen, k, left - k, run)
            )  # fmt: skip
            used += wave
        return used, tallied(answers[:used])[1]

    def _closes(self, seen: Seen, more: int, left: int, run: int) -> bool:
        """Return True if the vote ends after ``more`` votes for the leader, ``left`` before the
        end. The latest ``run`` samples gave the same answer; only ``Window`` asks.
        """
        if left == 0:
            return True
        first, second = seen.lead
        if first + more == 0:
            return False
        if decided(first + more, second, left):
            return True
        if more:
            seen = Seen((first + more, *seen.counts[1:]), seen.silent)
        if isinstance(self.rule, Value):  # looks ahead no further than this
            lead = seen.lead[0] - seen.lead[1]
            left = min(left, lead * lead + 1)
        key = (seen, left, run + more if isinstance(self.rule, Window) else 0)
        if key not in self._said:
            self._said[key] = self.rule.stops(*key)
        return self._said[key]


def tallied(answers: Sequence[int]) -> tuple[Seen, int]:
    """Return the votes, and the leading answer: the first of equals, -1 if there is none."""
    counts: dict[int, int] = {}
    for answer in answers:
        if answer >= 0:
            counts[answer] = counts.get(answer, 0) + 1
    given = tuple(sorted(counts.values(), reverse=True))
    leader = max(counts, key=counts.__getitem__, default=-1)
    return Seen(given, len(answers) - sum(given)), leader


def _run(answers: Sequence[int]) -> int:
    """Return the number of latest samples with the same answer."""
    if not answers or answers[-1] < 0:
        return 0
    return next((i for i, one in enumerate(reversed(answers)) if one != answers[-1]), len(answers))
