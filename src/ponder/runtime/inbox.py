"""The inbox of a run: steering actions that wait until the run offers their subject."""

from __future__ import annotations

import asyncio

from ponder.core.record.effects import Steer
from ponder.core.record.steering import Action
from ponder.runtime.journal import Journal

POLL = 0.1
"""Seconds between two checks of the journal of a paused run."""


class Inbox:
    """Actions in order of arrival. ``put`` and ``take`` are called on the run's event loop."""

    def __init__(self) -> None:
        self.paused = False
        """True while the run is paused."""
        self._waiting: list[Action] = []
        self._arrived = asyncio.Event()

    def put(self, action: Action) -> None:
        """Add an action."""
        self._waiting.append(action)
        self._arrived.set()

    def take(self, effect: Steer) -> tuple[Action, ...]:
        """Remove and return the actions that concern the offered traces."""
        if not self._waiting:
            return ()
        taken = [one for one in self._waiting if not one.node or one.node in effect.known]
        self._waiting = [one for one in self._waiting if one not in taken]
        for action in taken:
            if action.kind in ("pause", "resume"):
                self.paused = action.kind == "pause"
        return tuple(taken)

    async def changed(self) -> None:
        """Wait for the next action."""
        self._arrived.clear()
        await self._arrived.wait()


class Postbox(Inbox):
    """An inbox that also receives actions from other processes, through the run's journal."""

    def __init__(self, journal: Journal, run: str) -> None:
        super().__init__()
        self._journal, self._run = journal, run
        self._seen = -1
        self._numbers: dict[int, Action] = {}

    def take(self, effect: Steer) -> tuple[Action, ...]:
        """Remove and return the actions that concern the offered traces."""
        self._fetch()
        before = self.paused
        taken = super().take(effect)
        if self.paused != before:
            self._journal.pause(self._run, self.paused)
        for number, action in list(self._numbers.items()):
            if any(action is one for one in taken):
                self._journal.applied(number)
                del self._numbers[number]
        return taken

    def _fetch(self) -> None:
        changes = self._journal.changes
        if changes == self._seen:
            return
        self._seen = changes
        for number, action in self._journal.pending(self._run):
            if number not in self._numbers:
                self._numbers[number] = action
                self.put(action)

    async def changed(self) -> None:
        """Wait for the next action."""
        while not self._waiting:
            self._fetch()
            await asyncio.sleep(POLL)
