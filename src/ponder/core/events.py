"""What happens in a run, as frozen values: for the terminal, a server's stream, or a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ponder.core.budget import Budget
from ponder.core.effects import GENERATE
from ponder.core.ledger import Item
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
class SampleGrew:
    """A sample has so many tokens by now. Throttled: not every token is an event."""

    path: str
    tokens: int


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


Event = (
    RunStarted
    | SampleStarted
    | SampleGrew
    | SampleFinished
    | SampleLost
    | Scored
    | VoteChanged
    | Proposed
    | Spent
)
Subscriber = Callable[[Event], None]
"""Told of every event, on the run's event loop. It must not block; what it raises ends the run."""
