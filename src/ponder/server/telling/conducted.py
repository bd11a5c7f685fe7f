"""One request's run: started, watched, and ended by its result or by whoever asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ponder.api import prepare
from ponder.core.record.events import Event, Subscriber
from ponder.core.sessions.run import ignore
from ponder.runtime.engine import Engine
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.server.asking.asked import Asked, Planned, lowered, plan, shared
from ponder.server.asking.served import Served
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.server.live.live import Live
from ponder.server.operation import logs
from ponder.server.operation.accounts import Operation, Running
from ponder.server.operation.gate import Gate, Ticket
from ponder.server.settings import Settings

if TYPE_CHECKING:
    from ponder.server.operation.traces import Traces


@dataclass(frozen=True, slots=True)
class House:
    """All that the handlers of one server share."""

    engine: Engine
    served: Served
    settings: Settings
    gate: Gate
    operation: Operation
    live: Live
    runs: set[Conducted] = field(default_factory=set)
    """The runs in progress or in the queue."""

    @classmethod
    def of(
        cls, engine: Engine, served: Served, settings: Settings, traces: Traces | None = None
    ) -> House:
        """Return what a server needs for its runs.

        Raises:
            UsageError: the record of what keys have spent cannot be used, or a trusted file is
                not there.
            PonderError: the journal cannot be used.
        """
        settings.check()
        live = Live(engine, settings.journal)
        if live.path is not None:
            engine.journal(live.path)
        gate = Gate(settings.at_once, settings.queue)
        operation = Operation(engine, settings, gate, logs.write, traces)
        return cls(engine, served, settings, gate, operation, live)

    def close(self) -> None:
        """End all runs, with their best answers so far."""
        for run in tuple(self.runs):
            run.end()

    async def stop(self) -> None:
        """End all runs, and wait until their cost is booked."""
        await asyncio.gather(*(run.stop() for run in tuple(self.runs)))


def conduct(
    house: House,
    key: Key,
    wanted: Sequence[Asked],
    publish: Callable[[int, Event], None] | None = None,
    *,
    held: bool = False,
) -> list[Conducted]:
    """Start a request's runs, within the ceiling of its key. ``publish`` is called with the place
    of the run and the event. ``held``: each is made ready, and does nothing before ``begin``.

    Raises:
        ApiError: the server takes no more runs now, or its key asks too often.
    """
    house.operation.admit(key)
    share = shared(key.ceiling, len(wanted))
    tickets = house.gate.tickets(key.name, len(wanted))
    return [
        Conducted(
            house,
            replace(asked, budget=lowered(asked.budget, share)),
            ticket,
            ignore if publish is None else partial(publish, at),
            held=held,
        )
        for at, (asked, ticket) in enumerate(zip(wanted, tickets, strict=True))
    ]


def _late() -> ApiError:
    return ApiError(
        "the deadline of this server passed before the run could begin: try again later.",
        503,
        "server_error",
        code="deadline",
    )


class Conducted:
    """A run in a task of its own, once its ``ticket`` is let in."""

    def __init__(
        self,
        house: House,
        asked: Asked,
        ticket: Ticket,
        publish: Subscriber = ignore,
        *,
        held: bool = False,
    ) -> None:
        self._house, self._asked, self._ticket = house, asked, ticket
        self._going = house.live.start(ticket.key, self, publish)
        self._begun = asyncio.Event()
        if not held:
            self._begun.set()
        self._runner: Runner | None = None
        self._stopped = False
        self._ready: asyncio.Future[Planned] = asyncio.get_running_loop().create_future()
        self._known = asyncio.Event()  # set with it; waiting for this takes a turn less of the loop
        self._task = asyncio.ensure_future(self._go())
        self._task.add_done_callback(self._settle)
        house.runs.add(self)
        self._late = False
        self._timer: asyncio.TimerHandle | None = None
        if house.settings.deadline is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(house.settings.deadline, self._expire)

    async def _go(self) -> Result:
        house, asked = self._house, self._asked
        await self._ticket.turn()
        async with house.served.open(asked.model) as used:
            planned = plan(asked, used.model.info, house.settings, house.served.names)
            planned, recorded = self._going.settled(planned), self._going.recorded
            account = house.operation.run
            with account(self._ticket.key, planned, used, resumed=bool(recorded)) as running:
                async with prepare(
                    running.planned.spec,
                    house.engine,
                    model=used,
                    journal=house.settings.journal,
                    run=recorded,
                    publish=running.heard(self._going.hear),
                ) as runner:
                    return await self._run(runner, running)

    async def _run(self, runner: Runner, running: Running) -> Result:
        self._runner = running.runner = runner
        if not self._ready.done():
            self._ready.set_result(running.planned)
            self._known.set()
        await self._begun.wait()
        if self._stopped:
            runner.interrupt()
        running.result = await runner.go()
        return running.result

    def _settle(self, task: asyncio.Future[Result]) -> None:
        """Give the place back, and wake whoever waits for a run that never became ready."""
        self._house.runs.discard(self)
        self._ticket.leave()
        if self._timer is not None:
            self._timer.cancel()
        error = None if task.cancelled() else task.exception()
        if self._ready.done():
            return
        if error is None and not self._late:
            self._ready.cancel()
        else:
            self._ready.set_exception(error or _late())
            self._ready.exception()  # heard of by ``result`` at the latest
        self._known.set()

    def _expire(self) -> None:
        self._late = True
        self.end()

    def begin(self) -> None:
        """Let a run begin that was held."""
        self._begun.set()

    def end(self) -> None:
        """End the run, with its best answer so far."""
        self._stopped = True
        self._begun.set()
        if self._runner is None:
            self._task.cancel()
        else:
            self._runner.interrupt()

    @property
    def queued(self) -> bool:
        """True if it waits for its turn."""
        return not self._ticket.inside

    async def ready(self) -> Planned:
        """Return the plan once nothing can refuse the run any more.

        Raises:
            ApiError, PonderError: it was refused, and nothing was spent.
        """
        if not self._ready.done():
            await self._known.wait()
        return self._ready.result()

    async def result(self) -> Result:
        """Return the result.

        Raises:
            PonderError: the run failed.
        """
        return await asyncio.shield(self._task)

    def ended(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` once the run has ended, after its last event."""
        self._task.add_done_callback(lambda task: tell())

    async def stop(self) -> None:
        """End the run now, and wait until its requests have ended and their cost is booked."""
        self.end()
        with suppress(asyncio.CancelledError, Exception):
            await asyncio.shield(self._task)
