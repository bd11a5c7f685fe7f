"""The value of a prefix without a reward model: the success rate of rollouts (Monte Carlo).

Wang et al. 2023, Math-Shepherd, arXiv 2312.08935, section 3.3: from the end of each step, k
completions are drawn; the step's value is the share of them that reach the right answer ('soft
estimation'). Another verifier decides which rollouts are right (``by``; its value is used as it
is). Without one, agreement does: the share of rollouts that end in the trace's own answer, or,
while the trace has none, in the most frequent one. Agreement measures how stable a trace is, not
whether it is true: a model that is confidently wrong agrees with itself.

With ``agg=last`` only the last prefix is rolled out, which is enough in a search over steps: the
earlier prefixes were judged when they were last.

``search=bisect`` is OmegaPRM's (Luo et al. 2024, arXiv 2406.06592, section 3.2): it finds the
first step from which no rollout succeeds by bisection, in log2(steps) prefixes instead of all. The
score is then the share of steps before that one.

``process(k=4, length=512, agg=min, search=all, by=VERIFIER)``. Rollouts continue the trace, so the
run's model must be able to (``prefill``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.verifiers.base import Facts, Tools, Verifier, using
from ponder.verifiers.judge.asking import judged
from ponder.verifiers.process.steps import AGGREGATES, prefixes

ROLE = "verify"


@dataclass(frozen=True, slots=True)
class Rollouts(Facts):
    """Scores each trace by rollouts from its prefixes."""

    name: str
    k: int = 4
    """Rollouts per prefix."""
    length: int = 512
    """Most tokens of a rollout."""
    agg: str = "min"
    """A key of ``AGGREGATES``: combines the prefixes' values."""
    search: str = "all"
    """``all`` prefixes, or ``bisect``."""
    by: Verifier | None = None
    """Verifier that judges the rollouts; None judges by agreement."""

    def using(self, tools: Tools) -> Rollouts:
        """As ``Handy``."""
        return self if self.by is None else replace(self, by=using(self.by, tools))

    @property
    def needs_logprobs(self) -> bool:
        """True if the rollouts' verifier needs them."""
        return self.by is not None and self.by.needs_logprobs

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the rollouts' verifier."""
        return self.by.models if self.by is not None else ()

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return the combined value of each trace's prefixes, from 0 to 1."""
        return await judged(session, traces, self.name, self._one)

    async def _one(self, session: Session, trace: Trace) -> Score:
        starts = self._starts(trace)
        if not starts:
            return Score(None, self.name, "there are no steps to continue from")
        if self.search == "bisect":
            return await self._bisected(session, trace, starts)
        found = await session.gather([partial(self._from, trace=trace, at=s) for s in starts])
        if len(found) < len(starts):
            return Score(None, self.name, "not judged: the budget ended")
        values = [value for value in found if value is not None]
        if not values:
            return Score(None, self.name, "no rollout came to an answer")
        told = ", ".join("?" if value is None else f"{value:.2f}" for value in found)
        detail = f"{self.agg} of {told}"
        return Score(AGGREGATES[self.agg](values), self.name, detail)

    def _starts(self, trace: Trace) -> list[str]:
        """Return the prefixes to continue.

        A trace that has ended leaves nothing to continue after its last step; if it has a single
        step, only the question is left.
        """
        found = prefixes(trace.text)
        if trace.done and found:
            found = found[:-1] or [""]
        return found[-1:] if self.agg == "last" and self.search == "all" else found

    async def _bisected(self, session: Session, trace: Trace, starts: Sequence[str]) -> Score:
        low, high = 0, len(starts)  # every start before low succeeds; none from high on
        while low < high:
            middle = (low + high) // 2
            value = await self._from(session, trace, starts[middle])
            if value is None:
                return Score(None, self.name, "no rollout came to an answer")
            low, high = (middle + 1, high) if value > 0 else (low, middle)
        found = (
            "no step without a success" if low == len(starts) else f"none from step {low + 1} on"
        )
        return Score(low / len(starts), self.name, found)

    async def _from(self, session: Session, trace: Trace, at: str) -> float | None:
        """Return the value of a prefix; None if no rollout came back that could be judged."""
        start = Trace(trace.problem, at, id=f"{trace.id}/{len(at)}")
        seen: dict[str, Any] = {
            "logprobs": self.needs_logprobs,
            "top_logprobs": 0 if self.by is None else self.by.top_logprobs,
        }

        async def roll(child: Session) -> Trace:
            return await child.grow(start, role=ROLE, length=self.length, **seen)

        rolled = await session.gather([roll] * self.k)
        if self.by is not None:
            scores = await self.by.score(trace.problem, rolled, session) if rolled else []
            values = [score.value for score in scores if score.value is not None]
            return math.fsum(values) / len(values) if values else None
        return agreement(trace, rolled)


def agreement(trace: Trace, rolled: Sequence[Trace]) -> float | None:
    """Return the share of rollouts that end in the trace's answer.

    If the trace has none, the most frequent answer takes its place. A rollout without an answer
    agrees with nothing. None without rollouts.
    """
    if not rolled:
        return None
    keys = Counter(t.answer.key for t in rolled if t.answer is not None)
    if trace.answer is not None:
        return keys[trace.answer.key] / len(rolled)
    return max(keys.values(), default=0) / len(rolled)
