"""Self-consistency (Wang 2023): draw independent samples, and let their answers vote.

It assumes that wrong samples disagree with each other while right ones agree, so it needs answers
that can be compared. Samples are requested in waves: each is the fewest that could settle the vote
(``policies.stopping``), or ``batch`` of them, which is faster if the model works on many at once.
Samples that are still running when the vote is settled are cancelled. With ``stop=exact`` the
winner is the one that all n samples would have elected. The other rules are checked between waves
only, so that the outcome does not depend on the order of arrival.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.text.refs import parse
from ponder.core.trace import Trace
from ponder.policies.poll import Poll
from ponder.policies.stopping import RULES, rule
from ponder.policies.value import PRIOR
from ponder.strategies.declaring import RUN, Values, strategy
from ponder.strategies.knobs import Open, Range
from ponder.strategies.worth import Weighed

BY = {"confidence": "mean_logprob", "score": ""}
"""Name of the verifier that weighs a vote; '' is the run's."""


def _weighing(values: Values) -> str:
    return {"votes": "", "confidence": "mean_logprob", "score": RUN}[values["weight"]]


def _check(values: Values) -> None:
    name = parse(values["stop"]).name
    if name not in ("exact", "never") and values["weight"] != "votes":
        raise UsageError(f"stop={name} counts votes: use it with weight=votes, or take stop=exact.")


@strategy(
    "independent chains vote",
    "Wang 2023; Aggarwal 2023",
    verifier=_weighing,
    check=_check,
    tools=True,
)
async def self_consistency(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 4096)] = 8,
    weight: Annotated[Literal["votes", "confidence", "score"], "What a vote weighs."] = "votes",
    stop: Annotated[str, Open(tuple(RULES), check=rule), "When the vote ends."] = "exact",
    threshold: Annotated[float, Range(0.5, 1.0), "How sure bayes must be."] = 0.95,
    batch: Annotated[int, Range(1, 4096)] = 1,
) -> Trace:
    """Draw up to n samples, at least ``batch`` at once; return one with the winning answer.

    A vote weighs 1 (``votes``), the mean token probability of its sample (``confidence``), or the
    score from the run's verifier (``score``); never more than 1, so ``exact`` is exact for all of
    them. If the verifier abstains on all samples, they have one vote each.
    """

    async def ballot(child: Session) -> tuple[Trace, float]:
        trace = await child.grow(Trace.empty(problem), concludes=concludes)
        scores = await child.score([trace], BY[weight]) if weight in BY else []
        return trace, scores[0].value or 0.0 if scores else 1.0

    closing = rule(stop, s.outlook or PRIOR, threshold=threshold)
    poll, worth = Poll(n, closing), Weighed(s, problem, closing)
    while coming := poll.wave(_least(s, batch, poll), worth.rule(poll.traces)):
        concludes = worth.concludes(poll)
        async with s.as_completed([ballot] * coming) as arriving:
            async for trace, weighs in arriving:
                poll.add(trace, weighs)
                if standings := poll.standings:
                    s.propose(standings[0].voter, standings[0].weight)
                    s.vote([(v.answer.text, v.weight) for v in standings], poll.remaining)
                if poll.settled:
                    break
        poll.keep(await s.steer(poll.traces))
        poll.n += s.granted()
    worth.tell(poll)
    return poll.winner or (s.first(poll.traces) if poll.traces else await s.spare(problem))


def _least(s: Session, batch: int, poll: Poll) -> int:
    """Return the fewest samples of a wave. A vote that its first wave did not end is contested, so
    that what is nearly free beside the rest comes with it.
    """
    if not poll.traces:
        return batch
    return max(batch, s.economy.wave(poll.remaining))
