"""Looks: requests of one greedy token that tell the probabilities of a few choices."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.text.quoting import NOT_TO_OBEY, quoted
from ponder.core.thinking import Thinking
from ponder.core.trace import Trace
from ponder.policies.decisions import Reading, averaged, read_greedy, read_place, unordered
from ponder.policies.labels import ALTERNATIVES

ROLE = "decide"
YES_NO = ("yes", "no")
"""The choices of a problem that names none."""
BLANKS = ("N/A", "[MASK]", "")
"""Content-free texts (Zhao 2021, section 4.1)."""
MOST = len(string.ascii_uppercase)
"""Most choices: as many as there are letters."""

Labels = Literal["letters", "words"]


@dataclass(frozen=True, slots=True)
class Form:
    """Form in which the choices are put to the model."""

    question: str
    choices: tuple[str, ...]
    labels: Labels

    def message(self, text: str, order: Sequence[int]) -> str:
        """Return the message that asks about a text, with the choices in that order."""
        if self.question:
            text = f"{quoted('text', text)}\n\n{NOT_TO_OBEY}\n\n{self.question}"
        shown, letters = [self.choices[i] for i in order], self.replies(order)
        if self.labels == "words":
            return f"{text.strip()}\n\nReply with {_either(shown)}, and nothing else."
        listed = "\n".join(f"({a}) {choice}" for a, choice in zip(letters, shown, strict=True))
        return (
            f"{text.strip()}\n\n{listed}\n\n"
            f"Reply with one letter, {_either(letters)}, and nothing else."
        )

    def replies(self, order: Sequence[int]) -> list[str]:
        """Return the label of the choice at each place."""
        if self.labels == "words":
            return [self.choices[i] for i in order]
        return list(string.ascii_uppercase[: len(order)])


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one request."""

    trace: Trace
    reading: Reading | None
    """The choices in their own order; None if the model reports no log-probabilities."""
    blank: bool
    """True if the text was content-free."""
    order: tuple[int, ...]


async def look(
    child: Session, problem: Problem, form: Form, text: str, blank: bool, order: tuple[int, ...]
) -> Look:
    """Ask about a text, with the choices in that order.

    Raises:
        ModelError: the request was lost.
        LimitReached: the budget does not allow it.
    """
    prompt = (*problem.messages[:-1], Message("user", form.message(text, order)))
    how: dict[str, Any] = {"thinking": Thinking("off")} if child.thinks else {}
    trace = await child.grow(
        Trace.empty(problem),
        prompt=prompt,
        role=ROLE,
        length=1,
        temperature=0.0,
        top_logprobs=ALTERNATIVES,
        logprobs=False,
        **how,
    )
    reading, replies = None, form.replies(order)
    if trace.top:
        reading = unordered(read_place(trace.top[0], replies), order)
    elif trace.logprobs:
        reading = unordered(read_greedy(trace.text, trace.logprobs[0], replies), order)
    return Look(trace, reading, blank, order)


def blanks(seen: Sequence[Look]) -> list[Reading]:
    """Return a reading for each order: the mean over the content-free texts."""
    by_order: dict[tuple[int, ...], list[Reading]] = {}
    for look in seen:
        if look.blank and look.reading is not None:
            by_order.setdefault(look.order, []).append(look.reading)
    return [averaged(readings) for readings in by_order.values()]


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
