"""A model behind OpenAI's Chat Completions API, or a server that speaks it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from ponder.models.base import PATIENCE
from ponder.models.http.asking import asking
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.chat import Chat
from ponder.models.openai.dialects import dialect_of


class OpenAICompat(HttpModel):
    """A ``Model`` behind Chat Completions."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        super().__init__(endpoint, Chat, sleep=sleep, rng=rng)
        self._tokenizes = dialect_of(endpoint).tokenizes

    async def count(self, text: str) -> int | None:
        """Return the count of a server that tokenizes; one that fails to is not asked again."""
        if not self._tokenizes:
            return None
        asked = {
            "model": self.endpoint.model,
            "prompt": text,  # vLLM's word, and the next is llama.cpp's
            "content": text,
            "add_special_tokens": False,
        }
        async with asking(self.endpoint) as ask:
            listed = (await ask.post("/tokenize", asked, PATIENCE)).table.get("tokens")
        counted = len(listed) if isinstance(listed, list) else None
        if counted is None:
            self._tokenizes = False
        return counted
