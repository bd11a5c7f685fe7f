"""Monte Carlo tree search over steps of reasoning (Kocsis & Szepesvari 2006; for language models
Hao 2023, 'Reasoning with Language Model is Planning with World Model').

Each round selects a promising prefix from the root down (``rule``: uct, or puct with the model's
own confidence in a step as prior) and expands it ``fan`` times. The new nodes are scored by the
run's verifier (with ``rollout``, by its score of a trace that is drawn from there to its end), and
the values are added to all ancestors. With ``alpha`` above 0 a prefix gets ``fan`` more branches
whenever it has fewer than visits^alpha (progressive widening: Couetoux 2011).

The trace returned is reached by the most visited branches (``choose=visits``), or is the finished
one with the best value. A finished trace that cannot be beaten ends the search. If all traces have
finished, the best one is returned in either case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from ponder.core.problem import Problem
from ponder.core.record.search import ROOT, Node
from ponder.core.sessions.session import Session
from ponder.core.steps import Step, step
from ponder.core.trace import Score, Trace
from ponder.policies.bandit import allowed, puct, uct
from ponder.policies.tree import favourite, seal, select, shares, visited
from ponder.strategies.declaring import RUN, STEPS, strategy
from ponder.strategies.knobs import Range, StepKind, StepTokens


@strategy(
    "a tree of steps, visited where it pays",
    "Kocsis 2006; Hao 2023",
    verifier=RUN,
    needs=STEPS,
    more=lambda values: ("logprobs",) if values["rule"] == "puct" else (),
)
async def mcts(
    s: Session,
    problem: Problem,
    *,
    expansions: Annotated[int, Range(1, 4096)] = 16,
    fan: Annotated[int, Range(1, 64)] = 4,
    rule: Literal["uct", "puct"] = "uct",
    c: Annotated[float, Range(0, 100), "How much exploring is worth."] = 1.0,
    alpha: Annotated[float, Range(0, 1)] = 0.0,
    rollout: bool = False,
    choose: Literal["visits", "value"] = "visits",
    steps: StepKind = "paragraph",
    step_tokens: StepTokens = 256,
) -> Trace:
    """Expand the most promising prefix ``expansions`` times; return the best trace."""
    unit, whole = step(steps, step_tokens), Step((), s.length)
    seen = {"logprobs": True} if rule == "puct" else {}
    priors, ends = dict[str, float](), dict[str, Trace]()
    closed, ended = set[str](), list[Node]()
    tree = s.tree(problem)

    def bid(parent: Node, child: Node) -> float:
        if rule == "puct":
            return puct(child.mean, child.visits, parent.visits, priors[child.id], c)
        return uct(child.mean, child.visits, parent.visits, c)

    def wider(node: Node) -> bool:
        return alpha > 0 and len(visited(tree, node)) < allowed(node.visits, alpha=alpha)

    async def grow(child: Session, start: Trace) -> Trace:
        """Draw one step, and with ``rollout`` the trace that scores it."""
        trace = await child.advance(start, step=unit, **seen)
        ends[trace.id] = await child.advance(trace, step=whole) if rollout else trace
        return trace

    async def judge(traces: Sequence[Trace]) -> list[tuple[Trace, Score]]:
        return list(zip(traces, await s.score([ends[t.id] for t in traces]), strict=True))

    for _ in range(expansions):
        node = select(tree, bid, wider, () if choose == "visits" else closed)
        if ROOT in closed:
            break
        if node.id in closed:  # an end keeps its value
            s.visit(node, node.mean)
            tree = s.tree(problem)
            continue
        new = await s.expand([node], fan, grow=grow, judge=judge)
        parents = [s.node(name) for name in dict.fromkeys(child.parent for child in new)]
        for parent in parents:  # more than the node, or others, if a person acted
            priors |= shares(parent, [child for child in new if child.parent == parent.id])
        for child in new:
            s.visit(child, child.value or 0.0)
            if child.done:
                closed.add(child.id)
            if ends[child.id].done:
                ended.append(s.node(ends[child.id].id))
        tree = s.tree(problem)
        for parent in () if alpha else parents:  # with alpha it may get more branches
            seal(tree, parent, closed)
        if s.settle(ended) and choose == "value":
            break
    if s.standing(ended) and (choose == "value" or ROOT in closed):
        return await s.conclude(ended)
    best = favourite(tree).trace
    end = ends.get(best.id, best)
    return await s.conclude(end if end.done else await s.advance(best, step=whole))
