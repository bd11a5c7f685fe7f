"""A model behind OpenAI's Chat Completions API, or a server that speaks it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.chat import Chat


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
