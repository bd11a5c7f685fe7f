"""Events: facts about a run, as frozen values, for the terminal, a stream, a page, and the log.

Some are reports of effects (a sample came back, a verifier spoke); the others are decisions: what a
strategy, or a person, made of them and why. Decisions are recorded beside the results, and emitted
again when a run is replayed, so any reader can fold them to the search tree (``core.search``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ponder.core.budget import Budget
from ponder.core.effects import GENERATE
from ponder.core.ledger import Item
from ponder.core.steering import Action
from ponder.core.trace import Score, Trace


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run has an identity, a plan and a budget."""

    run: str
    strategy: str
    knobs: dict[str, Any]
    model: str
    budget: Budget
    seed: int


@dataclass(frozen=True, slots=True)
class SampleStarted:
    """A sample was asked for."""

    path: str
    role: str


@dataclass(frozen=True, slots=True)
class Grew:
    """A sample has grown. Not every token is an event, but every word is in one: deltas that come
    soon after each other are told together.
    """

    path: str
    text: str
    """What was added to its text since the last such event."""
    reasoning: str
    """What was added to its reasoning."""
    tokens: int
    """Number of its completion tokens by now."""


@dataclass(frozen=True, slots=True)
class SampleFinished:
    """A sample has come back, from the model or from the journal (``replayed``)."""

    path: str
    trace: Trace
    replayed: bool
    role: str = GENERATE


@dataclass(frozen=True, slots=True)
class SampleLost:
    """A sample failed or was cancelled; ``reason`` is one sentence. ``role`` is what it was booked
    under, '' if nothing was sent.
    """

    path: str
    reason: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """A verifier spoke."""

    path: str
    traces: tuple[Trace, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class VoteChanged:
    """The vote as it stands: (answer, weight) from the leader down, and how many may still come."""

    tally: tuple[tuple[str, float], ...]
    remaining: int


@dataclass(frozen=True, slots=True)
class Proposed:
    """The best answer so far."""

    trace: Trace
    score: float | None


@dataclass(frozen=True, slots=True)
class Spent:
    """A call was booked; ``total`` is the run's sum."""

    item: Item
    total: Item


@dataclass(frozen=True, slots=True)
class Expanded:
    """A node was continued; ``children`` are the ids of what came back."""

    node: str
    children: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The strategy itself valued nodes, without a verifier: one score each, in their order."""

    nodes: tuple[str, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class Visited:
    """A value in [0, 1] was added to a node and to all above it."""

    node: str
    value: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nodes were given up; ``why`` says the reason to a person."""

    nodes: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Revised:
    """``node`` is an attempt that was made of an earlier one."""

    node: str
    of: str


@dataclass(frozen=True, slots=True)
class Steered:
    """A person, or a program, intervened."""

    action: Action


@dataclass(frozen=True, slots=True)
class Forked:
    """A new node, with an edited text, takes the place of the one that it was made from."""

    node: str
    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over. ``chosen`` is the id of the trace that the answer came from, if any."""

    stopped_by: str
    chosen: str | None


Decision = Expanded | Judged | Visited | Dropped | Revised | Steered | Forked | Ended
"""What was decided. Recorded in the log; on replay emitted again, and never compared."""
Event = (
    RunStarted
    | SampleStarted
    | Grew
    | SampleFinished
    | SampleLost
    | Scored
    | VoteChanged
    | Proposed
    | Spent
    | Decision
)
Subscriber = Callable[[Event], None]
"""Told of every event, on the run's event loop. It must not block; what it raises ends the run."""
