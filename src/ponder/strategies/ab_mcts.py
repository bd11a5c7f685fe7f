"""Adaptive branching tree search (Inoue 2025, 'Wider or Deeper? Scaling LLM Inference-Time Compute
with Adaptive Branching Tree Search', AB-MCTS-A, section 3).

A node is a whole attempt. At each node, from the root down, two arms are drawn from (Thompson
sampling): go wider, which makes another child here, or deeper, which descends to the best child by
another draw. At the root a new child is a fresh attempt, elsewhere a revision of the attempt at the
node, given what the verifier said of it. An arm's value is a Beta: of 'wider' by the scores of the
children, of 'deeper' by those of what came of the children, of one child by its own and those of
what came of it; where nothing was tried there is the prior alone. So the tree becomes as wide or as
deep as the scores recommend, and no branching factor has to be chosen. Of several ``models`` the
one that makes an attempt is drawn in the same way, by the scores of all that each has made so far
(the joint selection of the authors' treequest).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from typing import Annotated

from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.trace import Score, Trace
from ponder.policies.bandit import Beta
from ponder.policies.tree import Node
from ponder.strategies.knobs import Range
from ponder.strategies.members import listed
from ponder.strategies.revising import again, answered

State = Node[tuple[Trace, Score]]
REVISE = "This attempt was judged: {said}. Solve the question again, better."


async def ab_mcts(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 4096)] = 16,
    batch: Annotated[int, Range(1, 256)] = 1,
    models: str = "",
) -> Trace:
    """Make n attempts, ``batch`` at a time, where the scores recommend, unless there can be none
    better than one of them; return the best.
    """
    root: State = Node((Trace.empty(problem), Score(None, "")))
    made_by: dict[str, list[float]] = {name: [] for name in ("", *listed(models))}

    async def attempt(child: Session, parent: State, model: str) -> tuple[State, str, Trace]:
        asked = asked_of(problem, parent)
        return parent, model, await answered(child, problem, asked, model=model)

    attempts: list[tuple[Trace, Score]] = []
    made = 0
    while made < n:
        count = min(batch, n - made)
        places = [(descend(root, s.rng), promising(made_by, s.rng)) for _ in range(count)]
        made += count
        new = await s.gather([partial(attempt, parent=p, model=m) for p, m in places])
        scores = await s.score([trace for _, _, trace in new])
        for (parent, model, trace), given in zip(new, scores, strict=True):
            parent.add((trace, given)).backup(given.value or 0.0)
            made_by[model].append(given.value or 0.0)
            attempts.append((trace, given))
        if attempts:
            best, judged = s.best(attempts)
            s.propose(best, judged.value)
            if s.unbeatable(best, judged):
                break
    return s.best(attempts)[0]


def descend(root: State, rng: Random) -> State:
    """The node that gets another child."""
    node = root
    while node.children:
        own = [score(child) for child in node.children]
        wider = Beta().seen(own)
        deeper = Beta().seen(v for child in node.children for v in below(child))
        if wider.draw(rng) >= deeper.draw(rng):
            break
        node = max(node.children, key=lambda c: Beta().seen(map(score, c.walk())).draw(rng))
    return node


def promising(scores: Mapping[str, Sequence[float]], rng: Random) -> str:
    """The model that makes an attempt, by the scores of what each has made."""
    if len(scores) == 1:
        return next(iter(scores))
    return max(scores, key=lambda name: Beta().seen(scores[name]).draw(rng))


def score(node: State) -> float:
    """What the verifier gave the attempt itself; an abstention counts nothing."""
    return node.state[1].value or 0.0


def below(node: State) -> list[float]:
    """The scores of all that came of the attempt."""
    return [score(one) for one in node.walk() if one is not node]


def asked_of(problem: Problem, parent: State) -> Problem:
    """What is asked to get a child of ``parent``: the question anew, or for a revision."""
    trace, judged = parent.state
    if parent.parent is None:
        return problem
    value = "" if judged.value is None else f"{judged.value:.2f} of 1"
    said = ", ".join(filter(None, (value, judged.detail))) or "no opinion"
    return again(problem, [(trace.text, REVISE.format(said=said))])
