"""The state that all sessions of one run share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ponder.core.errors import ModelError
from ponder.core.outlook import Outlook
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Handler, Sampling
from ponder.core.record.events import Event, Proposed, Subscriber
from ponder.core.record.search import Tree, apply
from ponder.core.record.steering import Steering
from ponder.core.thinking import Thinking
from ponder.core.trace import Trace
from ponder.core.worth import Economy


def ignore(event: Event) -> None:
    """Ignore an event: the subscriber of a run that nobody observes."""


@dataclass(frozen=True, slots=True)
class Cue:
    """The words that make an unfinished trace give its answer."""

    text: str
    """Appended to the trace before the model continues it."""
    length: int
    """Most tokens that the answer may take."""


ASK = "Stop thinking now, and give your final answer at once."
"""Asks for an answer where a model cannot continue its own turn."""
ASKED = 1024
"""Most tokens of the reply to that; models that always think need some for that."""


REMEMBERED = 20_000
"""Characters of its chain that a model is shown when it is asked for an answer."""


def boxed(problem: Problem) -> Cue:
    """Return the cue for an answer that is a short text."""
    return Cue("\n\nTherefore, the final answer is \\boxed{", 48)


def forced(
    chain: Trace, shown: tuple[Message, ...], cue: Cue, *, continues: bool, thinks: bool
) -> tuple[Trace, dict[str, Any], tuple[Message, ...]]:
    """Return the request that forces an answer from a chain: the trace to continue, fields of
    ``Sampling``, and the messages to show, () for those that were ``shown``.

    The answer is forced by closing the thinking, if any, and continuing the assistant's turn with a
    cue (Muennighoff 2025, s1, section 3). A model that cannot continue its turn is asked for the
    answer in another turn, or without thinking if it has not begun. ``thinks``: True if the chain
    had a setting for the model's own thinking.
    """
    how: dict[str, Any] = {"length": cue.length, "temperature": 0.0, "stop": ()}
    if thinks:
        how["thinking"] = Thinking("off")
    if continues:
        return replace(chain, text=chain.text.rstrip() + cue.text, finish="length"), how, ()
    how["length"] = max(ASKED, cue.length)
    if not chain.turn:
        return replace(chain, finish="length"), how, ()
    said = Message("assistant", (chain.text or chain.reasoning)[-REMEMBERED:], chain.blocks)
    start = replace(Trace.empty(chain.problem), id=chain.id, finish="length")
    return start, how, (*shown, said, Message("user", ASK))


class Belief(NamedTuple):
    """A strategy's own confidence in its answer."""

    probability: float
    """Probability that the answer is right."""
    basis: str
    """Description of the data that says so; '' for a stated prior."""
    samples: int
    """Number of samples that it was computed from: with others it no longer holds."""


@dataclass(slots=True)
class Run:
    """State shared by a run's sessions."""

    perform: Handler
    """Answers effects."""
    seed: int
    """Root of all seeds of the run."""
    sampling: Sampling = Sampling()
    """Sampling parameters, unless a strategy overrides them."""
    verifier: str = ""
    """Name of the run's verifier; '' if it has none."""
    publish: Subscriber = ignore
    """Called with every event."""
    listwise: bool = False
    """True if the run's verifier scores traces relative to each other."""
    model: str = ""
    """Name of the generating model; '' is the run's own."""
    reserve_for: Trace | None = None
    """The trace being verified: enough budget is kept to force an answer from it."""
    cue: Callable[[Problem], Cue] = boxed
    """Returns the cue that forces an answer to a problem."""
    continuing: Collection[str] = frozenset({""})
    """Names of the models that can continue a prefix; '' is the run's own."""
    hear: Callable[[Trace], None] | None = None
    """Called with each proposal instead of ``publish``, if a strategy runs inside another."""
    best: tuple[Trace, float | None] | None = None
    """The last proposal, or the first answer until the strategy has ``proposed`` one."""
    proposed: bool = False
    """True once the strategy has proposed a trace."""
    lost: ModelError | None = None
    """The last request failure."""
    tree: Tree | None = None
    """The search tree, if the strategy uses one."""
    steering: Steering = field(default_factory=Steering)
    """The effect of all interventions so far."""
    belief: Belief | None = None
    """The strategy's confidence in the proposed answer; None if it has no opinion."""
    economy: Economy = field(default_factory=Economy)
    """The prices of further samples, and the worth of a right answer."""
    outlook: Outlook | None = None
    """The forecast of votes on this problem; None if there is none."""

    @property
    def answered(self) -> bool:
        """True if the run would return an answer if it ended now."""
        best = self.best[0] if self.best else None
        return best is not None and best.answer is not None and self.stands(best)

    def heir(self, trace: Trace) -> Trace | None:
        """Return the trace, or the edited one that replaced it; None if it was pruned."""
        steering, tree = self.steering, self.tree
        if not steering.active:
            return trace
        heir = steering.forks.get(trace.id, trace)
        above = tree.above(trace.id) if tree and trace.id in tree else ()
        pruned = {trace.id, heir.id, *(node.id for node in above)} & steering.pruned
        return None if pruned else heir

    def stands(self, trace: Trace) -> bool:
        """True if the trace was neither pruned nor edited."""
        return self.heir(trace) is trace

    def note(self, event: Event) -> None:
        """Add an event to the tree, without publishing it."""
        if self.tree is not None:
            self.tree = apply(self.tree, event)

    def tell(self, event: Event) -> None:
        """Add an event to the tree, and publish it."""
        self.note(event)
        self.publish(event)

    def hold(self, trace: Trace, score: float | None) -> None:
        """Store a trace as the best so far."""
        self.best = trace, score
        if self.hear is not None:
            self.hear(trace)
        elif self.publish is not ignore:
            self.publish(Proposed(trace, score))
