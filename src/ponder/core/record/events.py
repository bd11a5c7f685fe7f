"""Events: facts about a run, as frozen values, for the terminal, a stream, a page, and the log.

Some report effects (a sample arrived, a verifier scored); the others are decisions that a strategy
or a person made, with reasons. Decisions are recorded beside the results and emitted again when a
run is replayed, so any reader can fold them into the search tree (``core.search``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ponder.core.budget import Budget
from ponder.core.costs.ledger import Item
from ponder.core.problem import Problem
from ponder.core.record.effects import GENERATE
from ponder.core.record.steering import Action
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
    problem: Problem
    """The root of its search tree."""


@dataclass(frozen=True, slots=True)
class SampleStarted:
    """A sample was requested."""

    path: str
    role: str


@dataclass(frozen=True, slots=True)
class Grew:
    """A sample has grown. Deltas in quick succession are merged into one event."""

    path: str
    text: str
    """Text added since the last such event."""
    reasoning: str
    """Reasoning added since the last such event."""
    tokens: int
    """Number of completion tokens so far."""


@dataclass(frozen=True, slots=True)
class SampleFinished:
    """A sample has arrived."""

    path: str
    trace: Trace
    replayed: bool
    """True if it came from the journal and not from the model."""
    role: str = GENERATE


@dataclass(frozen=True, slots=True)
class SampleLost:
    """A sample failed or was cancelled."""

    path: str
    reason: str
    """One sentence."""
    role: str = ""
    """The role that it was booked under; '' if nothing was sent."""
    failed: bool = False
    """True if its request failed; False if it was cancelled, or the budget refused it."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A verifier scored traces."""

    path: str
    traces: tuple[Trace, ...]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class VoteChanged:
    """The vote changed."""

    tally: tuple[tuple[str, float], ...]
    """(Answer, weight) pairs, the leader first."""
    remaining: int
    """Number of votes that may still arrive."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """The best answer so far has changed."""

    trace: Trace
    score: float | None


@dataclass(frozen=True, slots=True)
class Spent:
    """A call was booked."""

    item: Item
    """The call."""
    total: Item
    """The run's sum."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """A node was expanded."""

    node: str
    children: tuple[str, ...]
    """Ids of the new nodes."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The strategy itself scored nodes, without a verifier."""

    nodes: tuple[str, ...]
    scores: tuple[Score, ...]
    """One score per node, in their order."""


@dataclass(frozen=True, slots=True)
class Visited:
    """A value in [0, 1] was added to a node and to all of its ancestors."""

    node: str
    value: float


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nodes were dropped."""

    nodes: tuple[str, ...]
    why: str
    """The reason, for a person."""


@dataclass(frozen=True, slots=True)
class Revised:
    """A trace was revised."""

    node: str
    """The revision."""
    of: str
    """The node that was revised."""


@dataclass(frozen=True, slots=True)
class Steered:
    """A person or a program intervened."""

    action: Action
    at: tuple[str, ...] = ()
    """Ids of the nodes continued next, which are the first to see a hint; () for the root."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A new node with an edited text replaces the node it was made from."""

    node: str
    text: str
    origin: str
    """Id of the node that was edited."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The strategy chose how to go on, or to stop."""

    what: str
    """The choice, such as ``stop`` or ``4 samples of MODEL``."""
    why: str
    """The reason, for a person."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The strategy chose among the problem's choices by their probabilities, or abstained."""

    choices: tuple[str, ...]
    probabilities: tuple[float, ...]
    """One per choice; they sum to 1."""
    mass: float
    """Probability that the model's reply is one of the choices at all."""
    choice: str | None
    """The decision; None for an abstention."""
    why: str
    """The reason for an abstention; '' for a decision."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over."""

    stopped_by: str
    chosen: str | None
    """Id of the trace that the answer came from, if any."""


Decision = (
    Expanded | Judged | Visited | Dropped | Revised | Steered | Forked | Decided | Weighed | Ended
)
"""An event that records a decision. It is logged, and emitted again on replay without being
compared.
"""
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
"""Called with every event, on the run's event loop. It must not block; an exception in it ends the
run.
"""
