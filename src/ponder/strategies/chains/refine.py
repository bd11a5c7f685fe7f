"""Refine: critique, revise, keep the best (Madaan 2023, 'Self-Refine', section 2).

If the run's verifier gives real feedback (a failing test, a checker's message), that is the
critique, and the loop ends when it passes. If it gives only a score, the model criticises its own
attempt, and the loop ends when it finds nothing. The attempt with the best score is returned, since
a revision may be worse than the original; ties go to the last. (Self-critique without external
feedback is doubtful: Huang 2024, 'Large Language Models Cannot Self-Correct Reasoning Yet'.)
"""

from __future__ import annotations

from typing import Annotated

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace, rank
from ponder.strategies.chains.revising import again, steered
from ponder.strategies.declaring import RUN, strategy
from ponder.strategies.knobs import Range

FINE = "NO MISTAKES"
CRITIQUE = (
    "Check this attempt step by step against the question. Say in a few sentences what is wrong "
    f"with it and how to mend it. If nothing is wrong, write only: {FINE}"
)
REVISE = (
    "This is what is wrong with your attempt:\n\n{said}\n\nSolve the question again, correctly."
)
CRITIC = "critique"
"""The role under which critiques are booked."""


@strategy("attempts are criticised and revised", "Madaan 2023", verifier=RUN)
async def refine(
    s: Session,
    problem: Problem,
    *,
    rounds: Annotated[int, Range(1, 64)] = 4,
    critique_length: Annotated[int, Range(16, 4096), "Most tokens of a critique."] = 256,
) -> Trace:
    """Make at most ``rounds`` attempts; return the best of them."""
    attempts: list[Trace] = []
    scores: list[Score] = []
    prompt = problem.shown
    for left in reversed(range(rounds)):
        last = await s.grow(Trace.empty(problem), prompt=prompt)
        if attempts:
            s.revise(last, attempts[-1])
        attempts.append(last)
        scores = await s.score(attempts) if s.listwise else [*scores, *await s.score([last])]
        judged = list(zip(attempts, scores, strict=True))
        best, score = max(reversed(judged), key=rank)
        s.propose(best, score.value)
        if s.unbeatable(judged[-1]) or not left:
            break
        said = await _feedback(s, problem, last, scores[-1], critique_length)
        if FINE in said.upper():
            break
        judged = [pair for _, pair in await steered(s, judged)]
        attempts, scores = [trace for trace, _ in judged], [score for _, score in judged]
        prompt = problem.shown
        if last in attempts:  # a person neither pruned nor edited it
            prompt = again(problem, [(last, REVISE.format(said=said))])
    return best


async def _feedback(s: Session, problem: Problem, attempt: Trace, score: Score, length: int) -> str:
    """Return the verifier's findings, or else the model's own critique."""
    if score.verdict in ("fail", "error", "timeout") and score.detail:
        return score.detail
    asked = Problem(again(problem, [(attempt, CRITIQUE)]))  # not an answer to the problem
    said = await s.grow(Trace.empty(asked), role=CRITIC, length=length)
    return said.text.strip()
