"""Tree of thoughts (Yao 2023, 'Tree of Thoughts: Deliberate Problem Solving with LLMs', section 3).

Thoughts are steps. From each prefix ``fan`` next thoughts are drawn (the paper's 'sample'), and
each new prefix is scored. A search decides the next one. Breadth first keeps the ``width`` best at
each depth (algorithm 1). Depth first follows the best one, drops prefixes below ``threshold``, and
backtracks (algorithm 2). The score is the model's own judgement of a prefix (sure, likely,
impossible: ``votes`` times, section 3.3), or the verifier's (``value=verifier``). A finished trace
with the highest possible score ends the search.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from ponder.core.problem import Message, Problem
from ponder.core.record.search import Node
from ponder.core.sessions.session import Session
from ponder.core.steps import step
from ponder.core.trace import Score, Trace
from ponder.policies.tree import best_of
from ponder.strategies.declaring import RUN, STEPS, Values, strategy
from ponder.strategies.knobs import Range, StepKind, StepTokens

VALUE = "value"
"""The role under which the model's own judgements are booked."""
ASK = (
    "Question:\n\n{question}\n\nThe beginning of a solution:\n\n{text}\n\nCan this beginning lead "
    "to the right answer? Reply with one word: sure, likely or impossible."
)
WORDS = {"sure": 1.0, "likely": 0.5, "impossible": 0.0}


def _valuing(values: Values) -> str:
    return RUN if values["value"] == "verifier" else ""


@strategy(
    "steps valued by the model, breadth or depth first",
    "Yao 2023",
    verifier=_valuing,
    needs=STEPS,
)
async def tree_of_thoughts(
    s: Session,
    problem: Problem,
    *,
    search: Annotated[Literal["bfs", "dfs"], "Breadth or depth first."] = "bfs",
    width: Annotated[int, Range(1, 256)] = 3,
    fan: Annotated[int, Range(1, 256)] = 3,
    value: Literal["model", "verifier"] = "model",
    votes: Annotated[int, Range(1, 64)] = 3,
    threshold: Annotated[float, Range(0, 1)] = 0.2,
    expansions: Annotated[int, Range(1, 4096)] = 32,
    steps: StepKind = "paragraph",
    step_tokens: StepTokens = 256,
) -> Trace:
    """Search the tree of thoughts, at most ``expansions`` prefixes; return the best trace."""
    unit = step(steps, step_tokens)
    judge = partial(_valued, s, votes=votes) if value == "model" else None
    ended: list[Node] = []
    waiting = [s.tree(problem).root]  # depth first: a stack, the best on top
    left = expansions
    while waiting and left > 0 and not any(map(s.unbeatable, ended)):
        now = waiting[:left] if search == "bfs" else [waiting.pop()]
        left -= len(now)
        grown = await s.expand(now, fan, unit, judge=judge, unlike=True)
        if search == "bfs":
            kept = await s.select(grown, partial(best_of, count=width))
            waiting = [node for node in kept if not node.done]
            ended += [node for node in kept if node.done]
        else:
            choose = partial(_promising, least=threshold)
            kept = await s.select(grown, choose, f"below {threshold:g}")
            waiting = s.standing(waiting) + [node for node in kept if not node.done]
            ended += [node for node in kept if node.done]
        s.settle(ended)
    if ended:
        return await s.conclude(ended)
    lead = waiting[:1] if search == "bfs" else waiting[-1:]
    return await s.conclude(lead[0].trace if lead else Trace.empty(problem))


def _promising(nodes: Sequence[Node], least: float) -> list[Node]:
    """Return the nodes to continue or to choose from, the best last."""
    held = [n for n in nodes if n.value is None or n.value >= least or n.done]
    return best_of(held, len(held))[::-1]


async def _valued(s: Session, traces: Sequence[Trace], *, votes: int) -> list[tuple[Trace, Score]]:
    """Score each prefix by the mean of the model's own votes; an abstention if all were lost."""

    async def vote(child: Session, trace: Trace) -> float | None:
        question = trace.problem.shown[-1].content
        asked = Problem((Message("user", ASK.format(question=question, text=trace.text)),))
        about = replace(
            Trace.empty(asked), id=trace.id
        )  # so that the journal shows which trace it is about
        said = await child.grow(about, role=VALUE, length=8, reserve_for=trace)
        return read_value(said.text)

    async def valued(child: Session, trace: Trace) -> tuple[str, Score]:
        said = await child.gather([partial(vote, trace=trace)] * votes)
        known = [one for one in said if one is not None]
        return trace.id, Score(sum(known) / len(known) if known else None, VALUE)

    values = dict(await s.gather([partial(valued, trace=trace) for trace in traces]))
    return [(trace, values.get(trace.id, Score(None, VALUE))) for trace in traces]


def read_value(reply: str) -> float | None:
    """Return the value of the first of the three words in a reply; None if there is none."""
    found = re.search(r"\b(sure|likely|impossible)\b", reply.casefold())
    return WORDS[found[1]] if found else None
