"""Samples every problem n times, through the same runtime as any other run.

The engine is kept full across problems: a problem is begun as soon as there is room for all of its
samples among those in flight. Samples of one problem are requested together, so that its prompt is
evaluated once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ponder.core.budget import Budget
from ponder.core.costs.ledger import Receipt
from ponder.core.errors import (
    LimitReached,
    ModelError,
    RequestRefused,
    RunFailed,
    Stop,
    UsageError,
)
from ponder.core.record.effects import Sampling
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.experiments.suites.base import Item
from ponder.runtime.journal import Journal
from ponder.runtime.stack import Stack, World, stack

IN_FLIGHT = 64
"""Samples in flight: twice the slots of the embedded engine, so that none is ever empty."""
GIVE_UP = 32
"""Number of losses in a row after which the model is considered gone."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a recording, in samples."""

    wanted: int
    done: int
    replayed: int
    """Number of samples that an earlier attempt recorded."""
    failed: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a recording."""

    samples: int
    failed: int
    stopped_by: Stop | None
    """The limit that ended it, or ``overcharged``; None if it ran to its end."""
    receipt: Receipt
    lost: str = ""
    """Reason why one of the ``failed`` samples was lost."""


@dataclass(slots=True)
class Recorder:
    """Samples each item ``n`` times."""

    world: World
    items: Mapping[int, Item]
    """Items by their position in the suite."""
    n: int
    sampling: Sampling
    budget: Budget
    seed: int
    journal: Journal
    run: str
    tell: Callable[[Progress], None] = lambda progress: None
    """Called after every sample that arrives or is lost."""
    _done: int = 0
    _replayed: int = 0
    _lost: dict[tuple[int, int], ModelError] = field(default_factory=dict)
    _losses: int = 0
    _limit: Stop | None = None

    async def go(self) -> Outcome:
        """Request every sample that is not recorded yet; retries lost ones once at the end.

        Raises:
            RunFailed: the model gives no samples any more. Earlier samples are recorded.
        """
        built = stack(
            self.world,
            self.budget,
            journal=self.journal,
            run=self.run,
            ordered=False,
            exact_length=True,  # a sample truncated by the budget is not the one requested
        )
        known = {row.path for row in built.rows if row.lost is None}
        wanted = [(i, k) for i in self.items for k in range(self.n)]
        missing = [pair for pair in wanted if _path(*pair) not in known]
        self._replayed = self._done = len(wanted) - len(missing)
        self._report(built)
        await self._pass(missing, built)
        again = [pair for pair, why in self._lost.items() if not isinstance(why, RequestRefused)]
        if again and self._limit is None:
            self._losses = 0
            await self._pass(again, built)
        why = next(map(str, self._lost.values()), "")
        receipt = built.ledger.receipt()
        stopped = "overcharged" if receipt.overcharged else self._limit
        return Outcome(self._done, len(self._lost), stopped, receipt, why)

    async def _pass(self, pairs: Sequence[tuple[int, int]], built: Stack) -> None:
        problems: dict[int, list[int]] = {}
        for i, k in pairs:
            problems.setdefault(i, []).append(k)
        state = Run(built.perform, self.seed, self.sampling)
        flying: set[asyncio.Task[None]] = set()
        most = max(IN_FLIGHT, 2 * self.n)
        try:
            for i, samples in problems.items():
                while flying and len(flying) + len(samples) > most:
                    flying = await _landed(flying)
                if self._limit is not None:
                    break
                flying |= {asyncio.ensure_future(self._sample(state, i, k, built)) for k in samples}
            while flying:
                flying = await _landed(flying)
        finally:
            for task in flying:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*flying, return_exceptions=True)

    async def _sample(self, state: Run, i: int, k: int, built: Stack) -> None:
        try:
            await Session(state, f"{i}.{k}").grow(Trace.empty(self.items[i].problem))
        except LimitReached as reached:
            self._limit = reached.limit
            return
        except ModelError as error:
            self._lost[i, k] = error
            self._losses += 1
            if self._losses >= GIVE_UP:
                failed = RunFailed(f"{self._losses} samples in a row were lost: {error}")
                failed.receipt = built.ledger.receipt()
                raise failed from error
        else:
            self._lost.pop((i, k), None)
            self._losses = 0
            self._done += 1
        self._report(built)

    def _report(self, built: Stack) -> None:
        wanted = len(self.items) * self.n
        receipt = built.ledger.receipt()
        self.tell(Progress(wanted, self._done, self._replayed, len(self._lost), receipt))


async def _landed(flying: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait for the next task to end, and raise its exception here."""
    landed, flying = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
    for task in landed:
        task.result()
    return flying


def _path(i: int, k: int) -> str:
    return f"{i}.{k}.0"


def sample_of(path: str) -> tuple[int, int]:
    """Return the position of the problem in its suite, and of the sample in its problem.

    Raises:
        UsageError: the path is not that of a recording.
    """
    parts = path.split(".")
    if len(parts) != 3:
        raise UsageError(f"the journal holds the call {path}, which no recording makes.")
    return int(parts[0]), int(parts[1])
