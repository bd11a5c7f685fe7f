"""The requests that a strategy makes of the world, as frozen values, and who answers them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ponder.core.ledger import Item
from ponder.core.problem import Message, Problem
from ponder.core.steering import Action
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta, Score, Trace

GENERATE = "generate"
"""The role of samples that may become the run's answer."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a continuation is drawn. ``length`` bounds its tokens; ``temperature`` 0 is greedy.

    ``top_logprobs`` asks for that many of the likeliest tokens at each place (0: none) and for the
    log-probability of the one that was drawn. A model that does not know them gives what it knows.
    ``thinking`` is how long the model's own thinking shall be (None: as it is by itself).
    """

    length: int = 1024
    temperature: float = 0.8
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    thinking: Thinking | None = None

    def describe(self) -> dict[str, Any]:
        """As JSON, without what older journals have no word for where it is not asked for."""
        how = {**asdict(self), "stop": list(self.stop)}
        if not self.top_logprobs:
            del how["top_logprobs"]
        if self.thinking is None:
            del how["thinking"]
        else:
            how["thinking"] = str(self.thinking)
        return how


@dataclass(frozen=True, slots=True)
class Generate:
    """Continue ``start`` (an empty trace: begin). Answered with a ``Trace``.

    ``role`` is what it is booked under. ``model`` is the name of another model than the run's.
    ``prompt`` is shown to the model instead of the problem's own messages.
    ``max_total``: one step is wanted, of a chain limited to this many tokens in all.
    ``reserve_for``: leave over what it takes to make this chain answer.
    """

    start: Trace
    sampling: Sampling
    seed: int
    role: str = GENERATE
    model: str = ""
    max_total: int = 0
    reserve_for: Trace | None = None
    prompt: tuple[Message, ...] = ()

    @property
    def problem(self) -> Problem:
        """What it is to answer."""
        return self.start.problem

    @property
    def messages(self) -> tuple[Message, ...]:
        """What the model is shown."""
        return self.prompt or self.problem.shown

    def describe(self) -> dict[str, Any]:
        """What the journal compares: the whole effect, long texts by digest."""
        common = _common(self.problem, self.sampling, self.role)
        shown = _fingerprint(self.prompt) if self.prompt else ""
        other = {"model": self.model, "max_total": self.max_total, "prompt": shown}
        rare = {name: value for name, value in other.items() if value}
        return {"start": self.start.id, "seed": self.seed, **common, **rare}


@dataclass(frozen=True, slots=True)
class Verify:
    """Score traces of one problem. Answered with one ``Score`` per trace, in their order."""

    traces: tuple[Trace, ...]
    verifier: str
    role: str = "verify"

    def describe(self) -> dict[str, Any]:
        """What the journal compares."""
        return {
            "effect": "verify",
            "verifier": self.verifier,
            "traces": [t.id for t in self.traces],
        }


@dataclass(frozen=True, slots=True)
class Steer:
    """Let whoever watches act on what a strategy has. Answered with the actions that were taken."""

    traces: tuple[Trace, ...]
    """What the strategy would go on with."""
    known: Collection[str] = field(default=(), compare=False, repr=False)
    """Ids of all traces that an action may be about."""

    def describe(self) -> dict[str, Any]:
        """What the journal compares."""
        return {"effect": "steer", "traces": [t.id for t in self.traces]}


Effect = Generate | Verify | Steer
Result = Trace | tuple[Score, ...] | tuple[Action, ...]


class Asker:
    """One session of a run, which asks for effects; ``core.session.Session`` has the verbs."""


@dataclass(slots=True)
class Call:
    """One effect on its way through the handlers.

    ``path`` says where in the run it was asked for. ``prompt_tokens`` and ``completion_tokens``
    grow as the model works, so that a cancelled call is booked as far as it came; the model's
    edge adds what it knows of ``cached_tokens``, ``wasted_tokens`` and ``reasoning_tokens`` (part
    of the completion's), and the ``trace`` once it has come, so that it is not lost if the call is
    cancelled on its way out. ``spent`` is set by whoever books the call, ``replayed`` by whoever
    answered it from the journal. ``session`` is that of a verifier, which may ask models in its
    turn. ``watch`` is told of each delta.
    """

    path: str
    effect: Effect
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    wasted_tokens: int = 0
    reasoning_tokens: int = 0
    trace: Trace | None = None
    spent: Item | None = None
    replayed: bool = False
    session: Asker | None = field(default=None, repr=False)
    watch: Callable[[Delta], None] | None = field(default=None, repr=False)

    def progress(self, delta: Delta) -> None:
        """The model reports how far it is."""
        self.prompt_tokens = delta.prompt_tokens
        self.completion_tokens = delta.tokens if delta.due is None else delta.due
        if self.watch is not None:
            self.watch(delta)


Handler = Callable[[Call], Awaitable[Result]]
"""Answers a call. Handlers are stacked as web middleware is: each takes the next one in."""


@functools.lru_cache(maxsize=256)
def _common(problem: Problem, sampling: Sampling, role: str) -> dict[str, Any]:
    """What all samples of a wave share."""
    asked = {"effect": "generate", "problem": digest(problem), "role": role}
    return {**asked, **sampling.describe()}


@functools.lru_cache(maxsize=256)
def digest(problem: Problem) -> str:
    """A short fingerprint of what a problem shows, the same in every process."""
    return _fingerprint(replace(problem, messages=problem.shown, instruction=""))


def _fingerprint(value: object) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=8).hexdigest()
