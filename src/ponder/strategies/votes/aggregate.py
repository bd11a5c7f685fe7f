"""Aggregate: candidates are shown to the model, which writes a better one, in rounds (Venkatraman
2025, 'Recursive Self-Aggregation Unlocks Deep Thinking in Large Language Models', section 3).

A population of ``n`` chains is drawn. In each of ``rounds``, every place of the next population is
filled by one request that shows ``k`` of the present one, drawn at random, and asks for a new
solution (``mode=write``), or for the number of the best of them, which goes on unchanged
(``mode=pick``; Toshniwal 2025, 'GenSelect'). The last population votes, or the run's verifier picks
from it. A small ``k`` keeps a population diverse, a large one mixes it in fewer rounds.

It assumes that a model finds the mistakes of a solution more easily beside others. One that only
copies what it is shown turns the first majority into unanimity.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.strategies.declaring import RUN, Values, strategy
from ponder.strategies.knobs import Range

WRITE = (
    "These are candidate solutions. Some of them may be wrong, wholly or in part:\n\n{candidates}"
    "\n\nCompare them, keep what is right, mend what is wrong, and write one complete solution, "
    "better than each of them. If all of them are wrong, take another way."
)
PICK = (
    "{question}\n\nThese are candidate solutions:\n\n{candidates}\n\nCompare them step by step. "
    "Then write the number of the best one, alone on the last line."
)
SELECT = "select"
"""The role under which choices are booked: they are no answers to the problem."""
SHOWN = 4000
"""Number of characters shown of a candidate: its end, where the answer is."""
_NUMBER = re.compile(r"\d{1,4}")


def _picking(values: Values) -> str:
    return RUN if values["pick"] == "best" else ""


@strategy("the model sees candidates, and writes a better one", "Venkatraman 2025",
          verifier=_picking)  # fmt: skip
async def aggregate(
    s: Session,
    problem: Problem,
    *,
    n: Annotated[int, Range(1, 1024), "Chains of a population."] = 8,
    k: Annotated[int, Range(1, 64), "Candidates that are shown at once."] = 4,
    rounds: Annotated[int, Range(1, 64), "Populations after the first."] = 2,
    mode: Annotated[Literal["write", "pick"], "A new solution, or the best of those."] = "write",
    pick: Annotated[
        Literal["vote", "best"], "The last population votes, or the verifier."
    ] = "vote",
) -> Trace:
    """Draw n chains; make n of them anew in each round; return the choice of the last n."""

    async def another(child: Session, crowd: Sequence[Trace]) -> Trace:
        shown = child.rng.sample(crowd, min(k, len(crowd)))
        told = "\n\n".join(f"Candidate {i}:\n\n{_end(t)}" for i, t in enumerate(shown, 1))
        *before, last = problem.shown
        if mode == "pick":
            question = PICK.format(question=problem.messages[-1].content, candidates=told)
            asked = Problem((*before, Message("user", question)))
            said = await child.grow(Trace.empty(asked), role=SELECT)
            numbers = [int(number) for number in _NUMBER.findall(said.text)]
            return shown[numbers[-1] - 1] if numbers and 0 < numbers[-1] <= len(shown) else shown[0]
        content = f"{last.content}\n\n{WRITE.format(candidates=told)}"
        prompt = (*before, replace(last, content=content))
        written = await child.grow(Trace.empty(problem), prompt=prompt)
        child.revise(written, shown[0])
        return written

    population = await s.sample(problem, n)
    for _ in range(rounds):
        s.settle(_silent(population))  # they vote: the answer if the budget ends here
        crowd = await s.steer(population) or [await s.spare(problem)]
        population = await s.gather([partial(another, crowd=crowd)] * n) or crowd
    s.settle(_silent(population))
    if pick == "best":
        return s.best(zip(population, await s.score(population), strict=True))[0]
    return s.best(_silent(population))[0]


def _end(trace: Trace) -> str:
    return trace.text.strip()[-SHOWN:] or "(nothing)"


def _silent(traces: Sequence[Trace]) -> list[tuple[Trace, Score]]:
    return [(trace, Score(None, "")) for trace in traces]
