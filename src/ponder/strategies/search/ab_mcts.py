"""Adaptive branching tree search (Inoue 2025, 'Wider or Deeper? Scaling LLM Inference-Time Compute
with Adaptive Branching Tree Search', AB-MCTS-A, section 3).

A node is a whole attempt. From the root down, Thompson sampling chooses between two arms at each
node: wider adds a child here, deeper descends to the best child by another draw. At the root a new
child is a fresh attempt; elsewhere it revises the node's attempt, given the verifier's feedback.

Each arm has a Beta posterior: 'wider' from the scores of the node's children, 'deeper' from those
below the children, a single child from its own score and those below it. An untried arm has the
prior. So the scores decide the shape of the tree, and no branching factor has to be chosen. With
several ``models``, the model of an attempt is drawn in the same way, by the scores of all of its
attempts so far (the listwise selection of the authors' treequest).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from typing import Annotated

from ponder.core.problem import Message, Problem
from ponder.core.record.search import ROOT, Node, Tree
from ponder.core.sessions.session import Session
from ponder.core.text.refs import Ref, parse_list
from ponder.core.trace import Trace
from ponder.policies.bandit import Beta
from ponder.policies.tree import visited
from ponder.strategies.chains.revising import again
from ponder.strategies.declaring import RUN, Member, strategy
from ponder.strategies.knobs import Range

REVISE = "This attempt was judged: {said}. Solve the question again, better."


def _attempts(*, models: str = "") -> tuple[Ref, ...]:
    return tuple(Ref("direct", model=model.text) for model in parse_list(models))


@strategy(
    "a tree of attempts, wider or deeper by their scores",
    "Inoue 2025",
    verifier=RUN,
    members=_attempts,
)
async def ab_mcts(
    s: Session,
    problem: Problem,
    members: Sequence[Member],
    *,
    n: Annotated[int, Range(1, 4096)] = 16,
    batch: Annotated[int, Range(1, 256)] = 1,
) -> Trace:
    """Make n attempts, ``batch`` at a time, at nodes chosen by their scores; return the best.

    The search ends early once an attempt cannot be beaten.
    """
    made_by: dict[str, list[float]] = {name: [] for name in ("", *(m.model for m in members))}
    tree = s.tree(problem)

    async def attempt(child: Session, parent: Node, model: str) -> tuple[Node, str, Trace]:
        prompt = shown(problem, parent)
        return parent, model, await child.grow(Trace.empty(problem), prompt=prompt, model=model)

    attempts: list[Trace] = []
    made = 0
    while made < n:
        count = min(batch, n - made)
        places = [(descend(tree, s.rng), promising(made_by, s.rng)) for _ in range(count)]
        made += count
        new = await s.gather([partial(attempt, parent=p, model=m) for p, m in places])
        await s.score([trace for _, _, trace in new])
        for parent, model, trace in new:
            s.revise(trace, parent.trace)
            node = s.node(trace.id)
            s.visit(node, score(node))
            made_by[model].append(score(node))
            attempts.append(trace)
        stay = await s.steer(attempts)
        await s.score([trace for trace in stay if trace not in attempts])  # from edited ones
        for edited in [s.node(trace.id) for trace in stay if trace not in attempts]:
            s.visit(edited, score(edited))
        attempts = stay
        n += s.granted()
        tree = s.tree(problem)
        if s.settle([s.node(trace.id) for trace in attempts]):
            break
    if not attempts:
        return await s.spare(problem)
    return s.best(s.node(trace.id) for trace in attempts)[0]


def descend(tree: Tree, rng: Random) -> Node:
    """Return the node that gets another child."""
    node = tree.root
    while children := visited(tree, node):
        wider = Beta().seen([score(child) for child in children])
        deeper = Beta().seen(v for child in children for v in below(tree, child)[1:])
        if wider.draw(rng) >= deeper.draw(rng):
            break
        node = max(children, key=lambda c: Beta().seen(below(tree, c)).draw(rng))
    return node


def promising(scores: Mapping[str, Sequence[float]], rng: Random) -> str:
    """Draw the model of the next attempt, by the scores of each model's attempts."""
    if len(scores) == 1:
        return next(iter(scores))
    return max(scores, key=lambda name: Beta().seen(scores[name]).draw(rng))


def score(node: Node) -> float:
    """Return the verifier's value of the attempt itself; 0 for an abstention."""
    return node.value or 0.0


def below(tree: Tree, node: Node) -> list[float]:
    """Return the scores of an attempt and of its descendants, its own first."""
    return [score(one) for one in tree.below(node.id)]


def shown(problem: Problem, parent: Node) -> tuple[Message, ...]:
    """Return the messages that request a child of ``parent``: the question, or a revision."""
    if parent.id == ROOT:
        return problem.shown
    value = "" if parent.value is None else f"{parent.value:.2f} of 1"
    said = ", ".join(filter(None, (value, parent.score.detail))) or "no opinion"
    return again(problem, [(parent.trace, REVISE.format(said=said))])
