"""The counters of a server of models, as its ``/metrics`` shows them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

COUNTERS = {
    "prompt": (
        "llamacpp:prompt_tokens_total",
        "llamacpp:prompt_tokens_cached_total",
        "vllm:prompt_tokens_total",
        "sglang:prompt_tokens_total",
    ),
    "completion": (
        "llamacpp:tokens_predicted_total",
        "vllm:generation_tokens_total",
        "sglang:generation_tokens_total",
    ),
    "running": (
        "llamacpp:requests_processing",
        "llamacpp:requests_deferred",
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "sglang:num_running_reqs",
        "sglang:num_queue_reqs",
    ),
}
SETTLE = 600.0  # seconds after which a server is given up
POLL = 0.05  # seconds between two looks at the counters


@dataclass(frozen=True)
class Count:
    """The counters of a server."""

    prompt: int
    completion: int
    running: int

    def __sub__(self, other: Count) -> Count:
        prompt, completion = self.prompt - other.prompt, self.completion - other.completion
        return Count(prompt, completion, self.running)

    @classmethod
    def of(cls, text: str) -> Count:
        """Return the counters in a page of metrics, summed over their labels."""
        values: dict[str, float] = {}
        for name, value in re.findall(r"^([a-z]+:\w+)(?:\{[^\n]*\})? (\S+)", text, re.M):
            values[name] = values.get(name, 0.0) + float(value)
        if not values.keys() & set(COUNTERS["completion"]):
            sys.exit("the metrics have no counter of generated tokens that is known here.")
        return cls(*(int(sum(values.get(n, 0) for n in names)) for names in COUNTERS.values()))


@dataclass(frozen=True)
class Server:
    """The counters of a running server."""

    session: aiohttp.ClientSession
    url: str

    async def count(self) -> Count:
        """Return the counters now."""
        async with self.session.get(self.url) as response:
            if response.status in (404, 501):
                sys.exit(f"{self.url} answered {response.status}: does it show its metrics?")
            response.raise_for_status()  # it may still load its model
            return Count.of(await response.text())

    async def until(self, good: Callable[[Count], object]) -> tuple[Count, float]:
        """Return the counters once they are as they should be, and the seconds until then."""
        start = time.perf_counter()
        while (seconds := time.perf_counter() - start) < SETTLE:
            with contextlib.suppress(aiohttp.ClientError):
                if good(count := await self.count()):
                    return count, seconds
            await asyncio.sleep(POLL)
        sys.exit(f"waited {SETTLE:.0f} seconds for {self.url} in vain.")

    async def settled(self) -> tuple[Count, float]:
        """Return the counters once the server is idle, and the seconds until then."""
        return await self.until(lambda count: not count.running)
