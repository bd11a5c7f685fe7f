"""Revisions in a row against chains side by side, as one knob (Snell 2024, section 6).

Of n samples, ``chains`` are drawn independently; each is then revised, every revision seeing the
attempts before it, until all n are spent: n = chains is plain parallel sampling, chains = 1 purely
sequential. All of them vote, or the run's verifier picks (``pick=best``). The paper finds that easy
questions want revisions and hard ones a mixture; its model was trained to revise, an ordinary one
is only asked to.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Trace
from ponder.policies.vote import Vote
from ponder.strategies.knobs import Range
from ponder.strategies.revising import again, answered

ASK = (
    "Look at your attempt critically: check each step and the final answer against the question. "
    "Then solve the question again from the beginning, with what you found corrected."
)


async def sequential_parallel(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 1024)] = 8,
    chains: Annotated[int, Range(1, 1024)] = 2,
    memory: Annotated[int, Range(1, 16)] = 2,
    pick: Literal["vote", "best"] = "vote",
) -> Trace:
    """Draw ``chains`` chains, revise each until n samples are spent; vote, or let a verifier pick.

    A revision sees the last ``memory`` attempts of its chain.
    """
    chains = min(chains, n)
    found: list[Trace] = []
    votes = Vote()

    async def chain(child: Session, length: int) -> None:
        attempts: list[Trace] = []
        for _ in range(length):
            asked = again(problem, [(t.text, ASK) for t in attempts[-memory:]])
            attempts.append(await answered(child, problem, asked))
            found.append(attempts[-1])
            votes.add(attempts[-1])
            if standings := votes.standings():
                s.propose(standings[0].voter, standings[0].weight)

    lengths = [n // chains + (i < n % chains) for i in range(chains)]
    await s.gather([partial(chain, length=length) for length in lengths])
    if pick == "best":
        found.sort(key=lambda trace: trace.order)
        return s.best(zip(found, await s.score(found), strict=True))[0]
    standings = votes.standings()
    return standings[0].voter if standings else s.first(found)
