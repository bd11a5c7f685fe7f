"""The inputs of a run: a strategy with its knobs, a problem, models, and limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Ledger
from ponder.core.errors import BudgetTooSmall, Limit
from ponder.core.outlook import Outlook
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.core.sessions.run import Cue, boxed
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.core.worth import Economy, Worth
from ponder.models.base import Model, Priced, Pricing
from ponder.runtime.handlers.admission import Admission
from ponder.runtime.handlers.budgeted import LEAST
from ponder.runtime.handlers.meter import Meter
from ponder.runtime.programs import Read, Where, nowhere
from ponder.verifiers.base import Verifier

Strategy = Callable[[Session, Problem], Awaitable[Trace]]
"""A strategy with its knobs, ready to run."""


@dataclass(frozen=True, slots=True)
class Job:
    """All inputs of a run, except its journal and its observers."""

    problem: Problem
    strategy: Strategy
    """The strategy with its knobs."""
    name: str
    """Name of the strategy."""
    knobs: Mapping[str, Any]
    """Its knobs, as reported in the result."""
    sampling: Sampling
    budget: Budget
    seed: int
    model: Model
    read: Read
    """Reads the answer of a text."""
    verifiers: Mapping[str, Verifier] = field(default_factory=dict)
    """The verifiers that the run may use, by name."""
    verifier: str = ""
    """Name of the run's verifier; '' if it has none."""
    pricing: Pricing | None = None
    """Prices of ``model``; None if unknown."""
    others: Mapping[str, Priced] = field(default_factory=dict)
    """The models used besides ``model``, by name."""
    notes: tuple[str, ...] = ()
    """Remarks for the receipt."""
    steps: bool = False
    """True if the strategy grows its traces step by step."""
    written: bool = True
    """True if the strategy's answer is written, so that one can be forced; the budget then keeps
    what that takes.
    """
    cue: Callable[[Problem], Cue] = boxed
    """Returns the cue that forces an answer to a problem."""
    worth: Worth | None = None
    """Worth of a right answer; None if the caller did not say."""
    sandbox: Where = nowhere
    """Finds the sandbox that runs programs."""
    outlook: Outlook | None = None
    """The forecast of votes on this problem; None if there is none."""
    calibrated: bool = False
    """True if the outlook holds for this run: independent samples vote, and it was fitted to
    problems of this answer type.
    """

    def economy(self, meters: Mapping[str, Meter]) -> Economy:
        """Return the prices of samples in the unit that the caller has least of.

        That is the unit of the worth; else the first that the budget limits by hand; else dollars
        if the model has a price, seconds if it runs here, and tokens of any other.
        """
        unit = self.worth.unit if self.worth else self._scarce()

        def price(problem: Problem, tokens: float, samples: int = 1, model: str = "") -> float:
            return meters[model].price(unit, problem, tokens, samples)

        def ending(problem: Problem, tokens: float) -> float:
            return meters[""].ending(unit, problem, tokens)

        each = self.model.info.pace.each if unit == "seconds" else 1.0
        return Economy(unit, price, self.worth.amount if self.worth else None, ending, each)

    def _scarce(self) -> Limit:
        for unit in ("usd", "seconds", "flops"):
            if getattr(self.budget, unit) is not None:
                return unit
        if self.pricing is not None:
            return "usd"
        return "seconds" if self.model.info.local else "tokens"

    def drawn(self) -> dict[str, Any]:
        """Return the sampling parameters, as knobs."""
        how = self.sampling
        known = {"length": how.length, "temperature": how.temperature, "top_p": how.top_p}
        return known if how.thinking is None else {**known, "thinking": str(how.thinking)}

    def check(self) -> None:
        """Check that at least one sample fits into the budget and the model's context.

        Raises:
            BudgetTooSmall: it does not fit; the message states how much one needs.
        """
        least = min(LEAST, self.sampling.length)
        prompt = self.model.prompt_bound(self.problem.shown)
        context = self.model.info.context
        if context and (fewest := self.model.prompt_least(self.problem.shown)) + least > context:
            raise BudgetTooSmall(
                f"the question is too long: it takes {fewest:,} tokens or more, and the context of "
                f"{self.model.info.name} has {context:,}, {least} of them for an answer."
            )
        if self.steps:  # at the least an answer is requested, without any step before it
            prompt = self.model.prompt_bound(self.problem.shown, self.cue(self.problem).text)
        cost = Meter(self.model, self.pricing).most(prompt, 0, least)
        limit = Admission(self.budget, Ledger()).exceeded(cost)
        if limit is not None:
            given = getattr(self.budget, limit)
            needs = {"tokens": f"{cost.tokens:,}", "flops": f"{_round_up(cost.flops):.2g}"}
            needs["usd"] = f"{_round_up(cost.picousd) / PICO:.2g}"
            raise BudgetTooSmall(
                f"a budget of {given:g} {limit} is too small: one sample of this question needs at "
                f"least {needs[limit]} {limit} (up to {prompt:,} prompt tokens and {least} more)."
            )


def _round_up(figure: int) -> int:
    """Round up to two significant digits, so that a budget of the figure we name is not refused."""
    step: int = 10 ** max(0, len(str(figure)) - 2)
    return -(-figure // step) * step
