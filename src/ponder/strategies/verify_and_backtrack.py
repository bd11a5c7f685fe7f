"""Verify and backtrack: one chain, checked step by step, that goes back when a step does not hold.

After each step the run's verifier scores the chain. A step below ``threshold`` is thrown away and
drawn anew, with a warning of what did not hold; after ``tries`` failures in one place the step
before it goes, too. Where the tries run out, what holds is drawn to its end, or else the best of
what did not hold. (Tree of thoughts, algorithm 2, with one branch at a time; the warnings are the
verbal feedback of Shinn 2023, 'Reflexion'.) It assumes a verifier that can tell where a chain went
wrong: without one, best_of_n is the better use of as many tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from ponder.core.concluding import concluded
from ponder.core.problem import Problem
from ponder.core.session import Session
from ponder.core.steps import Step, step
from ponder.core.trace import Score, Trace
from ponder.strategies.knobs import Range, StepKind

WARNING = "\n\n(This was tried and is wrong, so do otherwise: {said})"


async def verify_and_backtrack(
    s: Session,
    problem: Problem,
    *,
    threshold: Annotated[float, Range(0, 1)] = 0.5,
    tries: Annotated[int, Range(1, 64)] = 3,
    most: Annotated[int, Range(1, 4096)] = 32,
    steps: StepKind = "paragraph",
    step_tokens: Annotated[int, Range(1, 4096)] = 256,
) -> Trace:
    """Draw at most ``most`` steps, going back where one does not hold; return the chain."""
    unit = step(steps, step_tokens)
    held = [Trace.empty(problem)]
    failures = [0]  # at each step of the chain
    wrong: list[str] = []
    ended: list[tuple[Trace, Score]] = []
    failed: list[tuple[Trace, Score]] = []
    for _ in range(most):
        grown = replace(await s.advance(_warned(held[-1], wrong), step=unit), problem=problem)
        [score] = await s.score([grown])
        if grown.done:
            ended.append((grown, score))
            best, judged = s.best(ended)
            s.propose(best, judged.value)
        if score.value is None or score.value >= threshold:
            if grown.done:
                return await concluded(s, grown)
            held.append(grown)
            failures.append(0)
            wrong = []
            continue
        failed.append((grown, score))
        failures[-1] += 1
        new = grown.text.removeprefix(held[-1].text).strip()
        wrong = [*wrong, " ".join(filter(None, (new, score.detail)))]
        if failures[-1] >= tries and len(held) > 1:
            wrong = [held[-1].text.removeprefix(held[-2].text).strip()]
            held.pop()
            failures.pop()
            failures[-1] += 1
    if ended:
        return await concluded(s, best)
    last = held[-1] if held[-1].text else s.best(failed)[0]
    return await concluded(s, await s.advance(last, step=Step((), s.length)))


def _warned(chain: Trace, wrong: list[str]) -> Trace:
    """The same chain, of a question that says what did not hold."""
    if not wrong:
        return chain
    last = chain.problem.messages[-1]
    told = replace(last, content=last.content + WARNING.format(said="; ".join(wrong)))
    asked = replace(chain.problem, messages=(*chain.problem.messages[:-1], told))
    return replace(chain, problem=asked)
