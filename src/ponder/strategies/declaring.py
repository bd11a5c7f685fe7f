"""The declaration of a strategy, written beside it, and the choice of its knobs for one run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ponder.core.errors import UsageError
from ponder.core.problem import ANSWER_TYPES, AnswerType, Problem, offered
from ponder.core.sessions.session import Session
from ponder.core.text.refs import Ref
from ponder.core.trace import Trace
from ponder.strategies.knobs import Knob, knobs, read

Function = Callable[..., Awaitable[Trace]]
Values = Mapping[str, Any]
"""Knob values of a strategy, by name."""
STEPS = ("prefill", "stop")
"""Capability needed to grow a trace by steps."""
RUN = "run"
"""Stands for the verifier that the run was given."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy: its function and its declaration."""

    function: Function
    """Called with a session and a problem, its members if it has any, and its knobs."""
    summary: str
    """One line that describes it."""
    paper: str
    """Its source."""
    verifier: Callable[[Values], str]
    """Returns the verifier that it uses with these knobs: a name, ``RUN``, or '' for none."""
    needs: tuple[str, ...]
    """Capabilities that a model must have."""
    more: Callable[[Values], tuple[str, ...]]
    """Returns the capabilities that these knobs add."""
    check: Callable[[Values], None]
    """Raises ``UsageError`` if knobs contradict each other."""
    members: Callable[..., tuple[Ref, ...]] | None
    """Returns the strategies that it delegates to. Its keyword parameters are further knobs."""
    executes: bool
    """True if it runs programs, and so needs a sandbox."""
    answers: tuple[AnswerType, ...]
    """The types of answers that it can give."""
    tools: bool
    """True if its answer may be calls of tools: it draws whole samples and compares answers."""
    written: bool
    """True if its answer is one that the model writes, so that one can be forced."""

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def knobs(self) -> dict[str, Knob]:
        """Its knobs, by name."""
        return self.joining | knobs(self.function)

    @property
    def joining(self) -> dict[str, Knob]:
        """The knobs that choose its members."""
        return knobs(self.members) if self.members else {}


def strategy(
    summary: str,
    paper: str = "",
    *,
    verifier: Callable[[Values], str] | str = "",
    needs: tuple[str, ...] = (),
    more: Callable[[Values], tuple[str, ...]] = lambda values: (),
    check: Callable[[Values], None] = lambda values: None,
    members: Callable[..., tuple[Ref, ...]] | None = None,
    executes: bool = False,
    answers: tuple[AnswerType, ...] = ANSWER_TYPES,
    tools: bool = False,
    written: bool = True,
) -> Callable[[Function], Strategy]:
    """Declare the function below to be a strategy; the arguments are the fields of ``Strategy``.

    A ``verifier`` given as text applies whatever the knobs are.
    """
    asked = (lambda values: verifier) if isinstance(verifier, str) else verifier
    return lambda function: Strategy(
        function,
        summary,
        paper,
        asked,
        needs,
        more,
        check,
        members,
        executes,
        answers,
        tools,
        written,
    )


@dataclass(frozen=True)
class Chosen:
    """A strategy with a value for each of its knobs, and its members. Call it to run it."""

    strategy: Strategy
    """The strategy."""
    values: Values
    """All its knobs, by name."""
    members: tuple[Member, ...] = ()
    """The strategies that it delegates to."""

    def __call__(self, session: Session, problem: Problem) -> Awaitable[Trace]:
        """Run it."""
        joining = self.strategy.joining
        own = {name: value for name, value in self.values.items() if name not in joining}
        who = (self.members,) if self.strategy.members else ()
        return self.strategy.function(session, problem, *who, **own)

    @cached_property
    def verifier(self) -> str:
        """The verifier that it or a member uses: a name, ``RUN``, or '' for none.

        Raises:
            UsageError: they use different ones.
        """
        asked = {self.strategy.verifier(self.values), *(m.work.verifier for m in self.members)}
        if len(asked - {""}) > 1:
            raise UsageError(
                f"these strategies of a {self.strategy.name} ask different verifiers, and a run "
                "has one: leave out weight=confidence, or those that ask the run's."
            )
        return max(asked)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that it uses besides the run's own."""
        found = [name for m in self.members for name in (m.model, *m.work.models)]
        return tuple(dict.fromkeys(filter(None, found)))

    @property
    def stepwise(self) -> bool:
        """True if all its traces grow step by step, so that an answer can be forced from any of
        them.
        """
        grown = [member.work.strategy for member in self.members] or [self.strategy]
        return all(strategy.needs == STEPS for strategy in grown)

    @property
    def executes(self) -> bool:
        """True if it or a member runs programs, and so needs a sandbox."""
        return self.strategy.executes or any(member.work.executes for member in self.members)

    def suit(self, problem: Problem) -> None:
        """Refuse a problem whose type of answer it or a member cannot give.

        Raises:
            UsageError: it is of such a type, or has tools and the strategy cannot call them.
        """
        if not self.strategy.tools and offered(problem.shown):
            raise UsageError(
                f"strategy {self.strategy.name!r} cannot call tools: take direct, "
                "self_consistency, best_of_n or another that compares whole samples."
            )
        if problem.answer_type not in self.strategy.answers:
            raise UsageError(
                f"strategy {self.strategy.name!r} cannot give an answer of the type "
                f"{problem.answer_type!r}: take another strategy, such as direct or best_of_n."
            )
        for member in self.members:
            member.work.suit(problem)

    def needs(self, model: str = "") -> tuple[str, ...]:
        """Return the capabilities required of the run's own model, or of another one
        that it uses.
        """
        found = () if model else self.strategy.needs + self.strategy.more(self.values)
        for member in self.members:
            if member.model == model:
                found += member.work.needs()
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Member:
    """A strategy that another one delegates to."""

    work: Chosen
    """The strategy with its knobs."""
    model: str = ""
    """Name of the model that runs it; '' is the run's own."""


def choose(strategy: Strategy, given: Values, find: Callable[[str], Strategy]) -> Chosen:
    """Resolve a strategy, its knobs and its members; ``find`` returns a member by name.

    Raises:
        UnknownName: a knob or a member does not exist.
        UsageError: a value is invalid, or values contradict each other.
    """
    if given and not strategy.knobs:
        name = next(iter(given))
        raise UsageError(f"strategy {strategy.name!r} has no knobs of its own: leave {name} out.")
    values = read(strategy.knobs, given)
    strategy.check(values)
    refs = strategy.members(**{k: values[k] for k in strategy.joining}) if strategy.members else ()
    chosen = Chosen(strategy, values, tuple(_member(strategy, ref, find) for ref in refs))
    _ = chosen.verifier  # refuses members that use different verifiers
    return chosen


def _member(owner: Strategy, ref: Ref, find: Callable[[str], Strategy]) -> Member:
    found = find(ref.name)
    if found is owner:
        raise UsageError(f"{owner.name} cannot be part of itself: name its strategies instead.")
    if ref.args:
        raise UsageError(
            f"a strategy takes KNOB=VALUE, so {str(ref.args[0])!r} in {str(ref)!r} says nothing: "
            "name its knob."
        )
    own = {name: value.text for name, value in ref.options.items()}
    return Member(choose(found, own, find), ref.model)
