"""Sequential revisions against parallel samples, as one knob (Snell 2024, section 6).

Of n samples, ``chains`` are drawn independently. Each is then revised, every revision with the
earlier attempts in view, until all n are spent: n = chains is plain parallel sampling, chains = 1
purely sequential. All of them vote, or the run's verifier picks (``pick=best``). The paper finds
that easy questions benefit from revisions and hard ones from a mixture; its model was trained to
revise, an ordinary one is only prompted to.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.strategies.chains.revising import again, steered
from ponder.strategies.declaring import RUN, Values, strategy
from ponder.strategies.knobs import Range

ASK = (
    "Look at your attempt critically: check each step and the final answer against the question. "
    "Then solve the question again from the beginning, with what you found corrected."
)


def _picking(values: Values) -> str:
    return RUN if values["pick"] == "best" else ""


@strategy("chains, each revised in turn", "Snell 2024", verifier=_picking)
async def sequential_parallel(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 1024)] = 8,
    chains: Annotated[int, Range(1, 1024)] = 2,
    memory: Annotated[int, Range(1, 16)] = 2,
    pick: Literal["vote", "best"] = "vote",
) -> Trace:
    """Draw ``chains`` samples, revise each until n samples are spent; vote, or let a verifier pick.

    A revision sees the last ``memory`` attempts of its chain.
    """
    chains = min(chains, n)
    found: list[tuple[Trace, Score]] = []
    owners: list[int] = []  # the chain of each that was found
    judged = pick == "best" and not s.listwise

    async def attempt(child: Session, owner: int) -> tuple[int, Trace]:
        chain = [trace for at, (trace, _) in zip(owners, found, strict=True) if at == owner]
        prompt = again(problem, [(t, ASK) for t in chain[-memory:]])
        revised = await child.grow(Trace.empty(problem), prompt=prompt)
        if chain:
            child.revise(revised, chain[-1])
        return owner, revised

    for start in range(0, n, chains):
        new = await s.gather([partial(attempt, owner=i) for i in range(min(chains, n - start))])
        traces = [trace for _, trace in new]
        scores = await s.score(traces) if judged else [Score(None, "")] * len(traces)
        found += zip(traces, scores, strict=True)
        owners += [owner for owner, _ in new]
        if s.settle(found):  # without a verifier, they vote
            break
        kept = await steered(s, found, scores=judged)
        found, owners = [pair for _, pair in kept], [owners[at] for at, _ in kept]
    if not found:
        return await s.spare(problem)
    if pick == "best" and s.listwise:
        traces = [trace for trace, _ in found]
        found = list(zip(traces, await s.score(traces), strict=True))
    return s.best(found)[0]
