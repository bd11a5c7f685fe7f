"""A process reward model behind vLLM's pooling API (or another server's that speaks it).

To the rest of the house it is a ``Model``: a request's last message holds the steps of a solution,
and the completion's text is one score per step as JSON. It generates nothing, so what it costs is
prompt tokens; budget, receipt, journal and retries treat it as any other model.

``qwen`` and ``math_shepherd`` are pooled by step on the server, which must be told so
(``--pooler-config '{"pooling_type": "STEP", "step_tag_id": ...}'``, for ``math_shepherd`` with
``returned_token_ids`` of '+' and '-', in this order). ``skywork`` is encoded by ``/tokenize`` and
pooled per token. ``classify`` goes to ``/classify``. All these lie beside ``/v1``, not under it.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from yarl import URL

from ponder.core.errors import (
    MalformedReply,
    ModelError,
    ModelTimeout,
    ModelUnreachable,
    RateLimited,
    RequestRefused,
    ServerFault,
)
from ponder.core.problem import Message
from ponder.core.steps import BETWEEN
from ponder.models.base import Completion, ModelInfo, Progress, Request, Shape, silent
from ponder.models.openai.endpoint import Endpoint, chat_url, find_key, find_proxy
from ponder.models.openai.wire import Malformed, error_message, parse, retry_after
from ponder.models.reward import formats
from ponder.models.reward.formats import Format, Solution

PER_STEP, PER_MESSAGE, PER_PROMPT = 16, 16, 256  # tokens that tags and templates may add
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds; bounds of the back-off's jitter
AGAIN = (ModelUnreachable, RateLimited, ServerFault)  # nothing was spent


class RewardEndpoint:
    """A ``Model`` that scores. A connection serves one request: evaluating a solution takes much
    longer than to open one. ``sleep`` and ``rng`` make the pauses between attempts.

    Raises (at construction):
        UsageError: the configuration cannot work, or the key is not set.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        format: Format,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self.endpoint, self.format = endpoint, format
        self._who = f"endpoint {endpoint.name!r}"
        self._sleep, self._rng = sleep, rng or random.Random()
        chat = chat_url(endpoint)
        self._root = str(chat).removesuffix("/chat/completions").removesuffix("/v1")
        self._proxy = find_proxy(chat)
        self._key = find_key(endpoint)
        shape = Shape(endpoint.parameters, endpoint.attention)
        none: frozenset[Any] = frozenset()
        self._info = ModelInfo(endpoint.name, none, shape, endpoint.context, endpoint.local)
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._slots = WeakKeyDictionary()

    @property
    def info(self) -> ModelInfo:
        """Name and size, as configured. It has no capabilities: it does not generate."""
        return self._info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """One token per UTF-8 byte, and what tags and a chat template may add.

        ``classify`` reads the beginning of a solution once per step, and is booked so.
        """
        sizes = [len(m.content.encode(errors="replace")) for m in messages]
        steps = messages[-1].content.count(BETWEEN) + 1
        times = steps if self.format == "classify" else 1
        once = sum(sizes) + PER_MESSAGE * len(sizes) + PER_STEP * steps + PER_PROMPT
        return once * times

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Score one solution (see the module)."""
        started = time.perf_counter()
        asked = formats.solution(request.messages)
        loop = asyncio.get_running_loop()
        slots = self._slots.setdefault(loop, asyncio.Semaphore(self.endpoint.concurrency))
        progress(0, 0)
        async with slots, self._connected() as http:
            body, places = await self._body(http, asked)
            path = "/classify" if self.format == "classify" else "/pooling"
            reply = await self._post(http, path, body)
        bound = self.prompt_bound(request.messages)
        spent = formats.usage_of(reply)
        spent = bound if spent is None else spent
        try:
            scores = formats.scores_of(reply, self.format, asked, places)
        except formats.NotScores as problem:
            raise MalformedReply(
                f"{self._who} sent a malformed reply: {problem}", prompt_tokens=spent
            ) from None
        progress(spent, 0)
        seconds = time.perf_counter() - started
        return Completion(formats.packed(scores), "stop", spent, 0, seconds=seconds)

    async def close(self) -> None:
        """Nothing stays open."""

    def _connected(self) -> aiohttp.ClientSession:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        endpoint = self.endpoint
        timeout = aiohttp.ClientTimeout(endpoint.timeout, sock_connect=endpoint.connect_timeout)
        return aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), headers=headers, timeout=timeout, proxy=self._proxy
        )

    async def _body(
        self, http: aiohttp.ClientSession, asked: Solution
    ) -> tuple[dict[str, Any], list[int]]:
        """What to post, and the places of the steps' last tokens, for ``skywork``."""
        fixed = {"model": self.endpoint.model, **self.endpoint.extra_body}
        if self.format == "qwen":
            messages = formats.chat(asked)
            return {**fixed, "messages": messages, "add_generation_prompt": False}, []
        if self.format == "math_shepherd":
            return {**fixed, "input": formats.tagged(asked)}, []
        if self.format == "classify":
            return {**fixed, "input": formats.growing(asked)}, []
        question, *steps = formats.pieces(asked)
        [*_, tag] = await self._tokens(http, formats.SKYWORK_TAG)
        tokens, places = await self._tokens(http, question, special=True), []
        for step in steps:
            tokens += [*await self._tokens(http, step), tag]
            places.append(len(tokens) - 1)
        return {**fixed, "input": tokens}, places

    async def _tokens(
        self, http: aiohttp.ClientSession, text: str, *, special: bool = False
    ) -> list[int]:
        body = {"model": self.endpoint.model, "prompt": text, "add_special_tokens": special}
        tokens = (await self._post(http, "/tokenize", body)).get("tokens")
        if not isinstance(tokens, list) or not tokens or not all(type(t) is int for t in tokens):
            raise MalformedReply(f"{self._who} sent no tokens")
        return tokens

    async def _post(
        self, http: aiohttp.ClientSession, path: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        """The reply to one request; refusals that nothing was spent on are met by trying again."""
        attempt = 0
        while True:
            reply, after = await self._once(http, path, body)
            if not isinstance(reply, ModelError):
                return reply
            if not isinstance(reply, AGAIN) or attempt == self.endpoint.retries:
                raise reply
            jitter = self._rng.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))
            await self._sleep(min(LONGEST_PAUSE, after) + jitter)
            attempt += 1

    async def _once(
        self, http: aiohttp.ClientSession, path: str, body: dict[str, Any]
    ) -> tuple[dict[str, Any] | ModelError, float]:
        """The reply or what was in its place, and the seconds that the server asks to wait."""
        try:
            async with http.post(
                URL(self._root + path),
                data=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,  # another host must not see the key
            ) as response:
                status, data = response.status, await response.read()
                after = retry_after(response.headers)
        except TimeoutError:
            return ModelTimeout(f"{self._who} did not answer in time"), 0.0
        except (aiohttp.ClientError, OSError) as problem:
            why = f"{self._who} cannot be reached: {problem}"
            return ModelUnreachable(self._clean(why)), 0.0
        if status >= 300:
            return self._refused(status, data), after
        try:
            return parse(data), 0.0
        except Malformed as problem:
            return MalformedReply(f"{self._who} sent a malformed reply: {problem}"), 0.0

    def _refused(self, status: int, data: bytes) -> ModelError:
        try:
            reason = error_message(parse(data))
        except Malformed:
            reason = data.decode(errors="replace") or "no reason given"
        if status < 400:
            reason = "it redirects elsewhere, which is not followed"
        kind = RateLimited if status == 429 else ServerFault if status >= 500 else RequestRefused
        return kind(self._clean(f"{self._who} answered {status}: {reason}"))

    def _clean(self, text: str) -> str:
        """One line, short, without the key."""
        text = " ".join(text.split())
        if self._key:
            text = text.replace(self._key, "[key]")
        return text if len(text) <= 240 else text[:239] + "…"
