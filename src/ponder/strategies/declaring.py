"""A strategy's declaration, written where the strategy is, and what is chosen of it for one run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.refs import Ref
from ponder.core.session import Session
from ponder.core.trace import Trace
from ponder.strategies.knobs import Knob, knobs, read

Function = Callable[..., Awaitable[Trace]]
Values = Mapping[str, Any]
"""All knobs of a strategy, by name."""
STEPS = ("prefill", "stop")
"""What growing a chain by steps needs."""
RUN = "run"
"""Stands for whichever verifier the run was given."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy: its function, and what is declared of it."""

    function: Function
    """Asked with a session and a problem, its members if it has some, and its knobs."""
    summary: str
    """One line on it."""
    paper: str
    """Whom it is by."""
    verifier: Callable[[Values], str]
    """The verifier that it asks with these knobs: a name, ``RUN``, or '' for none."""
    needs: tuple[str, ...]
    """Capabilities that a model must have."""
    more: Callable[[Values], tuple[str, ...]]
    """Capabilities that these knobs add."""
    check: Callable[[Values], None]
    """Refuses knobs that do not go together, with a ``UsageError``."""
    members: Callable[..., tuple[Ref, ...]] | None
    """The strategies that it delegates to, of knobs of its own: the keyword parameters."""

    @property
    def name(self) -> str:
        """The function's."""
        return self.function.__name__

    @property
    def knobs(self) -> dict[str, Knob]:
        """Its knobs, by name."""
        return self.joining | knobs(self.function)

    @property
    def joining(self) -> dict[str, Knob]:
        """The knobs that say who its members are."""
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
) -> Callable[[Function], Strategy]:
    """Declare the function below to be a strategy; the arguments are the fields of ``Strategy``.

    A ``verifier`` that is a text is asked whatever the knobs are.
    """
    asked = (lambda values: verifier) if isinstance(verifier, str) else verifier
    return lambda function: Strategy(function, summary, paper, asked, needs, more, check, members)


@dataclass(frozen=True)
class Chosen:
    """A strategy with a value for each of its knobs, and its members. Call it to carry it out."""

    strategy: Strategy
    """The strategy."""
    values: Values
    """All its knobs, by name."""
    members: tuple[Member, ...] = ()
    """The strategies that it delegates to."""

    def __call__(self, session: Session, problem: Problem) -> Awaitable[Trace]:
        """Carry it out."""
        joining = self.strategy.joining
        own = {name: value for name, value in self.values.items() if name not in joining}
        who = (self.members,) if self.strategy.members else ()
        return self.strategy.function(session, problem, *who, **own)

    @cached_property
    def verifier(self) -> str:
        """The verifier that it or a member asks: a name, ``RUN``, or '' for none.

        Raises:
            UsageError: they ask different ones.
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
        """The models that it asks beside the run's own."""
        found = [name for m in self.members for name in (m.model, *m.work.models)]
        return tuple(dict.fromkeys(filter(None, found)))

    @property
    def stepwise(self) -> bool:
        """True if all its chains grow step by step, so that any of them can be made to answer."""
        grown = [member.work.strategy for member in self.members] or [self.strategy]
        return all(strategy.needs == STEPS for strategy in grown)

    def needs(self, model: str = "") -> tuple[str, ...]:
        """The capabilities that the run's own model must have, or another one that it asks."""
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
    """The model that it is done by; '' is the run's own."""


def choose(strategy: Strategy, given: Values, find: Callable[[str], Strategy]) -> Chosen:
    """Resolve a strategy, its knobs and its members, which ``find`` finds by name.

    Raises:
        UnknownName: a knob or a member does not exist.
        UsageError: a value does not fit, or several do not go together.
    """
    values = read(strategy.knobs, given)
    strategy.check(values)
    refs = strategy.members(**{k: values[k] for k in strategy.joining}) if strategy.members else ()
    chosen = Chosen(strategy, values, tuple(_member(strategy, ref, find) for ref in refs))
    _ = chosen.verifier  # refuses members that ask different ones
    return chosen


def _member(owner: Strategy, ref: Ref, find: Callable[[str], Strategy]) -> Member:
    found = find(ref.name)
    if found is owner:
        raise UsageError(
            f"a {owner.name} cannot be part of a {owner.name}: name its strategies instead."
        )
    if ref.args:
        raise UsageError(
            f"a strategy takes KNOB=VALUE, so {str(ref.args[0])!r} in {str(ref)!r} says nothing: "
            "name its knob."
        )
    own = {name: value.text for name, value in ref.options.items()}
    return Member(choose(found, own, find), ref.model)
