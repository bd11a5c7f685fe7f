"""What a strategy sees of the world: verbs that ask, and a random generator of its own.

Every verb builds one effect per thing asked and hands it to ``perform``. Paths are structural: the
k-th verb of a session, its i-th child. Seeds are derived from (run seed, path). So a run is the
same whatever finishes first, and a journal can answer for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from ponder.core.effects import GENERATE, Call, Generate, Handler, Sampling, Steer, Verify
from ponder.core.errors import LimitReached, ModelError, RunFailed
from ponder.core.events import Event, Proposed, Subscriber, VoteChanged
from ponder.core.problem import Problem
from ponder.core.steps import Step
from ponder.core.trace import Score, Trace, rank

T = TypeVar("T")


def ignore(event: Event) -> None:
    """The subscriber of a run that nobody watches."""


@dataclass(slots=True)
class Run:
    """What a run's sessions share. ``joint`` says that the run's verifier judges a trace by those
    beside it. ``model`` is who makes its chains, '' the run's own; ``keep`` is the one that a
    verifier is asked about. ``best`` is the last proposal, or the first answer until the strategy
    has ``proposed`` one; ``lost`` is the last failure.
    """

    perform: Handler
    seed: int
    sampling: Sampling = Sampling()
    verifier: str = ""
    publish: Subscriber = ignore
    joint: bool = False
    model: str = ""
    keep: Trace | None = None
    best: tuple[Trace, float | None] | None = None
    proposed: bool = False
    lost: ModelError | None = None

    @property
    def answered(self) -> bool:
        """Whether an answer would come back if the run ended now."""
        return self.best is not None and self.best[0].answer is not None


class Session:
    """The verbs of a strategy. Concurrency goes through ``gather`` and ``as_completed`` only."""

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
        """How many tokens a chain of this run may have."""
        return self._run.sampling.length

    @property
    def joint(self) -> bool:
        """Whether traces must be scored together: the run's verifier compares them."""
        return self._run.joint

    def _seed(self, path: str) -> int:
        digest = hashlib.blake2b(f"{self._run.seed}:{path}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") >> 1

    def _next(self) -> str:
        path = f"{self._path}.{self._verbs}" if self._path else str(self._verbs)
        self._verbs += 1
        return path

    async def grow(
        self,
        start: Trace,
        *,
        role: str = GENERATE,
        model: str = "",
        whole: int = 0,
        keep: Trace | None = None,
        **how: Any,
    ) -> Trace:
        """One chain, continued from ``start`` to its end, which is at the run's length at the
        latest. ``how`` overrides fields of ``Sampling``.

        ``role`` is what it is booked under: only what is generated in the usual one can become the
        run's answer. ``model`` is one of the run's other models. With ``whole``, it is a step of a
        chain that may have that many tokens, and may go on; what is asked about a chain has it as
        ``keep``: what it takes to make that answer is left over.

        Raises:
            ModelError: the chain was lost.
            LimitReached: the budget does not allow it.
        """
        path = self._next()
        if start.tokens:
            how = {"length": max(1, self.length - start.tokens), **how}
        sampling = replace(self._run.sampling, **how) if how else self._run.sampling
        model, keep = model or self._run.model, keep or self._run.keep
        call = Call(path, Generate(start, sampling, self._seed(path), role, model, whole, keep))
        try:
            trace = cast(Trace, await self._run.perform(call))
        except ModelError as error:
            self._run.lost = error
            raise
        if trace.answer is not None and role == GENERATE and self._earliest(trace):
            self._hold(trace, None)  # should the budget end here
        return trace

    async def extend(
        self, starts: Sequence[Trace], fan: int = 1, *, step: Step, **how: Any
    ) -> list[Trace]:
        """Each chain continued by one step, ``fan`` times: in the order of the chains, lost ones
        left out. A chain that has ended stays as it is, once.

        Raises:
            LimitReached: the budget did not allow even one.
        """
        branches = [
            partial(Session.advance, start=start, step=step, **how)
            for start in starts
            for _ in range(1 if start.done else fan)
        ]
        return await self.gather(branches)

    async def advance(self, start: Trace, *, step: Step, **how: Any) -> Trace:
        """One chain continued by one step; one that has ended stays as it is.

        Raises:
            ModelError: the step was lost.
            LimitReached: the budget does not allow it.
        """
        if start.done:
            return start
        length = max(1, min(step.tokens, self.length - start.tokens))
        return await self.grow(start, whole=self.length, length=length, stop=step.stops, **how)

    def sampling(self, problem: Problem, n: int, **how: Any) -> Branches[Trace]:
        """``n`` independent chains, delivered as they finish; see ``as_completed``."""
        start = Trace.empty(problem)
        return self.as_completed([lambda child: child.grow(start, **how)] * n)

    async def sample(self, problem: Problem, n: int, **how: Any) -> list[Trace]:
        """``n`` independent chains, in the order in which they were asked for; lost ones left out.

        Raises:
            LimitReached: the budget did not allow even one.
        """
        async with self.sampling(problem, n, **how) as traces:
            return sorted([t async for t in traces], key=lambda t: t.order)

    def first(self, traces: Sequence[Trace]) -> Trace:
        """The trace that was asked for first.

        Raises:
            RunFailed: there is none.
        """
        if not traces:
            why = f": {self._run.lost}" if self._run.lost else ""
            raise RunFailed(f"no sample came back{why}")
        return min(traces, key=lambda t: t.order)

    async def score(self, traces: Sequence[Trace], verifier: str = "") -> list[Score]:
        """One score per trace, by the named verifier or by the run's."""
        if not traces:
            return []
        effect, path = Verify(tuple(traces), verifier or self._run.verifier), self._next()
        silent = [trace for trace in traces if trace.answer is None]
        keep = None if len(silent) < len(traces) else max(silent, key=lambda t: len(t.text))
        judging = Session(replace(self._run, model="", keep=keep), path)
        call = Call(path, effect, session=judging)
        return list(cast(tuple[Score, ...], await self._run.perform(call)))

    async def delegate(
        self,
        strategy: Part,
        problem: Problem,
        model: str = "",
        publish: Subscriber = ignore,
    ) -> Trace:
        """What another strategy makes of the problem, with chains of ``model``. What it proposes is
        its own answer, not the run's: ``publish`` hears of it, and it comes back if the budget or a
        lost request ends the strategy.

        Raises:
            ModelError, LimitReached, RunFailed: one of these ended it, and it had no answer.
        """
        run = replace(self._run, model=model, publish=publish, best=None, proposed=False)
        trace: Trace | None = None
        try:
            trace = await strategy(Session(run, self._next()), problem)
        except (ModelError, LimitReached, RunFailed):
            if not run.answered:
                raise
        finally:
            self._run.lost = run.lost or self._run.lost
        if run.best and run.answered and (trace is None or trace.answer is None):
            trace = run.best[0]
        assert trace is not None
        return replace(trace, problem=problem)  # whatever it was asked in

    async def steer(self, traces: Sequence[Trace]) -> list[Trace]:
        """The traces to go on with, after whoever watches had a say."""
        effect = Steer(tuple(traces))
        return list(cast(tuple[Trace, ...], await self._run.perform(Call(self._next(), effect))))

    def best(self, scored: Iterable[tuple[Trace, Score]]) -> tuple[Trace, Score]:
        """The trace with the highest score among those with an answer, or among all if none has
        one. Abstentions lose; where all abstain, the answers vote. Ties go to the earliest asked
        for.

        Raises:
            RunFailed: there is no trace.
        """
        pairs = list(scored)
        top = max(map(rank, pairs), default=None)
        level = [pair for pair in pairs if rank(pair) == top]
        keys = [trace.answer.key for trace, score in level if trace.answer and score.value is None]
        if keys:  # of all in level, then
            votes = Counter(keys)
            most = max(votes.values())
            level = [pair for pair, key in zip(level, keys, strict=True) if votes[key] == most]
        chosen = self.first([trace for trace, _ in level])
        return next(pair for pair in level if pair[0] is chosen)

    def unbeatable(self, trace: Trace, score: Score) -> bool:
        """Whether nothing can rank above it: it has an answer, and the highest score that there is,
        which says so unless the verifier compares.
        """
        return not self.joint and trace.answer is not None and (score.value or 0.0) >= 1

    def propose(self, trace: Trace, score: float | None = None) -> None:
        """Say which trace would be the answer if the run ended now; one without an answer is no
        better than what was.
        """
        if trace.answer is not None or not self._run.answered:
            self._run.proposed = True
            self._hold(trace, score)

    def _earliest(self, trace: Trace) -> bool:
        """Whether it is the earliest asked for of the answers, and none was proposed yet."""
        run = self._run
        if run.best is None or not run.answered:
            return True
        return not run.proposed and trace.order < run.best[0].order

    def _hold(self, trace: Trace, score: float | None) -> None:
        self._run.best = trace, score
        if self._run.publish is not ignore:
            self._run.publish(Proposed(trace, score))

    def vote(self, tally: Sequence[tuple[str, float]], remaining: int) -> None:
        """Show whoever watches how the vote stands."""
        self._run.publish(VoteChanged(tuple(tally), remaining))

    def as_completed(self, branches: Iterable[Callable[[Session], Awaitable[T]]]) -> Branches[T]:
        """Run branches at once, each on a forked session, and iterate over results as they come:

        ``async with s.as_completed(branches) as results: async for result in results: ...``

        Leaving the block cancels what is still running. A branch that lost its sample is left out.
        """
        path = self._next()
        return Branches(
            [partial(b, Session(self._run, f"{path}.{i}")) for i, b in enumerate(branches)]
        )

    async def gather(self, branches: Iterable[Callable[[Session], Awaitable[T]]]) -> list[T]:
        """Run branches at once, each on a forked session; results in order, lost ones left out."""
        numbered = [partial(_numbered, i, branch) for i, branch in enumerate(branches)]
        async with self.as_completed(numbered) as results:
            pairs = [pair async for pair in results]
        return [value for _, value in sorted(pairs, key=lambda pair: pair[0])]


Part = Callable[[Session, Problem], Awaitable[Trace]]
"""A strategy with its knobs."""


async def _numbered(
    index: int, branch: Callable[[Session], Awaitable[T]], session: Session
) -> tuple[int, T]:
    return index, await branch(session)


class Branches(Generic[T]):
    """Results of concurrent branches as they come; leaving the block cancels the rest.

    A branch that ended in a ``ModelError`` or ``RunFailed`` is left out: one lost sample is data,
    not a crash. So is one that the budget refused, unless there is nothing else to deliver: then
    ``LimitReached`` is raised. Any other error is raised at once.
    """

    def __init__(self, branches: Sequence[Callable[[], Awaitable[T]]]) -> None:
        self._branches = branches
        self._tasks: list[asyncio.Future[T]] = []
        self._ended: asyncio.Queue[asyncio.Future[T]] = asyncio.Queue()
        self._arriving = self._iterate()

    async def __aenter__(self) -> AsyncIterator[T]:
        for branch in self._branches:
            task = asyncio.ensure_future(branch())
            task.add_done_callback(self._ended.put_nowait)
            self._tasks.append(task)
        return self._arriving

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._arriving.aclose()
        for task in self._tasks:
            task.cancel()
        again: asyncio.CancelledError | None = None
        while running := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError as cancelled:
                again = cancelled  # of us, who are leaving anyhow: first see the others out
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # looked at, so that asyncio does not warn of it
        if again is not None:
            raise again

    async def _iterate(self) -> AsyncGenerator[T, None]:
        delivered, refused = 0, None
        for _ in self._tasks:
            task = await self._ended.get()
            try:
                value = task.result()
            except (ModelError, RunFailed):
                continue
            except LimitReached as error:
                refused = error
                continue
            delivered += 1
            yield value
        if refused is not None and not delivered:
            raise refused
