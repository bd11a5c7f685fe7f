"""A vote against what a right answer is worth to the caller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.core.worth import EXPECTED_TOKENS, forgone
from ponder.policies.poll import Poll
from ponder.policies.stopping import Rule, Value


@dataclass(frozen=True, slots=True)
class Weighed:
    """The gain and the price of a vote's samples; without a worth, or by another rule, neither
    counts.
    """

    session: Session
    problem: Problem
    closing: Rule
    """The rule that ends the vote."""

    def rule(self, traces: Sequence[Trace]) -> Rule:
        """Return the rule, with the price of a sample as a share of what a right answer is worth.

        Before the first sample that price is unknown, so that nothing beyond the first is
        requested.
        """
        worth = self.session.economy.worth
        if worth is None or not isinstance(self.closing, Value):
            return self.closing
        return replace(self.closing, price=self._price(traces) / worth if traces else math.inf)

    def concludes(self, poll: Poll) -> bool:
        """Return True if a vote is worth what it may cost to force it from a truncated chain.

        It is judged before a wave, so that it does not depend on the order of arrival. A vote gains
        its share of what the best wave gains.
        """
        worth = self.session.economy.worth
        if worth is None or not isinstance(self.closing, Value):
            return True
        gain = self.closing.gain(poll.seen, poll.remaining)
        return gain * worth >= self.session.economy.ending(self.problem, self.session.length)

    def tell(self, poll: Poll) -> None:
        """Record what further samples would have cost and gained, if the caller gave a worth."""
        closing, left, economy = self.rule(poll.traces), poll.remaining, self.session.economy
        if economy.worth is None or not left or not isinstance(closing, Value):
            return
        more, gain = closing.best(poll.seen, left)
        price = self._price(poll.traces, more)
        self.session.decide("stop", forgone(f"another {more} samples", price, gain, economy))

    def _price(self, traces: Sequence[Trace], more: int = 1) -> float:
        tokens = sum(t.tokens for t in traces) / len(traces) if traces else EXPECTED_TOKENS
        return self.session.economy.price(self.problem, tokens, more)
