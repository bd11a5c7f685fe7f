"""Stopping rules of a vote, and the number of further samples that could meet them.

``exact``: no outcome of the remaining samples can change the winner. Stopping loses nothing.

``bayes``: Adaptive-Consistency (Aggarwal 2023, section 3, the 'Beta' criterion): with a uniform
prior on the share of the leader against the runner-up, the posterior probability that the leader is
the true majority of the two. Approximate: it can stop on the wrong answer.
"""

from __future__ import annotations

import bisect
import math
from typing import Literal

Rule = Literal["exact", "bayes", "never"]


def decided(first: float, second: float, remaining: int) -> bool:
    """True if ``remaining`` votes of at most 1 each cannot lift the second above the first.

    A tie is not decided: it goes to the answer requested first, which may not have arrived yet.
    """
    return first > second + remaining


def majority_probability(first: int, second: int) -> float:
    """Return P(p > 1/2) for p ~ Beta(first + 1, second + 1).

    For whole counts the regularised incomplete beta function at 1/2 is a binomial tail: the chance
    of at most ``first`` heads in ``first + second + 1`` fair tosses.
    """
    n = first + second + 1
    tail: int = sum(math.comb(n, k) for k in range(first + 1))
    return tail / (1 << n)


def may_stop(
    rule: Rule, first: float, second: float, remaining: int, threshold: float = 0.95
) -> bool:
    """True if the rule allows a stop; always so when nothing remains."""
    if remaining == 0:
        return True
    if rule == "never" or first == 0:
        return False
    if decided(first, second, remaining):
        return True
    return rule == "bayes" and majority_probability(int(first), int(second)) >= threshold


def wave(rule: Rule, first: float, second: float, remaining: int, threshold: float = 0.95) -> int:
    """Return the least number of further samples after which the rule could stop.

    That is the case if all of them, at full weight, go to the leader. Fewer could not decide
    anything, so these are requested at once.
    """
    return bisect.bisect_left(
        range(remaining),
        True,
        lo=min(1, remaining),
        key=lambda k: may_stop(rule, first + k, second, remaining - k, threshold),
    )
