"""A model with fixed replies and injected faults, for tests. It ships with the Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from ponder.core.errors import ModelError
from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.apart import part
from ponder.models.base import Capability, Completion, ModelInfo, Progress, Request, Shape, silent
from ponder.models.fakes.words import deltas, spelled

Reply = str | Completion | ModelError

EVERYTHING: frozenset[Capability] = frozenset(get_args(Capability))


class Scripted:
    """Replies from a list, in the order in which requests begin, or from a function of the request.

    A string is a finished reply with one token per word (truncated at ``max_tokens``, and at the
    first of the request's stop strings). A ``Completion``, which may have reasoning, is returned
    unchanged. An error is raised. Replies are reported word by word. ``requests`` records the
    requests; ``running`` counts those in flight. With a ``gate`` every reply waits until it is set.

    Raises:
        ModelError: the script is over.
    """

    def __init__(
        self,
        replies: Iterable[Reply] | Callable[[Request], Reply],
        *,
        info: ModelInfo | None = None,
        gate: asyncio.Event | None = None,
    ) -> None:
        if callable(replies):
            self._reply = replies
        else:
            script = iter(replies)
            self._reply = lambda request: next(script, ModelError("the script is over"))
        self.info = info or ModelInfo("scripted", EVERYTHING, Shape(1), local=True)
        self.gate = gate
        self.requests: list[Request] = []
        self.running = 0

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Count one token per word."""
        return sum(len(m.content.split()) for m in messages) + len(prefix.split())

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the same count: it is exact."""
        return self.prompt_bound(messages, prefix)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Return the next reply of the script."""
        self.info.check(request.thinking)
        self.requests.append(request)
        reply = self._reply(request)
        prompt = self.prompt_bound(request.messages, request.prefix)
        progress(Delta(prompt_tokens=prompt))
        self.running += 1
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
        finally:
            self.running -= 1
        if isinstance(reply, ModelError):
            raise reply
        done = reply if isinstance(reply, Completion) else self._spoken(reply, request, prompt)
        for delta in deltas(done, watched=request.watched):
            progress(delta)
        return done

    def _spoken(self, reply: str, request: Request, prompt: int) -> Completion:
        found = [(at, stop) for stop in request.stop if (at := reply.find(stop)) >= 0]
        at, stopped_at = min(found, default=(len(reply), ""))
        words = reply[:at].split(" ")
        kept = words[: request.max_tokens]
        reasoning, text = part(" ".join(kept), request.prefix)
        return Completion(
            text,
            "stop" if len(kept) == len(words) else "length",
            prompt,
            len(kept),
            logprobs=(-0.1,) * len(kept) if request.logprobs else None,
            top=tuple({word: -0.1} for word in kept) if request.top_logprobs else None,
            stopped_at=stopped_at if len(kept) == len(words) else None,
            reasoning=reasoning,
            pieces=tuple(spelled(kept)) if request.pieces else None,
        )

    async def close(self) -> None:
        """Do nothing."""
