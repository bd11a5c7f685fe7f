"""Decide: one look at a text, and the probabilities of the choices instead of a written answer.

Each look is a request of one greedy token; the choices' probabilities are those of the labels among
the likeliest first tokens. ``policies.decisions`` has the mathematics and the papers. The text
comes first and the choices last, so that a prefix cache evaluates the text once for all orders.

With a ``question`` the problem's message is the text that it is about; without, the message itself
asks. Looks are booked under a role of their own: what they say is no candidate for a vote.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from ponder.core.answer import Answer
from ponder.core.errors import LimitReached, UsageError
from ponder.core.problem import Problem
from ponder.core.record.events import Weighed
from ponder.core.sessions.session import Session
from ponder.core.trace import Trace
from ponder.policies.decisions import (
    TEMPERATURES,
    calibrated,
    chances,
    orders,
    pooled,
    softened,
    undecided,
)
from ponder.strategies.deciding.looking import (
    BLANKS,
    MOST,
    YES_NO,
    Form,
    Labels,
    Look,
    blanks,
    look,
)
from ponder.strategies.declaring import strategy
from ponder.strategies.knobs import Range


@strategy("one look: the choices' probabilities, nothing written", "Zhao 2021", written=False)
async def decide(
    s: Session,
    problem: Problem,
    *,
    question: Annotated[str, "Question about the message; without one, the message asks."] = "",
    labels: Annotated[Labels, "Replies: letters, or the choices themselves."] = "letters",
    permutations: Annotated[int, Range(1, MOST), "Most orders of the choices."] = 4,
    calibrate: Annotated[bool, "Divide by the probabilities for a content-free text."] = False,
    soften: Annotated[float, Range(*TEMPERATURES), "Temperature of the probabilities."] = 1.0,
    threshold: Annotated[float, Range(0, 1), "Least probability of a decision."] = 0.0,
) -> Trace:
    """Look at the text once for each order of the choices, and decide or abstain."""
    form = Form(question, problem.choices or YES_NO, labels)
    if len(form.choices) > MOST:
        raise UsageError(f"there are {len(form.choices)} choices: give at most {MOST}.")
    texts = [(problem.messages[-1].content, False)]
    texts += [(blank, True) for blank in BLANKS if calibrate]
    looks = [
        partial(look, problem=problem, form=form, text=text, blank=blank, order=order)
        for text, blank in texts
        for order in orders(len(form.choices), permutations)
    ]
    seen: list[Look] = []
    try:
        seen += await s.gather(looks[:1])  # tells if the model tells; the rest find its text cached
        if all(one.reading is not None for one in seen):
            seen += await s.gather(looks[1:])
    except LimitReached:
        if not seen:
            why = "the budget did not allow one look"
            return _told(s, Trace.empty(problem), form.choices, (), 0.0, why)
    own = [one for one in seen if not one.blank]
    if not own:
        s.fail()
    readings = [one.reading for one in own if one.reading is not None]
    if not readings:
        why = "the model reports no log-probabilities"
        return _told(s, own[0].trace, form.choices, (), 0.0, why)
    logprobs = pooled(readings)
    if blank := blanks(seen):
        logprobs = calibrated(logprobs, pooled(blank))
    found = chances(softened(logprobs, soften))
    mass = sum(reading.mass for reading in readings) / len(readings)
    why = undecided(found, mass, threshold)
    return _told(s, own[0].trace, form.choices, found, mass, why)


def _told(
    s: Session,
    trace: Trace,
    choices: tuple[str, ...],
    found: tuple[float, ...],
    mass: float,
    why: str,
) -> Trace:
    """Publish the decision or the reason for an abstention; return the trace that states it."""
    even = (1 / len(choices),) * len(choices)
    choice = None if why else choices[found.index(max(found))]
    s.weigh(Weighed(choices, found or even, mass, choice, why))
    answer = None if choice is None else Answer(choice, choice)
    return replace(trace, text=choice or why, answer=answer, finish="stop")
