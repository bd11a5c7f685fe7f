"""Deep Think with Confidence (Fu 2025, 'Deep Think with Confidence', DeepConf online, section 3.3).

``warmup`` traces are drawn to their ends to set a threshold: the lowest group confidence reached by
the top ``keep`` fraction of them. The other traces are checked every ``window`` tokens, and stopped
once the last group is less confident than the threshold. Finished traces vote, each weighted by its
confidence; after the warm-up, no more are drawn once one answer has ``consensus`` of the weight.
At the end, truncated traces are made to answer if that can change the outcome.

The paper computes confidence from the likeliest tokens; here it is that of the sampled tokens,
which every engine reports. It assumes that confidence predicts correctness.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from ponder.core.errors import LimitReached, UsageError
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.steps import Step
from ponder.core.trace import Trace
from ponder.policies.confidence import last_mean, lowest_mean, threshold
from ponder.policies.poll import Poll
from ponder.policies.stopping import Never, decided
from ponder.policies.vote import lead
from ponder.strategies.declaring import STEPS, Values, strategy
from ponder.strategies.knobs import Range


def _check(values: Values) -> None:
    if values["n"] <= values["warmup"]:
        raise UsageError(
            f"with n={values['n']} and warmup={values['warmup']} no chain is left to be stopped: "
            "set n above warmup."
        )


@strategy(
    "chains that become unsure are stopped, the others vote",
    "Fu 2025",
    needs=("logprobs", *STEPS),
    check=_check,
)
async def confident(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(2, 4096)] = 16,
    warmup: Annotated[int, Range(1, 1024)] = 8,
    keep: Annotated[float, Range(0.01, 1)] = 0.9,
    window: Annotated[int, Range(4, 4096)] = 64,
    consensus: Annotated[float, Range(0.5, 1)] = 0.95,
) -> Trace:
    """Draw at most ``n`` traces, stop those of low confidence, and let the others vote."""
    poll = Poll(n, Never())
    lows: dict[str, float] = {}

    def count(trace: Trace, chain: str = "") -> None:
        low = lows[chain] if chain else lowest_mean(trace.logprobs or (), window)
        lows[trace.id] = low
        poll.add(trace, math.exp(min(0.0, low)))
        if standings := poll.standings:
            s.propose(standings[0].voter, standings[0].weight)

    for trace in await s.sample(problem, warmup, logprobs=True):
        count(trace)
    poll.keep(await s.steer(poll.traces))
    if lows and _agreed(poll) < consensus:
        least = threshold(list(lows.values()), keep)
        chain = partial(_watched, problem=problem, window=window, least=least)
        async with s.as_completed([chain] * (n - warmup + s.granted())) as arriving:
            async for trace in arriving:
                if trace.done:
                    count(trace)
                else:
                    s.drop([trace], "became unsure")
    silent = [trace for trace in poll.traces if trace.inconclusive]
    if silent and not decided(*lead(poll.standings), len(silent)):
        for trace in await _answered(s, silent):
            count(trace, trace.parent)
    return poll.winner or (s.first(poll.traces) if poll.traces else await s.spare(problem))


async def _watched(s: Session, problem: Problem, window: int, least: float) -> Trace:
    """Draw a trace to its end, or until its confidence drops below ``least``."""
    trace = Trace.empty(problem)
    while not trace.done:
        trace = await s.advance(trace, step=Step((), window), logprobs=True)
        if last_mean(trace.logprobs or (), window) < least:
            break
    return trace


async def _answered(s: Session, silent: Sequence[Trace]) -> list[Trace]:
    """Make truncated traces answer, as far as the budget allows."""
    try:
        return await s.gather([partial(Session.conclude, ended=trace) for trace in silent])
    except LimitReached:
        return []


def _agreed(poll: Poll) -> float:
    """Return the leader's share of the weight."""
    weights = [standing.weight for standing in poll.standings]
    return weights[0] / math.fsum(weights) if weights and weights[0] else 0.0
