"""Least to most (Zhou 2022, 'Least-to-Most Prompting Enables Complex Reasoning in LLMs').

The question is split into smaller ones, which are answered in order, each with the earlier answers
in view; the question itself comes last. Each gets an equal part of the tokens that the ones before
it left of one trace's limit. It assumes that the model can split the question; if it does not, the
question is answered at once.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated

from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.strategies.declaring import strategy
from ponder.strategies.knobs import Range

PLAN = "plan"
"""The role under which the split and the smaller questions are booked."""
SPLIT = (
    "Do not answer the question below yet. Which smaller questions must be answered first, in "
    "which order? Write at most {most}, one per line, numbered; nothing else.\n\n{question}"
)
_NUMBERED = re.compile(r"^\s*(?:\d+[.):]|[-*])\s+(.+?)\s*$", re.M)


@strategy("smaller questions first", "Zhou 2022")
async def decompose(
    s: Session,
    problem: Problem,
    *,
    most: Annotated[int, Range(1, 16)] = 4,
    split_length: Annotated[int, Range(16, 4096), "Most tokens of the split."] = 256,
) -> Trace:
    """Answer at most ``most`` smaller questions first, then the question itself."""
    question = problem.shown[-1].content
    asked = Problem((Message("user", SPLIT.format(most=most, question=question)),))
    plan = await s.grow(Trace.empty(asked), role=PLAN, length=split_length)
    parts = split(plan.text)[:most]
    solved: list[tuple[str, str]] = []
    left = s.length
    for i, part in enumerate(parts):
        told = f"{_facts(solved)}Of this question:\n\n{question}\n\nAnswer only this part: {part}"
        smaller = Problem((*problem.shown[:-1], Message("user", told)))
        length = max(1, left // (len(parts) - i + 1))
        reply = await s.grow(Trace.empty(smaller), role=PLAN, length=length)
        left -= reply.tokens
        solved.append((part, reply.text.strip()))
    if not solved:
        return await s.grow(Trace.empty(problem))
    last = replace(problem.shown[-1], content=f"{_facts(solved)}{question}")
    prompt = (*problem.shown[:-1], last)
    return await s.grow(Trace.empty(problem), prompt=prompt, length=max(1, left))


def split(text: str) -> list[str]:
    """Return the lines of a list."""
    return _NUMBERED.findall(text)


def _facts(solved: list[tuple[str, str]]) -> str:
    facts = "".join(f"{asked}\n{answer}\n\n" for asked, answer in solved)
    return f"Already worked out:\n\n{facts}" if facts else ""
