"""Verify and backtrack: one trace, checked step by step, that goes back when a step fails.

After each step the run's verifier scores the trace. A step below ``threshold`` is discarded and
drawn again, with a warning that names what failed; after ``tries`` failures in one place the step
before it is discarded too. When the tries run out, the verified prefix is drawn to its end, or else
the best of the failed ones. (Tree of thoughts, algorithm 2, with one branch at a time; the warnings
are the verbal feedback of Shinn 2023, 'Reflexion'.) It assumes a verifier that can locate an error:
without one, best_of_n makes better use of the same tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from ponder.core.problem import Message, Problem
from ponder.core.record.search import Node
from ponder.core.sessions.session import Session
from ponder.core.steps import Step, step
from ponder.core.trace import Trace
from ponder.strategies.declaring import RUN, STEPS, strategy
from ponder.strategies.knobs import Range, StepKind, StepTokens

WARNING = "\n\n(This was tried and is wrong, so do otherwise: {said})"


@strategy(
    "a chain that goes back where a step does not hold",
    "Yao 2023",
    verifier=RUN,
    needs=STEPS,
)
async def verify_and_backtrack(
    s: Session,
    problem: Problem,
    *,
    threshold: Annotated[float, Range(0, 1)] = 0.5,
    tries: Annotated[int, Range(1, 64)] = 3,
    most: Annotated[int, Range(1, 4096)] = 32,
    steps: StepKind = "paragraph",
    step_tokens: StepTokens = 256,
) -> Trace:
    """Draw at most ``most`` steps, going back when one fails; return the trace."""
    unit = step(steps, step_tokens)
    held = [s.tree(problem).root]
    failures = [0]  # at each step of the trace
    wrong: list[str] = []
    ended: list[Node] = []
    failed: list[Node] = []
    for _ in range(most):
        await s.offer(held[-1:])
        gone = next((at for at, node in enumerate(held) if not s.standing([node])), None)
        if gone is not None:  # pruned or edited: go back to there
            heir = s.heir(held[gone].trace)
            held[gone:] = [s.node(heir.id)] if heir else []
            wrong = []
        del failures[len(held) :]
        prompt = _warned(problem, wrong)
        grown = await s.advance(held[-1].trace, step=unit, prompt=prompt)
        await s.score([grown])
        node = s.node(grown.id)
        if node.done:
            ended.append(node)
            s.settle(ended)
        if node.value is None or node.value >= threshold:
            if node.done:
                return await s.conclude(grown)
            held.append(node)
            failures.append(0)
            wrong = []
            continue
        s.drop([node], f"below {threshold:g}")
        failed.append(node)
        failures[-1] += 1
        wrong = [*wrong, " ".join(filter(None, (_added(held[-1], node), node.score.detail)))]
        if failures[-1] >= tries and len(held) > 1:
            wrong = [_added(held[-2], held[-1])]
            s.drop([held.pop()], f"{tries} steps after it did not hold")
            failures.pop()
            failures[-1] += 1
    if ended:
        return await s.conclude(ended)
    last = held[-1] if held[-1].depth else s.elsewhere()
    return await s.conclude(await s.advance(last.trace, step=Step((), s.length)))


def _added(before: Node, after: Node) -> str:
    """Return the text of the step between two nodes."""
    return after.trace.text.removeprefix(before.trace.text).strip()


def _warned(problem: Problem, wrong: list[str]) -> tuple[Message, ...]:
    """Return the question with a list of the failed steps."""
    if not wrong:
        return ()
    *before, last = problem.shown
    return (*before, replace(last, content=last.content + WARNING.format(said="; ".join(wrong))))
