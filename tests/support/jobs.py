"""Short ways to a job: a problem, a reader of \\boxed{} answers, a model in virtual time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ponder.core.answer import Answer
from ponder.core.budget import Budget
from ponder.core.errors import ModelTimeout, ModelUnreachable
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.record.events import Event
from ponder.core.trace import Delta, Finish, Score, Trace
from ponder.models.base import Completion, Model, ModelInfo, Progress, Request, Shape, silent
from ponder.models.fakes.scripted import EVERYTHING
from ponder.runtime.job import Job
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies import registry
from ponder.verifiers.base import Facts
from ponder.verifiers.registry import find
from tests.support.sandboxes import Printing

PROBLEM = Problem((Message("user", "What is six times seven ?"),), "number")
PROMPT_TOKENS = 6

PLAIN = ModelInfo("plain", EVERYTHING - {"prefill", "native_thinking"}, Shape(3, 2), local=True)
"""Of a model that cannot be made to answer, so that no budget is kept for that."""


async def read_boxed(text: str, problem: Problem, truncated: bool) -> Answer | None:
    found = re.findall(r"\\boxed\{(.*?)\}", text)
    return Answer(found[-1], found[-1]) if found else None


def job(model: Model, strategy: Any = "direct", **changes: Any) -> Job:
    knobs = changes.pop("knobs", {})
    function: Callable[..., Awaitable[Trace]]
    if isinstance(strategy, str):
        chosen = registry.choose(strategy, knobs)
        function, name, knobs = chosen, strategy, chosen.values
    else:
        function, name = partial(strategy, **knobs), strategy.__name__
    fields: dict[str, Any] = {
        "problem": PROBLEM,
        "strategy": function,
        "name": name,
        "knobs": knobs,
        "sampling": Sampling(100),
        "budget": Budget(),
        "seed": 0,
        "model": model,
        "read": read_boxed,
        "verifiers": {name: find(name) for name in ("mean_logprob", "lowest_group")},
        "verifier": "mean_logprob",
        "sandbox": Printing().here,
    }
    return Job(**(fields | changes))


def trace(order: int | str, answer: str | None = None, **changes: Any) -> Trace:
    """A finished trace that was asked for as the ``order``-th."""
    fields: dict[str, Any] = {
        "problem": PROBLEM,
        "text": f"trace {order}",
        "finish": "stop",
        "answer": None if answer is None else Answer(answer, answer),
        "id": str(order),
    }
    return Trace(**(fields | changes))


async def go(
    model: Model,
    strategy: Any = "direct",
    *,
    journal: Journal | None = None,
    run: str = "",
    publish: Callable[[Event], None] = lambda event: None,
    **changes: Any,
) -> Result:
    """One run to its end; afterwards nothing is in flight and nothing is reserved."""
    runner = Runner(job(model, strategy, **changes), journal=journal, run=run, publish=publish)
    try:
        return await runner.go()
    finally:
        assert runner._admission.reserved.tokens == 0
        assert not getattr(model, "running", 0)


@dataclass(frozen=True)
class Reply:
    """What ``Timed`` does with one request.

    ``tokens`` are those it would like to generate; ``cached`` ones are of the prompt; ``wasted``
    ones go before it; with ``again`` the prompt is paid for twice. It ``fails`` in a way that is
    final, or ``breaks`` in one that is worth a second attempt. A cancellation takes ``lag`` turns
    of the loop.
    """

    answer: str | None = "42"
    seconds: float = 0.0
    tokens: int = 4
    cached: int = 0
    wasted: int = 0
    again: bool = False
    fails: bool = False
    breaks: bool = False
    logprob: float = -0.1
    lag: int = 0


@dataclass(eq=False)
class Timed:
    """A model in virtual time that obeys its Protocol, and keeps books of its own.

    ``asked`` are the requests with their times; ``tokens`` what was spent on all of them so far, to
    the last one generated; ``stopped`` counts cancellations that came to their end. ``watch`` is
    called whenever a token is spent. The bound on a prompt is ``slack`` above what it takes.
    """

    behave: Callable[[Request], Reply]
    slack: int = 0
    info: ModelInfo = ModelInfo("timed", EVERYTHING, Shape(3, 2), local=True)
    watch: Callable[[], None] = lambda: None
    asked: list[tuple[float, Request]] = field(default_factory=list)
    running: int = 0
    tokens: int = 0
    stopped: int = 0

    def _prompt(self, messages: Sequence[Message], prefix: str) -> int:
        return sum(len(m.content.split()) for m in messages) + len(prefix.split())

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        return self._prompt(messages, prefix) + self.slack

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        return 0 if self.slack else self._prompt(messages, prefix)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        reply = self.behave(request)
        self.asked.append((asyncio.get_running_loop().time(), request))
        prompt = self._prompt(request.messages, request.prefix)
        cached = min(reply.cached, prompt)
        room = request.max_tokens
        if reply.again and room > prompt:
            room, prompt = room - prompt, 2 * prompt
        wasted = min(reply.wasted, room)
        tokens = min(reply.tokens, room - wasted)
        told = 0

        def tell(completion: int) -> None:
            nonlocal told
            self.tokens += prompt + completion - told
            told = prompt + completion
            progress(Delta(tokens=completion, prompt_tokens=prompt))
            self.watch()

        self.running += 1
        try:
            tell(0)
            for part in range(1, 5):
                await asyncio.sleep(reply.seconds / 4)
                tell((wasted + tokens) * part // 4)
        except asyncio.CancelledError:
            for _ in range(reply.lag):
                await asyncio.sleep(0)
            self.stopped += 1
            raise
        finally:
            self.running -= 1
        if reply.fails or reply.breaks:
            kind = ModelTimeout if reply.fails else ModelUnreachable
            raise kind("no answer", prompt_tokens=prompt, completion_tokens=wasted + tokens)
        done = tokens == reply.tokens
        finish: Finish = "stop" if done else "length"
        return Completion(
            f"so \\boxed{{{reply.answer}}}" if done and reply.answer is not None else "so",
            finish,
            prompt,
            tokens,
            cached,
            wasted,
            (reply.logprob,) * tokens if request.logprobs else None,
            reply.seconds,
        )

    async def close(self) -> None:
        pass


def by_order(replies: Sequence[Reply]) -> Callable[[Request], Reply]:
    """The replies, one after the other, to requests in the order in which they begin."""
    script = iter(replies)
    return lambda request: next(script)


@dataclass(frozen=True)
class ByText(Facts):
    """A verifier that looks a trace's answer up; what it does not know it abstains from."""

    known: dict[str, float]
    name: str = "by_text"

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        return [Score(self.known.get(t.answer.text if t.answer else ""), self.name) for t in traces]


Strategy = Callable[..., Awaitable[Trace]]
