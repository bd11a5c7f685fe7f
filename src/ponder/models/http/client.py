"""A client of any vendor's API over HTTP; a ``Wire`` says what crosses it.

Tokens are counted so that a budget holds even if the endpoint misbehaves:

- refused before it was accepted (no connection, 3xx, 4xx, 5xx, an error object): nothing was spent;
- lost after it was sent (time-out, truncated or unreadable reply): the usage in the reply; failing
  that, for a stream the prompt's bound and the tokens received, and otherwise the worst case;
- a reply without ``usage``, or with a part of it: for what is missing, the prompt's bound and
  ``max_tokens``.

An attempt is repeated here only if it cost nothing, so that all attempts together stay within
``prompt_bound + max_tokens``. One that was paid for fails; ``runtime.handlers.retried`` may repeat
the request. A refusal that names its reason (a field that the model does not take, a context that
is too short) teaches the client, and the request is sent again as the server wants it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import aiohttp

from ponder.core.errors import (
    MalformedReply,
    ModelError,
    ModelTimeout,
    ModelUnreachable,
    RequestRefused,
)
from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.base import Completion, ModelInfo, Pace, Progress, Request, Shape, silent
from ponder.models.http import lessons
from ponder.models.http.callers import Caller, Outcomes, tie
from ponder.models.http.carried import SIGNED, sealed
from ponder.models.http.endpoint import Endpoint, check, find_key, find_proxy, url_of
from ponder.models.http.failures import Failure, lost, reached, reason_of, refused
from ponder.models.http.links import Link, Links
from ponder.models.http.prompts import Prompt, Prompts, encode, forbid
from ponder.models.http.received import (
    ACCEPTED,
    Malformed,
    clean,
    most_bytes,
    read_body,
    read_error,
)
from ponder.models.http.replies import Choice, Reply, Spent, parse, share_out
from ponder.models.http.stream import Stream, receive
from ponder.models.http.wire import Change, Wire

GROUP = 128  # the most samples in one HTTP request
PATIENCE = 60.0  # seconds; no server makes us wait longer before a retry
LESSONS = 8  # refusals that one request may learn from
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds; bounds of the back-off's jitter


class HttpModel:
    """A ``Model`` behind HTTP; one object may serve several event loops.

    Raises ``UsageError`` at construction if the configuration cannot work or the key is not set.
    ``sleep`` and ``rng`` make the pauses between attempts.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        wire: Callable[[Endpoint], Wire],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._who = f"endpoint {endpoint.name!r}"
        self._sleep, self._rng = sleep, rng or random.Random()
        self._key = find_key(endpoint)
        self._make_wire = wire
        self._remarks: list[str] = []
        self._counts_first = False  # True if it counts only the first of several choices
        proxy = find_proxy(url_of(endpoint, ""))
        self._adopt(endpoint)
        forbid(endpoint, self._wire)
        connect, idle = endpoint.connect_timeout, endpoint.idle_timeout
        self._timeouts = [  # unstreamed, streamed
            aiohttp.ClientTimeout(endpoint.timeout, sock_connect=connect, sock_read=read)
            for read in (None, idle)
        ]
        headers = {"Content-Type": "application/json", "Accept-Encoding": ACCEPTED}
        self._links = Links(
            headers | dict(self._wire.headers(self._key)),
            proxy,
            endpoint.concurrency,
            # llama.cpp closes after a stream without notice; a request sent into that is lost, and
            # may have been paid.
            keep=not endpoint.stream,
        )

    def _adopt(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._wire = self._make_wire(endpoint)
        self._prompts = Prompts(self._wire, endpoint)
        paths = [self._wire.path(streamed=streamed) for streamed in (False, True)]
        self._urls = [url_of(endpoint, path) for path in paths]
        self._info = ModelInfo(
            endpoint.name,
            endpoint.able,
            Shape(endpoint.parameters, endpoint.attention),
            endpoint.context,
            endpoint.local,
            endpoint.most_beside,
            endpoint.think_open,
            Pace(each=0.1, at_once=endpoint.concurrency),
            endpoint.stores,
            tuple(self._remarks),
        )

    @property
    def info(self) -> ModelInfo:
        """Name, capabilities and size, as configured or as the server has said since."""
        return self._info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the exact count once the endpoint has counted this very prompt.

        Until then, count one token per UTF-8 byte, and an allowance for a chat template.
        """
        return self._prompts.get(messages, prefix).tokens

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the exact count once it is known; until then, that of the longest tokens."""
        prompt = self._prompts.get(messages, prefix)
        return prompt.tokens if prompt.exact else prompt.least

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Generate one sample (see ``Model``).

        While nothing is known of a sample in flight, its worst case is ``due``.
        """
        lessons.check(self.endpoint, request)
        check(request, self._info)
        for remark in self._wire.remarks(request):
            self._remark(remark)
        link = await self._links.get()
        if "n" in self._info.capabilities and not self._counts_first:
            return await self._join(link, request, progress)
        [(_, outcome)] = await self._run(link, request, [Caller(progress)])
        if isinstance(outcome, ModelError):
            raise outcome
        return outcome

    def learn(self, messages: tuple[Message, ...], prefix: str, tokens: int) -> None:
        """Record the exact size of a prompt, if the caller knows it before the endpoint does."""
        prompt = self._prompts.get(messages, prefix)
        prompt.tokens, prompt.exact = tokens, True

    async def close(self) -> None:
        """Close this event loop's connections; a later ``generate`` opens new ones."""
        await self._links.close()

    def _remark(self, remark: str) -> None:
        if remark not in self._remarks:
            self._remarks.append(remark)
            self._info = replace(self._info, remarks=tuple(self._remarks))

    async def _join(self, link: Link, request: Request, progress: Progress) -> Completion:
        """Send requests of this tick that differ only in their seed as one."""
        loop = asyncio.get_running_loop()
        if not link.pending:
            loop.call_soon(self._flush, loop, link)
        same = replace(request, seed=0)
        future: asyncio.Future[Completion] = loop.create_future()
        link.pending.setdefault(same, (request, []))[1].append(Caller(progress, future))
        return await future

    def _flush(self, loop: asyncio.AbstractEventLoop, link: Link) -> None:
        pending, link.pending = link.pending, {}
        for request, callers in pending.values():
            for start in range(0, len(callers), GROUP):
                group = callers[start : start + GROUP]
                futures = [caller.future for caller in group if caller.future]
                tie(loop.create_task(self._run(link, request, group)), futures)

    def _short(self, reply: Reply, callers: list[Caller]) -> list[Caller]:
        """Return the callers whose samples the server left out, and did not count either."""
        if len(reply.choices) >= len(callers) or not reply.usage or reply.usage.completion is None:
            return []
        self._change(Change(drop=frozenset({"n"})))
        return callers[len(reply.choices) :]

    async def _apart(self, link: Link, request: Request, callers: list[Caller]) -> Outcomes:
        """Ask for each sample by a request of its own, which is cancelled with its caller."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._run(link, request, [caller])) for caller in callers]
            for task, caller in zip(tasks, callers, strict=True):
                tie(task, [caller.future] if caller.future else [])
        return [outcome for task in tasks if not task.cancelled() for outcome in task.result()]

    async def _run(self, link: Link, request: Request, callers: list[Caller]) -> Outcomes:
        """Try until it succeeds, must not be tried again, or no caller waits.

        The prompt is booked on the first caller.
        """
        started = time.perf_counter()

        def report(delta: Delta) -> None:
            for place, caller in enumerate(callers):
                if place == 1 and delta.prompt_tokens:
                    delta = replace(delta, prompt_tokens=0)
                caller.tell(delta)

        attempt = learnt = 0
        while True:
            prompt = self._prompts.get(request.messages, request.prefix)
            room = self.endpoint.context - prompt.tokens
            if prompt.exact and 0 < room < request.max_tokens:  # more would be refused
                request = replace(request, max_tokens=room)
            async with link.slots:
                callers = [caller for caller in callers if caller.waits]
                if not callers:
                    return []
                asked = self.endpoint
                result = await self._attempt(link, request, prompt, len(callers), report)
            if isinstance(result, Reply):
                short = self._short(result, callers)
                callers = callers[: len(callers) - len(short)]
                seconds = time.perf_counter() - started
                size, bound = len(callers), prompt.tokens
                outcomes = share_out(result, request, size, bound, seconds, self._who)
                for caller, outcome in zip(callers, outcomes, strict=True):
                    if isinstance(outcome, Completion):
                        caller.end(outcome, watched=request.watched)
                self._prompts.grew(prompt, request, outcomes)
                others = await self._apart(link, request, short) if short else []
                return [*zip(callers, outcomes, strict=True), *others]
            if result.change and learnt < LESSONS:
                taught = self._taught(result.change, asked, request, prompt)
                if taught is not None:
                    learnt, request = learnt + 1, taught
                    report(Delta())
                    if len(callers) > 1 and "n" not in self._info.capabilities:
                        return await self._apart(link, request, callers)
                    continue
            hopeless = result.kind is RequestRefused or attempt == self.endpoint.retries
            if hopeless or result.spent.total:  # nothing is paid for twice here
                return lost(result, request, callers)
            report(Delta())
            jitter = self._rng.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))
            await self._sleep(min(PATIENCE, result.after) + jitter)
            attempt += 1

    def _taught(
        self, change: Change, asked: Endpoint, request: Request, prompt: Prompt
    ) -> Request | None:
        """Change what is sent from now on; return the request to send, None if that is no use.

        ``asked`` is what was refused: others may have learned the same since.
        """
        endpoint = self._change(change)
        if lessons.missed(endpoint, request):
            return None
        if change.prompt:
            prompt.tokens, prompt.exact = change.prompt, True
        if change.context:
            fits = change.prompt and 0 < change.context - change.prompt < request.max_tokens
            return request if fits else None
        return None if endpoint == asked else request

    def _change(self, change: Change) -> Endpoint:
        """Return the endpoint as it is asked from now on."""
        before, counted = self.endpoint, self._prompts
        self._adopt(change.applied(before))
        if SIGNED not in change.drop:
            self._prompts = counted
        for remark in lessons.remarks(before, self.endpoint):
            self._remark(remark)
        return self.endpoint

    async def _attempt(
        self, link: Link, request: Request, prompt: Prompt, samples: int, report: Progress
    ) -> Reply | Failure:
        """Send one HTTP request; all its possible failures are classified here."""

        def grown() -> None:
            assert stream
            told = stream.fresh() if request.watched else ("", "")
            usage = stream.usage
            known = prompt.tokens if usage is None or usage.prompt is None else usage.prompt
            due = most if stream.hidden else None
            report(Delta(*told, stream.tokens, max(known, prompt.least), due))

        endpoint, wire = self.endpoint, self._wire
        streamed = endpoint.stream and samples == 1
        limit = most_bytes(request, samples, streamed=streamed)
        stream = None
        if streamed:
            reader = wire.reader(request)
            stream = Stream(request, reader, limit, endpoint.most_beside, endpoint.think_open)
        most = request.max_tokens + endpoint.most_beside
        bound, status, body = prompt.tokens, 0, b""
        headers: Mapping[str, str] = {}
        failure: Failure | None = None
        report(Delta(prompt_tokens=bound, due=None if streamed else most))
        try:
            async with link.session.post(
                self._urls[streamed],
                data=encode(prompt, wire.fields(request, samples, streamed=streamed), endpoint),
                timeout=self._timeouts[streamed],
                allow_redirects=False,  # another host must not see the key
            ) as response:
                status, headers = response.status, response.headers
                # Leaving the block before the end closes the connection.
                if status >= 300:
                    body = await read_error(response, self._key)
                elif stream:
                    await receive(response, stream, grown)
                else:
                    body, more = await read_body(response, limit)
                    if more:
                        raise Malformed(f"it has more than {limit:,} bytes")
        except asyncio.CancelledError:
            if prompt.tokens != bound:  # its exact size came with another sample
                count, due = (stream.tokens, None) if stream else (0, most)
                report(Delta(tokens=count, prompt_tokens=prompt.tokens, due=due))
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
            why = f"{self._who} cannot be reached: {reached(problem)}"
            return Failure(ModelUnreachable, clean(why, self._key))
        except TimeoutError:
            failure = Failure(ModelTimeout, f"{self._who} did not answer in time")
        except (aiohttp.ClientError, OSError) as problem:
            why = f"{self._who} cut the connection ({type(problem).__name__})"
            failure = Failure(ModelUnreachable, why)
        except Malformed as problem:
            failure = Failure(MalformedReply, f"{self._who} sent a malformed reply: {problem}")

        if stream and stream.whole is not None:
            if stream.cut and not failure:
                why = f"{self._who} sent a malformed reply: it has more than {limit:,} bytes"
                failure = Failure(MalformedReply, why)
            body, stream = stream.whole, None
        spent = Spent(prompt.tokens, stream.spent if stream else most * samples)
        if failure and status < 300 and not (stream and stream.complete):
            failure.spent = spent
            return failure
        reply: dict[str, Any] = {}
        try:
            if status >= 300:
                refusal = refused(endpoint, self._key, status, reason_of(body), headers)
                if refusal.kind is RequestRefused:
                    refusal.change = wire.learn(status, body, request)
                return refusal
            if not stream:
                reply = parse(body)
            if fault := stream.fault if stream else wire.fault(reply):
                usage = stream.usage if stream else wire.usage(reply)
                refusal = refused(endpoint, self._key, fault.status, fault.message, headers)
                if usage and usage.completion:
                    refusal.spent = usage.spent(spent, prompt.least, stream.spent if stream else 0)
                elif stream and stream.tokens:
                    refusal.spent = spent
                if refusal.kind is RequestRefused and not refusal.spent.total:
                    refusal.change = wire.learn(fault.status, body, request)
                return refusal
            found = stream.reply() if stream else wire.read(reply, request, samples)
            return self._checked(found, request, prompt)
        except Malformed as problem:
            if usage := stream.usage if stream else wire.usage(reply):
                seen = spent.completion if stream and not stream.complete else 0
                spent = usage.spent(spent, prompt.least, seen)
            why = f"{self._who} sent a malformed reply: {problem}"
            return Failure(MalformedReply, why, spent)

    def _checked(self, found: Reply, request: Request, prompt: Prompt) -> Reply:
        """Return a reply with a credible usage and the thinking apart from the text."""
        found = found.checked(request)
        if found.partial and not self._counts_first:
            self._counts_first = True
            self._remark(lessons.counts_first(self.endpoint))
        usage = found.usage
        if usage and usage.prompt is not None:
            if usage.prompt >= prompt.least:
                prompt.tokens, prompt.exact = usage.prompt, True
                if prompt.is_cut(usage.prompt):  # Ollama, whose context is short unless it is set
                    self._remark(lessons.cut(self.endpoint))
            else:
                usage = replace(usage, prompt=prompt.least)
        choices = [self._mended(choice, request.prefix) for choice in found.choices]
        return Reply(choices, usage, partial=found.partial)

    def _mended(self, choice: Choice | Malformed, prefix: str) -> Choice | Malformed:
        if isinstance(choice, Malformed):
            return choice
        choice = choice.undoubled(prefix) if prefix else choice
        if choice.doubled:
            self._remark(lessons.doubled(self.endpoint))
        return sealed(choice.parted(prefix, opened=self.endpoint.think_open), self.endpoint)
