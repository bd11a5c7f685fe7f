"""Confidence of a trace, read from the log-probabilities that the model gave its own tokens.

Pure functions over natural log-probabilities of the sampled tokens, in order. Both scores are
geometric mean probabilities, so they lie in (0, 1] (and reach 0 only by underflow); an empty trace
has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Score, Trace


def mean_logprob(logprobs: Sequence[float]) -> float | None:
    """exp(mean log p): the geometric mean probability of a token over the whole trace."""
    return math.exp(math.fsum(logprobs) / len(logprobs)) if logprobs else None


def lowest_group(logprobs: Sequence[float], window: int = 2048) -> float | None:
    """The geometric mean token probability of the least confident ``window`` of tokens.

    The 'lowest group confidence' of DeepConf (Fu et al. 2025, 'Deep Think with Confidence'): one
    passage of guessing spoils a chain, and the mean over the whole chain hides it. Two differences.
    DeepConf's token confidence is C_i = -1/k sum_j log p_ij over the top k candidates, large when
    the distribution is peaked; most endpoints report the sampled token alone, so here k = 1 and the
    quantity is log p of the *sampled* token: large when the model was sure of what it wrote. And
    the result is exp of the window's mean, to be a score in (0, 1] as every other score is; the
    order of traces is that of the window means. A window longer than the trace is the whole trace.
    """
    if window < 1:
        raise ValueError("window must be at least 1 token")
    if len(logprobs) <= window:
        return mean_logprob(logprobs)
    total = list(accumulate(logprobs, initial=0.0))
    lowest = min(high - low for low, high in zip(total, total[window:], strict=False))
    return math.exp(min(lowest / window, 0.0))  # prefix sums may round a certain window above 0


@dataclass(frozen=True, slots=True)
class Confidence:
    """A verifier that reads a trace's log-probabilities; without them it abstains."""

    name: str
    measure: Callable[[Sequence[float]], float | None]
    needs_logprobs: bool = True
    joint: bool = False
    models: tuple[str, ...] = ()

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """One score per trace."""
        return [Score(self.measure(t.logprobs or ()), self.name) for t in traces]
