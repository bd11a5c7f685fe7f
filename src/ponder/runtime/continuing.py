"""A model that goes on with the reply that a chat ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ponder.core.problem import Message
from ponder.models.base import Completion, Counting, Model, ModelInfo, Progress, Request, silent


def begun(messages: Sequence[Message]) -> bool:
    """Return True if a chat ends with a reply that has begun."""
    return messages[-1].role == "assistant"


class Continuing:
    """A ``Model`` (with ``prefill``) for which a turn of the assistant at the end of a chat is the
    beginning of its reply; completions are the rest.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def info(self) -> ModelInfo:
        """The model's own."""
        return self._model.info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the model's own bound."""
        return self._model.prompt_bound(*_apart(messages, prefix))

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the model's own bound."""
        return self._model.prompt_least(*_apart(messages, prefix))

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Generate one sample; a record of its end alone is none of the turn."""
        messages, prefix = _apart(request.messages, request.prefix)
        asked = replace(request, messages=messages, prefix=prefix)
        return replace(await self._model.generate(asked, progress), blocks="")

    async def count(self, text: str) -> int | None:
        """Return the model's own count, if it has one."""
        return await self._model.count(text) if isinstance(self._model, Counting) else None

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()


def _apart(messages: Sequence[Message], prefix: str) -> tuple[tuple[Message, ...], str]:
    """Return the chat without the reply that has begun, and all of that reply so far."""
    if not begun(messages):  # a question of the strategy's own
        return tuple(messages), prefix
    *before, last = messages
    return tuple(before), last.content + prefix
