"""A process reward model behind vLLM's pooling API (or a compatible server).

To the rest of Ponder it is a ``Model``: a request's last message holds the steps of a solution, and
the completion's text is one score per step as JSON. It generates nothing, so it costs only prompt
tokens; budget, receipt, journal and retries treat it as any other model.

``qwen`` and ``math_shepherd`` are pooled by step on the server, which must be configured for that
(``--pooler-config '{"pooling_type": "STEP", "step_tag_id": ...}'``, for ``math_shepherd`` with
``returned_token_ids`` of '+' and '-', in this order). ``skywork`` is encoded by ``/tokenize`` and
pooled per token. ``classify`` goes to ``/classify``. All these lie beside ``/v1``, not under it.
"""

from __future__ import annotations

import asyncio
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
from ponder.core.text import jsontext
from ponder.core.trace import Delta
from ponder.models.base import Completion, ModelInfo, Progress, Request, Shape, silent
from ponder.models.http.endpoint import Endpoint, find_key, find_proxy, url_of
from ponder.models.http.failures import reason_of, retry_after
from ponder.models.http.received import (
    ACCEPTED,
    FIXED,
    PER_TOKEN,
    Malformed,
    clean,
    least_tokens,
    read_body,
    read_error,
)
from ponder.models.http.replies import parse
from ponder.models.reward import formats
from ponder.models.reward.formats import Format, Solution

PER_STEP, PER_MESSAGE, PER_PROMPT = 16, 16, 256  # tokens that tags and templates may add
MOST_TOKEN = 1 << 31  # a token's number is below this
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds; bounds of the back-off's jitter
AGAIN = (ModelUnreachable, RateLimited, ServerFault)  # nothing was spent


class RewardEndpoint:
    """A ``Model`` that scores.

    A connection serves one request: evaluating a solution takes much longer than opening one.
    ``sleep`` and ``rng`` make the pauses between attempts.

    Raises (at construction): UsageError: the configuration cannot work, or the key is not set.
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
        base = url_of(endpoint, "")
        self._root = str(base).removesuffix("/v1")
        self._proxy = find_proxy(base)
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
        """Count one token per UTF-8 byte, and an allowance for tags and a chat template.

        ``classify`` reads the prefix of a solution once per step, and is booked so.
        """
        sizes = [len(m.content.encode(errors="replace")) for m in messages]
        steps = messages[-1].content.count(BETWEEN) + 1
        times = steps if self.format == "classify" else 1
        once = sum(sizes) + PER_MESSAGE * len(sizes) + PER_STEP * steps + PER_PROMPT
        return once * times

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the count if every token were the longest of a vocabulary."""
        return least_tokens(sum(len(m.content) for m in messages))

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Score one solution (see the module)."""
        started = time.perf_counter()
        asked = formats.solution(request.messages)
        loop = asyncio.get_running_loop()
        slots = self._slots.setdefault(loop, asyncio.Semaphore(self.endpoint.concurrency))
        progress(Delta())
        bound = self.prompt_bound(request.messages)
        limit = FIXED + bound * PER_TOKEN  # at most one value per token
        async with slots, self._connected() as http:
            body, places = await self._body(http, asked, limit)
            path = "/classify" if self.format == "classify" else "/pooling"
            try:
                reply = await self._post(http, path, body, limit)
            except MalformedReply as error:  # it arrived, so it was evaluated
                raise MalformedReply(str(error), prompt_tokens=bound) from None
        least = self.prompt_least(request.messages)
        counted = formats.usage_of(reply)
        spent = bound if counted is None or counted < least else counted
        try:
            scores = formats.scores_of(reply, self.format, asked, places)
        except formats.NotScores as problem:
            raise MalformedReply(
                f"{self._who} sent a malformed reply: {problem}", prompt_tokens=spent
            ) from None
        text = formats.packed(scores)
        progress(Delta(text, prompt_tokens=spent))
        seconds = time.perf_counter() - started
        return Completion(text, "stop", spent, 0, seconds=seconds)

    async def close(self) -> None:
        """Do nothing: no connection stays open."""

    def _connected(self) -> aiohttp.ClientSession:
        headers = {"Accept-Encoding": ACCEPTED}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        endpoint = self.endpoint
        timeout = aiohttp.ClientTimeout(endpoint.timeout, sock_connect=endpoint.connect_timeout)
        return aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=timeout,
            proxy=self._proxy,
            auto_decompress=False,  # see received
        )

    async def _body(
        self, http: aiohttp.ClientSession, asked: Solution, limit: int
    ) -> tuple[dict[str, Any], list[int]]:
        """Return the body to post, and the places of the steps' last tokens, for ``skywork``."""
        fixed = {"model": self.endpoint.model, **self.endpoint.extra_body}
        if self.format == "qwen":
            messages = formats.chat(asked)
            return {**fixed, "messages": messages, "add_generation_prompt": False}, []
        if self.format == "math_shepherd":
            return {**fixed, "input": formats.tagged(asked)}, []
        if self.format == "classify":
            return {**fixed, "input": formats.growing(asked)}, []
        question, *steps = formats.pieces(asked)
        [*_, tag] = await self._tokens(http, formats.SKYWORK_TAG, limit)
        tokens, places = await self._tokens(http, question, limit, special=True), []
        for step in steps:
            tokens += [*await self._tokens(http, step, limit), tag]
            places.append(len(tokens) - 1)
        return {**fixed, "input": tokens}, places

    async def _tokens(
        self, http: aiohttp.ClientSession, text: str, limit: int, *, special: bool = False
    ) -> list[int]:
        """Return the tokens of a text: at most one per byte, and those that a tokenizer may
        prepend.
        """
        body = {"model": self.endpoint.model, "prompt": text, "add_special_tokens": special}
        tokens = (await self._post(http, "/tokenize", body, limit)).get("tokens")
        most = len(text.encode(errors="replace")) + PER_STEP
        if not isinstance(tokens, list) or not 0 < len(tokens) <= most:
            raise MalformedReply(f"{self._who} sent no tokens, or more than the text has bytes")
        if not all(type(token) is int and 0 <= token < MOST_TOKEN for token in tokens):
            raise MalformedReply(f"{self._who} sent no tokens, but something else in their place")
        return tokens

    async def _post(
        self, http: aiohttp.ClientSession, path: str, body: dict[str, Any], limit: int
    ) -> dict[str, Any]:
        """Return the reply to one request; refusals that cost nothing are retried."""
        attempt = 0
        while True:
            reply, after = await self._once(http, path, body, limit)
            if not isinstance(reply, ModelError):
                return reply
            if not isinstance(reply, AGAIN) or attempt == self.endpoint.retries:
                raise reply
            jitter = self._rng.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))
            await self._sleep(min(LONGEST_PAUSE, after) + jitter)
            attempt += 1

    async def _once(
        self, http: aiohttp.ClientSession, path: str, body: dict[str, Any], limit: int
    ) -> tuple[dict[str, Any] | ModelError, float]:
        """Return the reply or its error, and the seconds that the server asks to wait."""
        try:
            async with http.post(
                URL(self._root + path),
                data=jsontext.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,  # another host must not see the key
            ) as response:
                status, after = response.status, retry_after(response.headers)
                if status >= 300:
                    return await self._refused(status, response), after
                data, more = await read_body(response, limit)
            if more:
                raise Malformed(f"it has more than {limit:,} bytes")
            return parse(data), 0.0
        except TimeoutError:
            return ModelTimeout(f"{self._who} did not answer in time"), 0.0
        except (aiohttp.ClientError, OSError) as problem:
            why = f"{self._who} cannot be reached: {problem}"
            return ModelUnreachable(clean(why, self._key)), 0.0
        except Malformed as problem:
            return MalformedReply(f"{self._who} sent a malformed reply: {problem}"), 0.0

    async def _refused(self, status: int, response: aiohttp.ClientResponse) -> ModelError:
        try:
            reason = reason_of(await read_error(response, self._key))
        except Malformed as problem:
            reason = str(problem)
        if status < 400:
            reason = "it redirects elsewhere, which is not followed"
        kind = RateLimited if status == 429 else ServerFault if status >= 500 else RequestRefused
        return kind(clean(f"{self._who} answered {status}: {reason}", self._key))
