"""Monte Carlo tree search over steps of reasoning (Kocsis & Szepesvari 2006; for chains of a model
Hao 2023, 'Reasoning with Language Model is Planning with World Model').

Each round walks from the root to a promising beginning (``rule``: uct, or puct with the model's own
confidence in a step as prior), continues it ``fan`` times, values what came (by the run's verifier;
with ``rollout`` by the verifier's score of a chain that is drawn from there to its end), and adds
the values to all beginnings above. With ``alpha`` above 0 a beginning gets ``fan`` more branches
whenever it has fewer than visits^alpha (progressive widening: Couetoux 2011). The chain returned is
reached by the most visited branches (``choose=visits``), or the finished one with the best value,
which ends the search if there can be no better, and which is taken, too, where all have ended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from ponder.core.concluding import concluded
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.steps import Step, step
from ponder.core.trace import Score, Trace
from ponder.policies.bandit import allowed, puct, uct
from ponder.policies.tree import Node, select
from ponder.strategies.knobs import Range, StepKind

State = Node[Trace]


async def mcts(
    s: Session,
    problem: Problem,
    *,
    expansions: Annotated[int, Range(1, 4096)] = 16,
    fan: Annotated[int, Range(1, 64)] = 4,
    rule: Literal["uct", "puct"] = "uct",
    c: Annotated[float, Range(0, 100)] = 1.0,
    alpha: Annotated[float, Range(0, 1)] = 0.0,
    rollout: bool = False,
    choose: Literal["visits", "value"] = "visits",
    steps: StepKind = "paragraph",
    step_tokens: Annotated[int, Range(1, 4096)] = 256,
) -> Trace:
    """Expand the most promising beginning ``expansions`` times; return the best chain."""
    unit, whole = step(steps, step_tokens), Step((), s.length)
    seen = {"logprobs": True} if rule == "puct" else {}
    ends: dict[str, Trace] = {}
    root: State = Node(Trace.empty(problem))
    ended: list[tuple[Trace, Score]] = []

    def bid(parent: State, child: State) -> float:
        if rule == "puct":
            return puct(child.mean, child.visits, parent.visits, child.prior, c)
        return uct(child.mean, child.visits, parent.visits, c)

    def wider(node: State) -> bool:
        return alpha > 0 and len(node.children) < allowed(node.visits, alpha=alpha)

    async def grown(child: Session, start: Trace) -> tuple[Trace, Trace]:
        """One step, and the chain that it is judged by."""
        trace = await child.advance(start, step=unit, **seen)
        return trace, await child.advance(trace, step=whole) if rollout else trace

    for _ in range(expansions):
        node = select(root, bid, wider, revisit=choose == "visits")
        if root.closed:
            break
        if node.closed:  # an end is worth what it was worth
            node.backup(node.mean)
            continue
        new = await s.gather([partial(grown, start=node.state)] * fan)
        scores = await s.score([end for _, end in new])
        priors = _priors(node.state, [trace for trace, _ in new])
        for (trace, end), score, prior in zip(new, scores, priors, strict=True):
            node.add(trace, prior=prior, closed=trace.done).backup(score.value or 0.0)
            if end.done:
                ends[trace.id] = end
                ended.append((end, score))
        if new and not alpha:  # else it may get more
            node.seal()
        if ended:
            best, score = s.best(ended)
            s.propose(best, score.value)
            if choose == "value" and s.unbeatable(best, score):
                break
    if ended and (choose == "value" or root.closed):
        return await concluded(s, best)
    favourite = _most_visited(root).state
    return await concluded(s, ends.get(favourite.id) or await s.advance(favourite, step=whole))


def _most_visited(node: State) -> State:
    """Down from the node, always to the child with most visits, then the highest mean."""
    while node.children:
        node = max(node.children, key=lambda child: (child.visits, child.mean))
    return node


def _priors(before: Trace, traces: Sequence[Trace]) -> list[float]:
    """Each step's mean token probability, as shares; equal where that is not known."""
    old = len(before.logprobs or ())
    new = [trace.logprobs[old:] if trace.logprobs else () for trace in traces]
    likely = [math.exp(math.fsum(p) / len(p)) if p else 1.0 for p in new]
    return [one / math.fsum(likely) for one in likely]
