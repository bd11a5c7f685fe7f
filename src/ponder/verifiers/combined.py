"""Verifiers made of other verifiers. ``learned`` is the third way to combine them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.text.refs import Ref, parse
from ponder.core.trace import Score, Trace
from ponder.verifiers.base import Facts, Tools, Verifier, using


def first_decisive(scores: Sequence[Score]) -> Score | None:
    """Return the first score that has a value."""
    return next((score for score in scores if score.value is not None), None)


def product(scores: Sequence[Score]) -> Score | None:
    """Return the product of the scores that have a value."""
    valued = [score for score in scores if score.value is not None]
    if not valued:
        return None
    value = math.prod(score.value for score in valued if score.value is not None)
    detail = ", ".join(f"{score.verifier} {score.value:.3g}" for score in valued)
    return Score(value, "", detail)


COMBINATIONS: dict[str, Callable[[Sequence[Score]], Score | None]] = {
    "first": first_decisive,
    "product": product,
}


@dataclass(frozen=True, slots=True)
class Combined(Facts):
    """Asks all of ``parts``; with ``first``, a later part is asked only about undecided traces."""

    name: str
    how: str
    parts: tuple[Verifier, ...] = ()

    def using(self, tools: Tools) -> Combined:
        """As ``Handy``."""
        return replace(self, parts=tuple(using(part, tools) for part in self.parts))

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace; an abstention where all parts abstain."""
        given: list[list[Score]] = [[] for _ in traces]
        for part in self.parts:
            open_ = [i for i in range(len(traces)) if self.how != "first" or not _decided(given[i])]
            if part.listwise and open_:
                open_ = list(range(len(traces)))  # a listwise part must see all traces
            if not open_:
                break
            found = await part.score(problem, [traces[i] for i in open_], session)
            for i, score in zip(open_, found, strict=True):
                given[i].append(score)
        return [self._combined(scores) for scores in given]

    def _combined(self, scores: Sequence[Score]) -> Score:
        found = COMBINATIONS[self.how](scores)
        if found is None:
            return Score(None, self.name, "; ".join(s.detail for s in scores if s.detail))
        return Score(found.value, found.verifier or self.name, found.detail, found.verdict)


def _decided(scores: Sequence[Score]) -> bool:
    return first_decisive(scores) is not None


def combine(how: str, parts: Sequence[Verifier]) -> Combined:
    """Combine verifiers; ``how`` is a key of ``COMBINATIONS``.

    Raises:
        UsageError: fewer than two parts.
    """
    if len(parts) < 2:
        raise UsageError(f"{how}(...) combines two verifiers or more, such as {how}(A, B).")
    name = Ref(how, tuple(parse(part.name) for part in parts))
    return Combined(str(name), how, tuple(parts))
