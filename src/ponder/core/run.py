"""The state that all sessions of one run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ponder.core.effects import Handler, Sampling
from ponder.core.errors import ModelError
from ponder.core.events import Event, Proposed, Subscriber
from ponder.core.problem import Problem
from ponder.core.search import Tree, apply
from ponder.core.steering import Steering
from ponder.core.trace import Trace


def ignore(event: Event) -> None:
    """The subscriber of a run that nobody watches."""


@dataclass(frozen=True, slots=True)
class Cue:
    """The words after which an unfinished chain gives its answer."""

    text: str
    """Appended to the chain: what it goes on with."""
    length: int
    """Most tokens that the answer may take."""


def boxed(problem: Problem) -> Cue:
    """The cue for an answer that is a short text."""
    return Cue("\n\nTherefore, the final answer is \\boxed{", 48)


@dataclass(slots=True)
class Run:
    """What a run's sessions share."""

    perform: Handler
    """Answers effects."""
    seed: int
    """All seeds of the run are derived from it."""
    sampling: Sampling = Sampling()
    """How chains are drawn unless a strategy says otherwise."""
    verifier: str = ""
    """Name of the run's verifier; '' if it has none."""
    publish: Subscriber = ignore
    """Told of every event."""
    listwise: bool = False
    """True if the run's verifier judges a trace by those beside it."""
    model: str = ""
    """Name of the model that makes the chains; '' is the run's own."""
    reserve_for: Trace | None = None
    """The chain that a verifier is asked about: what it takes to make it answer is left over."""
    cue: Callable[[Problem], Cue] = boxed
    """How a chain of a problem is made to answer."""
    hear: Callable[[Trace], None] | None = None
    """Told of each proposal instead of ``publish``, where a strategy runs within another."""
    best: tuple[Trace, float | None] | None = None
    """The last proposal, or the first answer until the strategy has ``proposed`` one."""
    proposed: bool = False
    """True once the strategy has proposed a trace."""
    lost: ModelError | None = None
    """The last failure of a request."""
    tree: Tree | None = None
    """The search tree, of a strategy that reads it."""
    steering: Steering = field(default_factory=Steering)
    """What a person has done so far."""

    @property
    def answered(self) -> bool:
        """True if an answer would come back if the run ended now."""
        return self.best is not None and self.best[0].answer is not None

    def note(self, event: Event) -> None:
        """Add an event to the tree, without telling anybody."""
        if self.tree is not None:
            self.tree = apply(self.tree, event)

    def tell(self, event: Event) -> None:
        """Add an event to the tree, and publish it."""
        self.note(event)
        self.publish(event)

    def hold(self, trace: Trace, score: float | None) -> None:
        """Make a trace the best so far."""
        self.best = trace, score
        if self.hear is not None:
            self.hear(trace)
        elif self.publish is not ignore:
            self.publish(Proposed(trace, score))
