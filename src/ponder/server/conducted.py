"""One request's run: started, watched, and ended by its result or by whoever asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ponder.api import prepare
from ponder.core.events import Subscriber
from ponder.core.run import ignore
from ponder.runtime.engine import Engine
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.server.asked import Asked, Planned, plan
from ponder.server.served import Served
from ponder.server.settings import Settings


@dataclass(frozen=True, slots=True)
class House:
    """All that the handlers of one server share."""

    engine: Engine
    served: Served
    settings: Settings


class Conducted:
    """A run in a task of its own. ``planned`` is there once it is ``ready``."""

    def __init__(self, house: House, asked: Asked, publish: Subscriber = ignore) -> None:
        self._house, self._asked, self._publish = house, asked, publish
        self._runner: Runner | None = None
        self._stopped = False
        self._ready: asyncio.Future[Planned] = asyncio.get_running_loop().create_future()
        self._task = asyncio.ensure_future(self._go())
        self._task.add_done_callback(self._settle)

    async def _go(self) -> Result:
        house, asked = self._house, self._asked
        async with house.served.open(asked.model) as used:
            planned = plan(asked, used.model.info, house.settings, house.served.names)
            async with prepare(
                planned.spec,
                house.engine,
                model=used,
                journal=house.settings.journal,
                publish=self._publish,
            ) as runner:
                self._runner = runner
                if not self._ready.done():
                    self._ready.set_result(planned)
                if self._stopped:
                    runner.interrupt()
                return await runner.go()

    def _settle(self, task: asyncio.Future[Result]) -> None:
        """Wake whoever waits for a run that never became ready."""
        if self._ready.done():
            return
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._ready.cancel()
        else:
            self._ready.set_exception(error)
            self._ready.exception()  # heard of by ``result`` at the latest

    @property
    def run(self) -> str:
        """The run's ID; '' if it is not recorded or not ready."""
        return self._runner.run if self._runner else ""

    async def ready(self) -> Planned:
        """Return the plan once nothing can refuse the run any more.

        Raises:
            ApiError, PonderError: it was refused, and nothing was spent.
        """
        return await asyncio.shield(self._ready)

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
        self._stopped = True
        if self._runner is None:
            self._task.cancel()
        else:
            self._runner.interrupt()
        with suppress(asyncio.CancelledError, Exception):
            await asyncio.shield(self._task)
