"""The Protocol of all verifiers. A verifier sees the problem and the traces, never the gold.

A verifier that asks a model (a judge) asks through the session that it is given. The cost is
booked in the run's own ledger, under the verifier's role, and counts against the run's budget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, Self, runtime_checkable

from ponder.answers.reading import Reader
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.sandbox.base import Sandbox
from ponder.sandbox.choice import Sandboxes
from ponder.sandbox.mathematics import folders


@dataclass(frozen=True, slots=True)
class Tools:
    """Resources that outlive a verifier, such as child processes. Their creator closes them."""

    reader: Reader = field(default_factory=Reader)
    """Extracts answers, and validates JSON against a schema."""
    sandboxes: Sandboxes = field(default_factory=Sandboxes)
    """Sandboxes that run programs."""

    @classmethod
    def of(cls, *, unsafe: bool) -> Tools:
        """Return tools that start nothing until they are used; ``unsafe`` as for ``Sandboxes``."""
        return cls(sandboxes=Sandboxes(unsafe=unsafe))

    async def sandbox(self) -> Sandbox:
        """Return the best sandbox on this machine.

        Raises:
            UsageError: no sandbox works here, and ``unsafe`` is not set.
        """
        return await asyncio.to_thread(self.sandboxes.find)

    async def calculator(self) -> Sandbox:
        """Return the best sandbox for programs that compute an answer, with sympy if it can.

        Raises:
            UsageError: as ``sandbox``.
        """
        return await asyncio.to_thread(partial(self.sandboxes.find, libraries=folders()))

    async def calculates(self) -> bool:
        """Return True if there is such a sandbox."""
        try:
            await self.calculator()
        except UsageError:
            return False
        return True

    def close(self) -> None:
        """End the child processes, and wait until they are gone."""
        self.reader.close()
        self.sandboxes.close()


class Verifier(Protocol):
    """Scores traces at inference time."""

    @property
    def name(self) -> str:
        """The verifier's name in ``--verifier``, the journal and the receipt."""
        ...

    @property
    def needs_logprobs(self) -> bool:
        """True if the traces must come with log-probabilities."""
        ...

    @property
    def listwise(self) -> bool:
        """True if a trace's score depends on the traces scored with it."""
        ...

    @property
    def top_logprobs(self) -> int:
        """Number of likeliest tokens per position that the traces must come with."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that the verifier asks, apart from the run's own."""
        ...

    @property
    def parts(self) -> tuple[Verifier, ...]:
        """The verifiers that it is made of."""
        ...

    @property
    def asks(self) -> tuple[str, ...]:
        """Names of the verifiers that it asks through the session: a run must have them too."""
        ...

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace, in their order; an abstention has no value."""
        ...


class Facts:
    """Facts of a verifier that follow from its parts; without parts, that it needs nothing.

    A base class: a verifier declares those that differ, as a field or a property.
    """

    __slots__ = ()

    @property
    def needs_logprobs(self) -> bool:
        """True if any part needs them."""
        return any(part.needs_logprobs for part in self.parts)

    @property
    def listwise(self) -> bool:
        """True if any part is listwise."""
        return any(part.listwise for part in self.parts)

    @property
    def top_logprobs(self) -> int:
        """The most that any part needs."""
        return max((part.top_logprobs for part in self.parts), default=0)

    @property
    def models(self) -> tuple[str, ...]:
        """The models of all parts."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.models))

    @property
    def parts(self) -> tuple[Verifier, ...]:
        """None."""
        return ()

    @property
    def asks(self) -> tuple[str, ...]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tooled(Facts):
    """A verifier with tools. A base class."""

    tools: Tools = field(default_factory=Tools, repr=False, compare=False)

    def using(self, tools: Tools) -> Self:
        """As ``Handy``."""
        return replace(self, tools=tools)


@runtime_checkable
class Handy(Protocol):
    """A verifier that uses tools, or whose parts may. Without shared tools it creates its own."""

    def using(self, tools: Tools) -> Self:
        """Return the same verifier with these tools."""
        ...


def using(verifier: Verifier, tools: Tools) -> Verifier:
    """Return the verifier with these tools, if it uses any."""
    return verifier.using(tools) if isinstance(verifier, Handy) else verifier
