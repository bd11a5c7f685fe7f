"""Effects: the requests of a strategy, as frozen values, and the handlers that answer them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ponder.core.costs.ledger import Item
from ponder.core.problem import Message, Problem
from ponder.core.record.steering import Action
from ponder.core.steps import check_stops
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta, Ran, Score, Trace

GENERATE = "generate"
"""The role of samples that may become the run's answer."""
PROGRAM = "program"
"""The role of programs whose output may become the run's answer; none is read from their text."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters of a continuation.

    Raises:
        UsageError: a stop string is empty.
    """

    length: int = 1024
    """Most tokens to generate."""
    temperature: float = 0.8
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus: tokens are drawn from this share of the probability mass."""
    stop: tuple[str, ...] = ()
    """Generation stops before any of these strings."""
    logprobs: bool = False
    """True to request the log-probability of each sampled token."""
    top_logprobs: int = 0
    """Number of the likeliest tokens to request at each place, with their log-probabilities (0:
    none). A model that cannot report them reports what it can.
    """
    thinking: Thinking | None = None
    """Limit of the model's own thinking (None: the model's default)."""
    pieces: bool = False
    """True to request the text of each sampled token besides, where ``logprobs`` are requested."""

    def __post_init__(self) -> None:
        check_stops(self.stop)

    def describe(self) -> dict[str, Any]:
        """Return it as JSON. Fields added later are omitted at their defaults, so that old journals
        still match.
        """
        how = {**asdict(self), "stop": list(self.stop)}
        if not self.top_logprobs:
            del how["top_logprobs"]
        if self.thinking is None:
            del how["thinking"]
        else:
            how["thinking"] = str(self.thinking)
        if not self.pieces:
            del how["pieces"]
        return how


@dataclass(frozen=True, slots=True)
class Generate:
    """Continue ``start``. The result is a ``Trace``."""

    start: Trace
    """The trace to continue; an empty one to begin."""
    sampling: Sampling
    seed: int
    role: str = GENERATE
    """The role that it is booked under."""
    model: str = ""
    """Name of the generating model; '' for the run's own."""
    max_total: int = 0
    """Generate one step only, of a trace limited to this many tokens in all (0: no step)."""
    reserve_for: Trace | None = None
    """Keep enough budget to force an answer from this trace afterwards."""
    prompt: tuple[Message, ...] = ()
    """Shown to the model instead of the problem's own messages, if not empty."""
    concludes: bool = True
    """True if a whole chain that is truncated without an answer is made to give one."""

    @property
    def problem(self) -> Problem:
        """The problem to answer."""
        return self.start.problem

    @property
    def whole(self) -> bool:
        """True if its result is a whole chain that may become the run's answer: no step, and not
        an answer that is forced.
        """
        return self.role == GENERATE and not self.max_total and self.start.finish is None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages that the model is shown."""
        return self.prompt or self.problem.shown

    def describe(self) -> dict[str, Any]:
        """Return the whole effect, as the journal compares it; long texts by digest."""
        common = _common(self.problem, self.sampling, self.role)
        shown = _fingerprint(self.prompt) if self.prompt else ""
        other = {"model": self.model, "max_total": self.max_total, "prompt": shown}
        rare = {name: value for name, value in other.items() if value}
        if not self.concludes:
            rare["concludes"] = False
        return {"start": self.start.id, "seed": self.seed, **common, **rare}


@dataclass(frozen=True, slots=True)
class Verify:
    """Score traces of one problem. The result is one ``Score`` per trace, in their order."""

    traces: tuple[Trace, ...]
    verifier: str
    role: str = "verify"

    def describe(self) -> dict[str, Any]:
        """Return the effect as the journal compares it."""
        return {
            "effect": "verify",
            "verifier": self.verifier,
            "traces": [t.id for t in self.traces],
        }


@dataclass(frozen=True, slots=True)
class Execute:
    """Run the program that a trace holds, in a sandbox. The result is a ``Ran``."""

    trace: Trace
    """The trace with the program; the output is read as an answer to its problem."""
    role: str = GENERATE
    """The role of the answer: only one of the role ``GENERATE`` can become the run's."""

    def describe(self) -> dict[str, Any]:
        """Return the effect as the journal compares it."""
        return {"effect": "execute", "role": self.role, "trace": self.trace.id}

    def concluded(self, path: str, ran: Ran) -> Trace:
        """Return the trace with the answer that its program printed, under a name of its own."""
        return replace(self.trace, id=path, answer=ran.answer)


@dataclass(frozen=True, slots=True)
class Steer:
    """Let an observer act on a strategy's traces. The result is the actions that were taken."""

    traces: tuple[Trace, ...]
    """The traces that the strategy would continue with."""
    known: Collection[str] = field(default=(), compare=False, repr=False)
    """Ids of all traces that an action may refer to."""

    def describe(self) -> dict[str, Any]:
        """Return the effect as the journal compares it."""
        return {"effect": "steer", "traces": [t.id for t in self.traces]}


Effect = Generate | Verify | Execute | Steer
Result = Trace | tuple[Score, ...] | Ran | tuple[Action, ...]


class Asker:
    """A session of a run, which requests effects; ``core.session.Session`` has the verbs."""


@dataclass(slots=True)
class Call:
    """One effect on its way through the handlers."""

    path: str
    """Structural path of the request in the run."""
    effect: Effect
    """The effect to answer."""
    prompt_tokens: int = 0
    """Prompt tokens so far. This and the next field grow while the model works, so that a cancelled
    call is booked for what it used.
    """
    completion_tokens: int = 0
    """Completion tokens so far."""
    cached_tokens: int = 0
    """Prompt tokens read from a cache, as far as the model reports them."""
    stored_tokens: int = 0
    """Prompt tokens written to a cache, as far as the model reports them."""
    hour_tokens: int = 0
    """The part of ``stored_tokens`` that is kept for an hour."""
    wasted_tokens: int = 0
    """Tokens generated for nothing, as far as the model reports them."""
    reasoning_tokens: int = 0
    """The part of ``completion_tokens`` spent on thinking, as far as known."""
    estimated_tokens: int = 0
    """The part of ``reasoning_tokens`` that is estimated."""
    trace: Trace | None = None
    """The result once it has arrived, so that a later cancellation does not lose it."""
    spent: Item | None = None
    """Set by the handler that books the call."""
    replayed: bool = False
    """True if the journal answered the call."""
    session: Asker | None = field(default=None, repr=False)
    """Session of a verifier, which may itself call models."""
    watch: Callable[[Delta], None] | None = field(default=None, repr=False)
    """Called with each delta."""

    def progress(self, delta: Delta) -> None:
        """Record a delta that the model reports."""
        self.prompt_tokens = delta.prompt_tokens
        self.completion_tokens = delta.tokens if delta.due is None else delta.due
        if self.watch is not None:
            self.watch(delta)


Handler = Callable[[Call], Awaitable[Result]]
"""Answers a call. Handlers are stacked like web middleware: each wraps the next one in."""


@functools.lru_cache(maxsize=256)
def _common(problem: Problem, sampling: Sampling, role: str) -> dict[str, Any]:
    """Return the part of the description that all samples of a wave share."""
    asked = {"effect": "generate", "problem": digest(problem), "role": role}
    return {**asked, **sampling.describe()}


@functools.lru_cache(maxsize=256)
def digest(problem: Problem) -> str:
    """Return a short fingerprint of a problem's messages, the same in every process."""
    asked = replace(problem, messages=problem.shown, instruction="", examples=(), tools=None)
    return _fingerprint(asked)


def _fingerprint(value: object) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=8).hexdigest()
