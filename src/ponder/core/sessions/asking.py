"""Verbs that request samples, steps and scores, and that run strategies inside strategies.

Every verb that spends builds one effect per request and hands it to ``perform``. Paths are
structural: the k-th verb of a session, its i-th child. Seeds are derived from (run seed, path). So
a run is the same whatever finishes first, and a journal can replay it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Self, TypeVar, cast

from ponder.core.errors import LimitReached, ModelError, RunFailed
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import GENERATE, Asker, Call, Execute, Generate, Verify
from ponder.core.record.events import SampleFinished, Scored
from ponder.core.sessions.branches import Branches
from ponder.core.sessions.run import Run, forced
from ponder.core.steps import Step
from ponder.core.thinking import Thinking
from ponder.core.trace import Ran, Score, Trace

S = TypeVar("S")
T = TypeVar("T")


class Asking(Asker):
    """One session of a run: its verbs take structural paths, and its children fork theirs."""

    def __init__(self, run: Run, path: str = "") -> None:
        self._run = run
        self._path = path
        self._verbs = 0

    @cached_property
    def rng(self) -> random.Random:
        """This session's random generator."""
        return random.Random(self._seed(self._path + "/rng"))

    @property
    def length(self) -> int:
        """Most tokens that a trace of this run may have."""
        return self._run.sampling.length

    @property
    def thinks(self) -> bool:
        """True if the run has a setting for the model's own thinking."""
        return self._run.sampling.thinking is not None

    @property
    def listwise(self) -> bool:
        """True if traces must be scored together: the run's verifier compares them."""
        return self._run.listwise

    def _seed(self, path: str) -> int:
        digest = hashlib.blake2b(f"{self._run.seed}:{path}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") >> 1

    def _next(self) -> str:
        path = self._at(str(self._verbs))
        self._verbs += 1
        return path

    def _at(self, place: str) -> str:
        return f"{self._path}.{place}" if self._path else place

    # Chains --------------------------------------------------------------------------------------

    async def grow(
        self,
        start: Trace,
        *,
        prompt: Sequence[Message] = (),
        role: str = GENERATE,
        model: str = "",
        max_total: int = 0,
        reserve_for: Trace | None = None,
        concludes: bool = True,
        **how: Any,
    ) -> Trace:
        """Continue a trace from ``start`` to its end, or to the run's length limit.

        A whole chain of the role ``GENERATE`` that is truncated before it has given an answer is
        made to give one (``runtime.handlers.budgeted``), as far as model and budget allow, if it
        ``concludes``.

        ``prompt`` is shown to the model instead of the problem's own messages; the result is still
        an answer to the problem. ``role`` is the role it is booked under: only samples of the role
        ``GENERATE`` can become the run's answer. ``model`` names one of the run's other models.
        ``max_total``: generate one step only, of a trace limited to this many tokens in all.
        ``reserve_for``: keep enough budget to force an answer from this trace afterwards. ``how``
        overrides fields of ``Sampling``.

        Raises:
            ModelError: the request failed, and its sample is lost.
            LimitReached: the budget does not allow it.
        """
        run, path = self._run, self._next()
        if start.tokens:
            how = {"length": max(1, self.length - start.tokens), **how}
        sampling = replace(run.sampling, **how) if how else run.sampling
        shown = self._prompt(start.problem, tuple(prompt))
        effect = Generate(
            start,
            sampling,
            self._seed(path),
            role,
            model or run.model,
            max_total,
            reserve_for or run.reserve_for,
            shown,
            concludes,
        )
        try:
            trace = cast(Trace, await run.perform(Call(path, effect)))
        except ModelError as error:
            run.lost = error
            raise
        if run.tree is not None:
            run.note(SampleFinished(path, trace, False, role))
        if role != GENERATE:
            return trace
        self._stand(trace)
        return trace

    def _prompt(self, problem: Problem, prompt: tuple[Message, ...]) -> tuple[Message, ...]:
        """Return the messages to show, with any hints from steering; () for the problem's own."""
        steering = self._run.steering
        if not steering.hints:
            return () if not prompt or prompt == problem.shown else prompt
        *before, last = prompt or problem.shown
        return (*before, replace(last, content=steering.hinted(last.content)))

    async def extend(
        self, starts: Sequence[Trace], fan: int = 1, *, step: Step, **how: Any
    ) -> list[Trace]:
        """Continue each trace by one step, ``fan`` times.

        Returns the results in the order of ``starts``, without lost ones. A finished trace is
        returned once, unchanged.

        Raises:
            LimitReached: the budget did not allow even one.
        """
        branches = [
            partial(type(self).advance, start=start, step=step, **how)
            for start in starts
            for _ in range(1 if start.done else fan)
        ]
        return await self.gather(branches)

    async def advance(self, start: Trace, *, step: Step, **how: Any) -> Trace:
        """Continue a trace by one step; a finished trace is returned unchanged.

        Raises:
            ModelError: the request failed, and the step is lost.
            LimitReached: the budget does not allow it.
        """
        if start.done:
            return start
        length = max(1, min(step.tokens, self.length - start.tokens))
        return await self.grow(start, max_total=self.length, length=length, stop=step.stops, **how)

    def sampling(self, problem: Problem, n: int, **how: Any) -> Branches[Trace]:
        """Draw ``n`` independent samples, delivered as they finish; see ``as_completed``."""
        start = Trace.empty(problem)
        return self.as_completed([lambda child: child.grow(start, **how)] * n)

    async def sample(self, problem: Problem, n: int, **how: Any) -> list[Trace]:
        """Draw ``n`` independent samples; return them in request order, without lost ones.

        Raises:
            LimitReached: the budget did not allow even one.
        """
        async with self.sampling(problem, n, **how) as traces:
            return sorted([t async for t in traces], key=lambda t: t.order)

    async def conclude(self, trace: Trace) -> Trace:
        """Return the trace, after greedily forcing a final answer if it has none."""
        if trace.answer is not None:
            return trace
        run, problem = self._run, trace.problem
        continues = run.model in run.continuing
        start, how, prompt = forced(
            trace, problem.shown, run.cue(problem), continues=continues, thinks=self.thinks
        )
        return await self.grow(start, prompt=prompt, **how)

    async def execute(self, program: Trace, role: str = GENERATE) -> tuple[Trace, Ran]:
        """Run the program in a trace; return the trace with the answer that it printed, and the
        outcome.

        ``role`` is the role of the answer, as in ``grow``; the program itself should have another.

        Raises:
            LimitReached: the run's time is up.
        """
        path, effect = self._next(), Execute(program, role)
        ran = cast(Ran, await self._run.perform(Call(path, effect)))
        trace = effect.concluded(path, ran)
        self._run.note(SampleFinished(path, trace, False, role))
        if role == GENERATE:
            self._stand(trace)
        return trace, ran

    # Scores --------------------------------------------------------------------------------------

    async def score(self, traces: Sequence[Trace], verifier: str = "") -> list[Score]:
        """Return one score per trace, from the named verifier or from the run's."""
        if not traces:
            return []
        effect, path = Verify(tuple(traces), verifier or self._run.verifier), self._next()
        silent = [trace for trace in traces if trace.answer is None]
        longest = None if len(silent) < len(traces) else max(silent, key=lambda t: len(t.text))
        judging = type(self)(replace(self._run, model="", reserve_for=longest, tree=None), path)
        call = Call(path, effect, session=judging)
        scores = cast(tuple[Score, ...], await self._run.perform(call))
        self._run.note(Scored(path, effect.traces, scores))
        return list(scores)

    @asynccontextmanager
    async def scored(
        self, problem: Problem, n: int, verifier: str = ""
    ) -> AsyncIterator[AsyncIterator[tuple[int, Trace, Score]]]:
        """Draw ``n`` independent samples and score them; yield (place, trace, score).

        Each is delivered as it finishes. A listwise verifier scores them all after the last has
        arrived.

        ``async with s.scored(problem, n) as arriving: async for at, trace, score in arriving: ...``
        """

        async def one(child: Self, at: int) -> tuple[int, Trace, Score]:
            trace = await child.grow(Trace.empty(problem))
            [score] = await child.score([trace], verifier)
            return at, trace, score

        async def together() -> AsyncIterator[tuple[int, Trace, Score]]:
            traces = await self.sample(problem, n)
            for at, pair in enumerate(zip(traces, await self.score(traces), strict=True)):
                yield at, *pair

        if self.listwise and not verifier:
            yield together()
        else:
            async with self.as_completed([partial(one, at=i) for i in range(n)]) as arriving:
                yield arriving

    # Strategies within strategies ----------------------------------------------------------------

    async def delegate(
        self,
        strategy: Callable[[Self, Problem], Awaitable[Trace]],
        problem: Problem,
        model: str = "",
        hear: Callable[[Trace], None] = lambda trace: None,
        thinking: Thinking | None = None,
    ) -> Trace:
        """Run another strategy on the problem, with ``model``, and return its trace.

        ``thinking`` replaces the run's own setting, if given.

        Its proposals are passed to ``hear`` and are not proposals of this run. If the budget or a
        failed request ends the strategy, its best answer so far is returned.

        Raises:
            ModelError, LimitReached, RunFailed: one of these ended the strategy before it had an
                answer.
        """
        run = replace(self._run, model=model, hear=hear, best=None, proposed=False, tree=None)
        if thinking is not None:
            run.sampling = replace(run.sampling, thinking=thinking)
        trace: Trace | None = None
        try:
            trace = await strategy(type(self)(run, self._next()), problem)
        except (ModelError, LimitReached, RunFailed):
            if not run.answered:
                raise
        finally:
            self._run.lost = run.lost or self._run.lost
        if run.best and run.answered and (trace is None or trace.answer is None):
            trace = run.best[0]
        assert trace is not None
        return replace(trace, problem=problem)  # the strategy may have asked it in another form

    def as_completed(self, branches: Iterable[Callable[[Self], Awaitable[T]]]) -> Branches[T]:
        """Run branches concurrently, each on a forked session, and iterate over results as they
        arrive:

        ``async with s.as_completed(branches) as results: async for result in results: ...``

        Leaving the block cancels the branches that are still running. A branch that lost its sample
        is left out.
        """
        path, kind = self._next(), type(self)
        return Branches(
            [partial(b, kind(self._run, f"{path}.{i}")) for i, b in enumerate(branches)]
        )

    async def gather(self, branches: Iterable[Callable[[Self], Awaitable[T]]]) -> list[T]:
        """Run branches concurrently, each on a forked session; return results in order, without
        lost ones.
        """
        numbered = [partial(_numbered, i, branch) for i, branch in enumerate(branches)]
        async with self.as_completed(numbered) as results:
            pairs = [pair async for pair in results]
        return [value for _, value in sorted(pairs, key=lambda pair: pair[0])]

    # Proposals -----------------------------------------------------------------------------------

    def propose(self, trace: Trace, score: float | None = None) -> None:
        """Set the answer that the run would give if it ended now.

        A trace without an answer never replaces one that has an answer.
        """
        if trace.answer is not None or not self._run.answered:
            self._run.proposed = True
            self._run.hold(trace, score)

    def _stand(self, trace: Trace) -> None:
        """Propose a trace that just arrived, if it has the earliest answer."""
        if trace.answer is not None and self._run.stands(trace) and self._earliest(trace):
            self._run.hold(trace, None)  # if the budget ends here

    def _earliest(self, trace: Trace) -> bool:
        """True if no trace was proposed yet and this answer was requested before all others."""
        run = self._run
        if run.best is None or not run.answered:
            return True
        return not run.proposed and trace.order < run.best[0].order


async def _numbered(index: int, branch: Callable[[S], Awaitable[T]], session: S) -> tuple[int, T]:
    return index, await branch(session)
