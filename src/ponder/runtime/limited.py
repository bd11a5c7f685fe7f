"""A model with a limit on the number of requests in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ponder.core.problem import Message
from ponder.models.base import Completion, Counting, Model, ModelInfo, Progress, Request, silent


class Limited:
    """A ``Model`` whose excess requests wait."""

    def __init__(self, model: Model, at_once: int) -> None:
        self._model, self._slots = model, asyncio.Semaphore(at_once)

    @property
    def info(self) -> ModelInfo:
        """The model's own."""
        return self._model.info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the model's own bound."""
        return self._model.prompt_bound(messages, prefix)

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the model's own bound."""
        return self._model.prompt_least(messages, prefix)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Generate one sample, once a slot is free."""
        async with self._slots:
            return await self._model.generate(request, progress)

    async def count(self, text: str) -> int | None:
        """Return the model's own count, if it has one."""
        return await self._model.count(text) if isinstance(self._model, Counting) else None

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()
