"""The callers that wait for samples of one HTTP request: they receive progress, and may leave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ponder.core.errors import ModelError
from ponder.core.trace import Delta
from ponder.models.base import Completion, Progress


@dataclass(slots=True, eq=False)
class Caller:
    """A caller that waits for one sample."""

    progress: Progress
    future: asyncio.Future[Completion] | None = None
    """Resolves to the sample; None for a request that is not shared, which is awaited itself."""
    text: int = 0
    """Number of characters of the text reported so far."""
    reasoning: int = 0
    """Number of characters of the reasoning reported so far."""

    @property
    def waits(self) -> bool:
        """True unless the sample was cancelled."""
        return self.future is None or not self.future.done()

    def tell(self, delta: Delta) -> None:
        """Report a delta, if the caller still waits for it."""
        if self.waits:
            self.text += len(delta.text)
            self.reasoning += len(delta.reasoning)
            self.progress(delta)

    def end(self, done: Completion, *, watched: bool) -> None:
        """Report the rest of the sample."""
        rest = (done.text[self.text :], done.reasoning[self.reasoning :]) if watched else ("", "")
        self.tell(Delta(*rest, done.completion_tokens, done.prompt_tokens))


Outcomes = list[tuple[Caller, Completion | ModelError]]
"""The outcome of each sample."""


def tie(task: asyncio.Task[Outcomes], futures: list[asyncio.Future[Completion]]) -> None:
    """Pass the task's outcomes to the futures, and cancel it once all of them are cancelled."""

    def settle(task: asyncio.Task[Outcomes]) -> None:
        bug = None if task.cancelled() else task.exception()
        for caller, outcome in [] if task.cancelled() or bug else task.result():
            if caller.future and not caller.future.done():
                if isinstance(outcome, ModelError):
                    caller.future.set_exception(outcome)
                else:
                    caller.future.set_result(outcome)
        for future in futures:
            if not future.done():
                future.set_exception(bug) if bug else future.cancel()

    def left(future: asyncio.Future[Completion]) -> None:
        if future.cancelled() and all(f.done() for f in futures):
            task.cancel()

    task.add_done_callback(settle)
    for future in futures:
        future.add_done_callback(left)
