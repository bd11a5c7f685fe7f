"""Program: the model writes a program, the sandbox runs it, and its output is the answer.

PAL (Gao 2022, 'PAL: Program-aided Language Models') and PoT (Chen 2022, 'Program of Thoughts
Prompting'): the model decides what to compute, and the interpreter computes. It assumes a question
whose answer can be computed. A program without an answer, because it fails, prints nothing or
prints something else, is mended: the model is told why. Programs err differently from texts, so a
``mixture`` of both votes better than either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from ponder.core.problem import Problem
from ponder.core.record.effects import PROGRAM
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.strategies.chains.revising import again
from ponder.strategies.declaring import strategy
from ponder.strategies.knobs import Range

ASK = (
    "Write a Python program that computes {what} and prints it. Use the standard library{more} "
    "only. Reply with the program alone, in one ```python block."
)
MEND = "This program gives no answer: {why}\n\nWrite the whole program again, correctly."


@strategy(
    "the model writes a program, whose output is the answer",
    "Gao 2022; Chen 2022",
    executes=True,
    answers=("number", "math", "choice", "text", "json"),
)
async def program(
    s: Session, problem: Problem, *, repairs: Annotated[int, Range(0, 16)] = 1
) -> Trace:
    """Write a program and run it; mend it at most ``repairs`` times."""
    more = " and sympy" if problem.answer_type == "math" else ""
    asked = replace(problem, instruction=ASK.format(what=_wanted(problem), more=more), examples=())
    attempts: list[tuple[Trace, str]] = []
    last: Trace | None = None
    for _ in range(1 + repairs):
        prompt = again(asked, attempts)
        written = await s.grow(Trace.empty(problem), prompt=prompt, role=PROGRAM)
        trace, ran = await s.execute(written)
        if last is not None:
            s.revise(trace, last)
        last = trace
        if trace.answer is not None:
            break
        attempts = [(written, MEND.format(why=ran.why))]
    assert last is not None
    return last


def _wanted(problem: Problem) -> str:
    match problem.answer_type:
        case "choice":
            labels = f", one of {', '.join(problem.choices)}" if problem.choices else ""
            return f"the label of the right option{labels},"
        case "json":
            schema = f" that satisfies this schema: {problem.schema}" if problem.schema else ""
            return f"the answer as JSON{schema}"
    return "the answer"
