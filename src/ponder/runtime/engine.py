"""The engine: one owner of everything that outlives a run.

It holds open models, the log, the processes that read answers and run programs, the runs in
progress, and limits across all of them. Closing it leaves nothing behind::

    async with Engine() as engine:                      # on this event loop
        await asyncio.gather(*(ponder.asolve(q, engine=engine) for q in questions))

    with Engine() as engine:                            # for callers without an event loop
        results = [ponder.solve(q, engine=engine) for q in questions]
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO, Cost
from ponder.core.errors import BudgetTooSmall, UsageError
from ponder.core.record.events import Subscriber
from ponder.core.record.steering import Action
from ponder.core.sessions.run import ignore
from ponder.models import config as configuration
from ponder.models.base import Mortal
from ponder.models.config import Config
from ponder.models.opening import Opened, Teller, identity, open_model
from ponder.runtime.job import Job
from ponder.runtime.journal import Journal
from ponder.runtime.limited import Limited
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.util.threads import LoopThread, in_thread
from ponder.verifiers.base import Tools

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Kept:
    """A model that is open or being opened."""

    opening: asyncio.Future[Opened]
    """Resolves to the model."""
    users: int = 0
    """Number of runs that use it now."""

    @property
    def lost(self) -> bool:
        """True if it must be opened again."""
        if not self.opening.done():
            return False
        if self.opening.cancelled() or self.opening.exception() is not None:
            return True
        model = self.opening.result().model
        return isinstance(model, Mortal) and model.dead


class Engine:
    """Owns open models, logs, workers, sandboxes and limits, and tracks the runs in progress.

    It belongs to one event loop: the loop that ``async with`` runs on, or with ``with`` a loop in
    its own thread.

    Args:
        config: the content of ``ponder.toml``; by default it is read when it is first needed.
        teller: receives notices about slow operations and choices made for the caller.
        unsafe: run programs without a sandbox if no sandbox works.
        at_once: most requests in flight to each model that is opened by name, in addition to the
            limit in an endpoint's configuration.
        budget: limit of all runs together, with ``seconds`` counted from the opening of the engine.
            Once it is used up, no run is started; runs in progress keep to their own budgets.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        teller: Teller | None = None,
        unsafe: bool = False,
        at_once: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        if at_once is not None and at_once < 1:
            raise UsageError(f"at_once must be 1 or more, not {at_once!r}.")
        self.tools = Tools.of(unsafe=unsafe)
        self._config, self._teller = config, teller or Teller()
        self._at_once, self._budget = at_once, budget or Budget()
        self._models: dict[Hashable, _Kept] = {}
        self._journals: dict[str, Journal] = {}
        self._going: set[_Going] = set()
        self._spent = Cost()
        self._owned = AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._behind: LoopThread | None = None
        self._closed = False

    # Opening and closing --------------------------------------------------------------------------

    async def __aenter__(self) -> Engine:
        if self._loop is not None:
            raise UsageError("the engine has been opened before: make another one.")
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._owned.push_async_callback(in_thread, self.tools.close)
        self._owned.callback(self._close_journals)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Interrupt the runs in progress, wait for their results, and close everything."""
        self._closed = True
        async with self._owned:
            going = list(self._going)
            for runner in going:
                runner.interrupt()
            for runner in going:
                await runner.ended.wait()
            openings = [kept.opening for kept in self._models.values()]
            for opening in openings:
                opening.cancel()
            await asyncio.gather(*openings, return_exceptions=True)
            self._models.clear()

    def _close_journals(self) -> None:
        while self._journals:
            self._journals.popitem()[1].close()

    def __enter__(self) -> Engine:
        self._behind = LoopThread()
        try:
            self._behind.wait(self.__aenter__())
        except BaseException:
            self._behind.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._behind is not None
        try:
            self._behind.wait(self.aclose())
        finally:
            self._behind.close()

    def wait(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the engine's loop, and return its result.

        Raises:
            UsageError: the engine is closed, was opened with ``async with``, or owns this loop.
        """
        self._check_open()
        if self._behind is None or self._behind.inside:
            raise UsageError(
                "an engine opened with 'async with' serves coroutines: await ponder.asolve, or "
                "open it with 'with' for ponder.solve."
            )
        return self._behind.wait(start())

    @property
    def open(self) -> bool:
        """True between its opening and its closing."""
        return self._loop is not None and not self._closed

    def _check_open(self) -> None:
        if self._loop is None:
            raise UsageError("the engine is not open: open it with 'async with' or 'with'.")
        if self._closed:
            raise UsageError("the engine is closed: open another one.")

    def _check(self) -> None:
        self._check_open()
        if asyncio.get_running_loop() is not self._loop:
            raise UsageError(
                "the engine belongs to another event loop: open one on this loop, or give an "
                "engine opened with 'with' to ponder.solve."
            )

    # What it owns ---------------------------------------------------------------------------------

    @cached_property
    def config(self) -> Config:
        """The content of ``ponder.toml``, read once.

        Raises:
            UsageError: the file is invalid.
        """
        return configuration.load() if self._config is None else self._config

    @asynccontextmanager
    async def model(self, name: str) -> AsyncIterator[Opened]:
        """Yield the model of that name, opened if necessary; it stays open for later runs.

        Concurrent callers share one opening. After a failure, the next caller tries again.

        Raises:
            UsageError, PonderError: as ``open_model``.
        """
        self._check()
        key = identity(name, self.config)
        kept = self._models.get(key)
        if kept is None or kept.lost:
            kept = self._models[key] = _Kept(asyncio.ensure_future(self._open(name)))
        kept.users += 1
        try:
            yield await asyncio.shield(kept.opening)
        finally:
            kept.users -= 1

    async def _open(self, name: str) -> Opened:
        opened = await open_model(name, self.config, self._teller)
        self._owned.push_async_callback(opened.model.close)
        if self._at_once is None:
            return opened
        return replace(opened, model=Limited(opened.model, self._at_once))

    def users(self, name: str) -> int:
        """Return the number of runs that use a model now; 0 also if it is not open."""
        kept = self._models.get(identity(name, self.config))
        return kept.users if kept else 0

    def journal(self, path: Path | str, *, join: bool = False) -> Journal:
        """Return the journal in that file, opened once; ``join`` as in ``Journal``."""
        self._check()
        name = str(Path(path).absolute())
        known = self._journals.get(name)
        if known is None or not Path(path).exists():  # the file may have been removed
            if known is not None:
                known.close()
            known = self._journals[name] = Journal(path, join=join)
        return known

    # Runs -----------------------------------------------------------------------------------------

    @property
    def spent(self) -> Cost:
        """Return the cost of all runs so far, including those in progress."""
        return sum((runner.spent for runner in self._going), self._spent)

    def start(
        self,
        job: Job,
        *,
        journal: Journal | None = None,
        run: str = "",
        publish: Subscriber = ignore,
    ) -> Runner:
        """Return a runner that is ready to ``go``; while it runs, the engine knows it by ``run``.

        Raises:
            BudgetTooSmall: the engine's budget is used up.
        """
        self._check()
        self._admit()
        return _Going(self, job, journal=journal, run=run, publish=publish)

    def _admit(self) -> None:
        assert self._loop is not None
        if self._budget == Budget():  # what was spent is a sum over all runs in progress
            return
        budget, spent = self._budget, self.spent
        for unit, limit, figure in (
            ("tokens", budget.tokens, spent.tokens),
            ("usd", budget.usd, spent.picousd / PICO),
            ("flops", budget.flops, spent.flops),
            ("seconds", budget.seconds, self._loop.time() - self._began),
        ):
            if limit is not None and figure >= limit:
                raise BudgetTooSmall(
                    f"the engine's budget of {limit:g} {unit} is used up: open another engine, or "
                    "one with a larger budget."
                )

    @property
    def runs(self) -> tuple[str, ...]:
        """The IDs of the recorded runs in progress."""
        return tuple(sorted(runner.run for runner in self._going if runner.run))

    def steer(self, run: str, action: Action) -> None:
        """Act on a run in progress, at the next point where it offers the action's subject.

        Raises:
            UsageError: the run is not in progress here.
        """
        self._tell(self._runner(run).steer, action)

    def interrupt(self, run: str) -> None:
        """Stop a run in progress; its result is its best answer so far.

        Raises:
            UsageError: the run is not in progress here.
        """
        self._tell(self._runner(run).interrupt)

    def _runner(self, run: str) -> Runner:
        for runner in tuple(self._going):
            if run and runner.run == run:
                return runner
        raise UsageError(f"run {run!r} is not in progress in this engine: see 'ponder runs list'.")

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        """Call it on the engine's loop: at once if that is the current one."""
        if self._behind is None or self._behind.inside:
            what(*arguments)
        else:
            self._behind.loop.call_soon_threadsafe(what, *arguments)

    @contextmanager
    def _running(self, runner: _Going) -> Iterator[None]:
        self._check()
        self._going.add(runner)
        try:
            yield
        finally:
            self._going.discard(runner)
            self._spent += runner.spent
            runner.ended.set()


class _Going(Runner):
    """A run that its engine tracks while it is in progress."""

    def __init__(self, engine: Engine, job: Job, **more: Any) -> None:
        super().__init__(job, **more)
        self._engine = engine
        self.ended = asyncio.Event()

    async def go(self) -> Result:
        with self._engine._running(self):
            return await super().go()


@asynccontextmanager
async def engine_of(caller: Engine | None) -> AsyncIterator[Engine]:
    """Yield the caller's engine, or one for this call."""
    if caller is not None:
        if not isinstance(caller, Engine):
            raise UsageError(f"engine must be a ponder.Engine, not {caller!r}.")
        yield caller
        return
    async with Engine() as own:
        yield own
