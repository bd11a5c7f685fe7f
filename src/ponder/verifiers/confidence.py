"""Confidence of a trace, read from the log-probabilities that the model gave its own tokens.

Pure functions over what is known at each place, in order. Notation: p_i is the probability of the
token that was sampled at place i, p_ij that of the j-th likeliest of k alternatives there.

From the sampled tokens alone (most engines, the embedded one among them):

- ``mean_logprob``: exp(mean_i log p_i), the geometric mean probability of a token. Its logarithm
  is, at temperature 1, an unbiased estimate of minus the mean entropy per token.
- ``lowest_group``, ``tail``: the same over the least confident, and over the last, window.

From k alternatives per place (``top_logprobs``) the published formulas:

- token confidence: C_i = -(1/k) sum_j log p_ij (DeepConf: Fu 2025, arXiv 2508.15260): large when
  the distribution is peaked, since the alternatives are then unlikely.
- lowest group confidence: min over windows of the mean of C_i; tail confidence: the mean of C_i
  over the last window (as there; their window is 2048 tokens, longer than most of our traces).
- ``self_certainty``: (1/n) sum_i KL(U || p_i) = -(1/(n k)) sum_i sum_j log(k p_ij) (Kang 2025,
  arXiv 2502.18581). The paper sums over the whole vocabulary; here over the k that are known, which
  makes it the mean of C_i - log k.
- ``entropy``: the mean of H_i = -sum_j p_ij log p_ij - r_i log r_i, with r_i = 1 - sum_j p_ij
  counted as one more token: a lower bound on the entropy, exact if there is one.

Scores are from 0 to 1, by a strictly increasing function of the published quantity x, so that the
order of traces is the paper's: exp(x) for mean log-probabilities, x / (1 + x) for confidences, and
exp(-x) for the entropy. An empty trace has none.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import itemgetter

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.verifiers.base import Facts
from ponder.verifiers.naming import Arguments

Place = Mapping[str, float]
"""The likeliest tokens at one position of a trace, with their natural log-probabilities."""
WINDOW = 2048
TOP = 20
"""Alternatives per position: the most that the OpenAI protocol allows, and DeepConf's setting."""


def mean_logprob(logprobs: Sequence[float]) -> float | None:
    """Return exp(mean log p): the geometric mean probability of a token over the whole trace."""
    return math.exp(math.fsum(logprobs) / len(logprobs)) if logprobs else None


def lowest_group(logprobs: Sequence[float], window: int = WINDOW) -> float | None:
    """Return the geometric mean token probability of the least confident ``window`` of tokens.

    DeepConf's idea, from the sampled tokens alone: one passage of guessing spoils a trace, and the
    mean over the whole trace hides it. A window longer than the trace is the whole trace.
    """
    lowest = _lowest(logprobs, window)
    return None if lowest is None else math.exp(min(lowest, 0.0))  # rounding may be above 0


def tail(logprobs: Sequence[float], window: int = WINDOW) -> float | None:
    """Return the geometric mean token probability of the last ``window``, near the answer."""
    return mean_logprob(_last(logprobs, window))


def token_confidences(top: Sequence[Place]) -> list[float]:
    """Return C_i of each position that has alternatives."""
    return [-math.fsum(place.values()) / len(place) for place in top if place]


def lowest_group_confidence(top: Sequence[Place], window: int = WINDOW) -> float | None:
    """Return DeepConf's lowest group confidence (0 or more)."""
    return _lowest(token_confidences(top), window)


def tail_confidence(top: Sequence[Place], window: int = WINDOW) -> float | None:
    """Return DeepConf's tail confidence (0 or more)."""
    return _mean(_last(token_confidences(top), window))


def self_certainty(top: Sequence[Place]) -> float | None:
    """Return Kang's self-certainty over the known alternatives (0 or more): KL from uniform.

    The mean over positions.
    """
    return _mean(
        [
            c - math.log(len(p))
            for c, p in zip(token_confidences(top), filter(None, top), strict=True)
        ]
    )


def entropy(top: Sequence[Place]) -> float | None:
    """Return the mean entropy per token, in nats; at most log(k + 1)."""
    return _mean([_entropy(place.values()) for place in top if place])


def _entropy(logprobs: Iterable[float]) -> float:
    known = [(math.exp(p), p) for p in logprobs]
    rest = max(0.0, 1 - math.fsum(p for p, _ in known))
    return -math.fsum(p * log for p, log in known) - (rest * math.log(rest) if rest else 0.0)


def _lowest(values: Sequence[float], window: int) -> float | None:
    if window < 1:
        raise ValueError("window must be at least 1 token")
    if len(values) <= window:
        return _mean(values)
    total = list(accumulate(values, initial=0.0))
    return min(high - low for low, high in zip(total, total[window:], strict=False)) / window


def _last(values: Sequence[float], window: int) -> Sequence[float]:
    if window < 1:
        raise ValueError("window must be at least 1 token")
    return values[-window:]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _share(value: float | None) -> float | None:
    """Return x / (1 + x), for an unbounded x; negative rounding errors become 0."""
    return None if value is None else max(0.0, value) / (1 + max(0.0, value))


# Verifiers ----------------------------------------------------------------------------------------

Measure = Callable[[Trace], float | None]


@dataclass(frozen=True, slots=True)
class Confidence(Facts):
    """A verifier that reads a trace's log-probabilities; without them it abstains."""

    name: str
    measure: Measure
    top_logprobs: int = 0
    """Number of alternatives per position that its traces must come with."""
    needs_logprobs: bool = True

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace."""
        return [self._score(trace) for trace in traces]

    def _score(self, trace: Trace) -> Score:
        try:
            value = self.measure(_within(trace, self.top_logprobs))
        except (ValueError, OverflowError):  # the trace may come from a foreign model
            return Score(None, self.name, "its log-probabilities are invalid", "error")
        places = f"{len(trace.top or ())} places with alternatives" if self.top_logprobs else ""
        return Score(value, self.name, places)


def _within(trace: Trace, most: int) -> Trace:
    """Return the trace with the likeliest alternatives alone, if it has more than ``most``, which
    somebody else has asked for.
    """
    if not most or all(len(place) <= most for place in trace.top or ()):
        return trace
    top = tuple(
        dict(heapq.nlargest(most, place.items(), key=itemgetter(1))) for place in trace.top or ()
    )
    return replace(trace, top=top)


def sampled(name: str, measure: Callable[[Sequence[float]], float | None]) -> Confidence:
    """Return a verifier that uses the sampled tokens' log-probabilities alone."""
    return Confidence(name, lambda trace: measure(trace.logprobs or ()))


def certain(given: Arguments) -> Confidence:
    """Return ``self_certainty(K)``, with K alternatives per position.

    Raises:
        UsageError: K is invalid.
    """
    return _topped(given, lambda trace: _share(self_certainty(trace.top or ())))


def unspread(given: Arguments) -> Confidence:
    """Return ``entropy(K)``, with K alternatives per position.

    Raises:
        UsageError: K is invalid.
    """

    def measure(trace: Trace) -> float | None:
        found = entropy(trace.top or ())
        return None if found is None else math.exp(-found)

    return _topped(given, measure)


def _topped(given: Arguments, measure: Measure) -> Confidence:
    return Confidence(given.name, measure, given.whole(0, TOP, high=20))


def windowed(given: Arguments) -> Confidence:
    """Return ``lowest_group(WINDOW, top=K)`` or ``tail(WINDOW, top=K)``.

    With K alternatives per position they use DeepConf's formula, else the sampled tokens alone.

    Raises:
        UsageError: WINDOW or K is invalid.
    """
    of_sampled = {"lowest_group": lowest_group, "tail": tail}[given.kind]
    of_top = {"lowest_group": lowest_group_confidence, "tail": tail_confidence}[given.kind]
    window = given.whole(0, WINDOW, high=1_000_000)
    if given.at("top") is None:
        return sampled(given.name, lambda logprobs: of_sampled(logprobs, window))
    top = given.whole("top", TOP, high=20)
    return Confidence(given.name, lambda t: _share(of_top(t.top or (), window)), top)
