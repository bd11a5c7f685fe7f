"""Many problems within one budget, as one run: one ledger, one admission, one journal.

Sample k of problem i has the path ``i.k``, and its seed follows from it. Samples are decided on in
waves (``policies.allocation``), each after all of the last one arrived, so the outcome does not
depend on the order of arrival. A journalled sample is never drawn again; the decisions follow from
the samples, so that a run that was killed goes on to the same end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from ponder.core.budget import Budget
from ponder.core.costs.ledger import Item, Receipt
from ponder.core.errors import Limit, LimitReached, ModelError, RequestRefused, Stop
from ponder.core.outlook import Outlook, Seen
from ponder.core.problem import Problem
from ponder.core.record.effects import Call, Result, Sampling
from ponder.core.sessions.branches import Branches
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.policies.allocation import Allocation
from ponder.runtime.journal import Journal
from ponder.runtime.stack import Stack, World, stack

TINY = 1e-9
"""Least price of a sample, in the unit that counts: a model may be free in it."""

Ending = Stop | Literal["settled", "n", "lost", "interrupt"]
"""Reason why a problem got no more samples: a limit of the budget; ``settled``, as they were not
expected to gain anything; ``n``, as it had as many as the caller allows; ``lost``, as requests
failed; or ``interrupt``.
"""


@dataclass(frozen=True, slots=True)
class Share:
    """Samples and outcome of one problem."""

    traces: tuple[Trace, ...]
    """Its samples, in the order of request."""
    spent: Item
    """The sum of its calls."""
    stopped_by: Ending


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a batch."""

    problems: int
    sampled: int
    """Number of problems with a sample."""
    samples: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a batch."""

    shares: tuple[Share, ...]
    """One for each problem."""
    stopped_by: Ending
    """The reason why the whole ended: ``settled`` if every problem had what it needed."""
    receipt: Receipt
    lost: str = ""
    """Reason why a sample was lost; '' if none was."""


@dataclass(slots=True)
class Batch:
    """Samples of many problems, each where it is expected to gain most."""

    world: World
    problems: Sequence[Problem]
    outlooks: Sequence[Outlook]
    """The forecast of the votes of each problem."""
    n: int
    """Most samples of a problem."""
    at_once: int
    """Samples in flight, and in a wave."""
    sampling: Sampling
    budget: Budget
    unit: Limit
    """The unit in which a sample's price counts."""
    seed: int = 0
    journal: Journal | None = None
    run: str = ""
    tell: Callable[[Progress], None] = lambda progress: None
    """Called after every sample that arrives or is lost."""
    _traces: list[list[Trace]] = field(default_factory=list)
    _lost: list[int] = field(default_factory=list)
    _refused: set[int] = field(default_factory=set)
    _spent: list[Item] = field(default_factory=list)
    _paid: dict[str, Item] = field(default_factory=dict)
    _why: str = ""
    _ended: Ending = "settled"
    _task: asyncio.Future[None] | None = None
    _interrupted: bool = False

    def interrupt(self) -> None:
        """Stop now; the outcome is made of what has arrived."""
        if self._task is not None and not self._interrupted:
            self._task.cancel()
        self._interrupted = True

    async def go(self) -> Outcome:
        """Run until nothing is worth its while, to the budget's end, or to the interruption."""
        built = stack(
            self.world,
            self.budget,
            journal=self.journal,
            run=self.run,
            ordered=False,  # a sample's place says all about it
            exact_length=True,  # the same sample, whatever the budget
        )
        count = len(self.problems)
        self._traces, self._lost = [[] for _ in range(count)], [0] * count
        self._spent = [Item("generate", self.world.model.info.name)] * count
        for row in built.rows:
            if row.spent is not None:
                self._book(row.path, row.spent)
        allocation = Allocation(self.outlooks, [1.0] * count, self.n)
        self._task = asyncio.ensure_future(self._waves(built, allocation))
        if self._interrupted:
            self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            here = asyncio.current_task()
            if not self._interrupted or (here is not None and here.cancelling()):
                raise
            self._ended = "interrupt"
        receipt = built.ledger.receipt()
        if receipt.overcharged:
            self._ended = "overcharged"
        shares = tuple(self._share(i, allocation) for i in range(count))
        return Outcome(shares, self._ended, receipt, self._why)

    async def _waves(self, built: Stack, allocation: Allocation) -> None:
        async def perform(call: Call) -> Result:
            try:
                return await built.perform(call)
            finally:
                if call.spent is not None:
                    self._book(call.path, call.spent)

        state = Run(perform, self.seed, self.sampling)
        room = asyncio.Semaphore(self.at_once)
        while coming := allocation.wave(self.at_once):
            before = sum(map(len, self._traces))
            pairs = [
                (i, k)
                for i, more in coming
                for k in range(allocation.asked(i) - more, allocation.asked(i))
            ]
            draws = [partial(self._draw, state, room, i, k) for i, k in pairs]
            async with Branches(draws) as arriving:
                async for _ in arriving:
                    self.tell(self._progress(built))
            if self._ended != "settled":
                return
            if sum(map(len, self._traces)) == before:
                self._ended = "lost"  # the model gives no samples any more
                return
            every = [self._figure(self._paid[t.id]) for traces in self._traces for t in traces]
            usual = sum(every) / len(every)
            for i, _ in coming:
                allocation.learn(i, self._seen(i), self._price(i, usual))
                if i in self._refused:
                    allocation.close(i)

    async def _draw(self, state: Run, room: asyncio.Semaphore, i: int, k: int) -> None:
        async with room:
            try:
                trace = await Session(state, f"{i}.{k}").grow(Trace.empty(self.problems[i]))
            except LimitReached as reached:
                self._ended = reached.limit
            except ModelError as error:
                self._lost[i] += 1
                self._why = str(error)
                if isinstance(error, RequestRefused):
                    self._refused.add(i)
            else:
                self._traces[i].append(trace)

    def _seen(self, i: int) -> Seen:
        """Return a problem's votes; a lost sample counts as one without an answer."""
        keys = [trace.answer.key for trace in self._traces[i] if trace.answer is not None]
        counts = tuple(sorted(Counter(keys).values(), reverse=True))
        return Seen(counts, len(self._traces[i]) - len(keys) + self._lost[i])

    def _price(self, i: int, usual: float) -> float:
        """Return the price of one more sample: the mean of the problem's own, drawn towards what is
        ``usual``.

        It follows from recorded costs alone, so that a resumed run decides as before.
        """
        own = [self._paid[trace.id] for trace in self._traces[i]]
        return max(TINY, (usual + sum(map(self._figure, own))) / (1 + len(own)))

    def _figure(self, spent: Item) -> float:
        figures: dict[Limit, float] = {
            "tokens": spent.cost.tokens,
            "usd": spent.picousd,
            "flops": spent.flops,
            "seconds": spent.seconds,
        }
        return figures[self.unit]

    def _book(self, path: str, spent: Item) -> None:
        self._paid[path] = spent
        i = int(path.partition(".")[0])
        self._spent[i] = self._spent[i].plus(spent)

    def _progress(self, built: Stack) -> Progress:
        return Progress(
            len(self.problems),
            sum(map(bool, self._traces)),
            sum(map(len, self._traces)),
            built.ledger.receipt(),
        )

    def _share(self, i: int, allocation: Allocation) -> Share:
        traces = tuple(sorted(self._traces[i], key=lambda trace: trace.order))
        ended: Ending = self._ended
        if i in self._refused or (not traces and self._lost[i]):
            ended = "lost"
        elif len(traces) + self._lost[i] >= self.n:
            ended = "n"
        elif len(traces) + self._lost[i] >= allocation.asked(i) and not allocation.open(i):
            ended = "settled" if allocation.asked(i) else self._ended
        return Share(traces, self._spent[i], ended)
