"""Asks a model for a one-word opinion, and turns the reply into a number.

The number is the expected value of a label over the model's distribution (G-Eval, Liu et al. 2023,
section 2.1.3: score = sum_i p(s_i) s_i), obtained in the first way that the model allows:

1. With the alternatives at the first token: the sum over the labels among them, divided by the
   labels' own mass. If that mass is below ``LEAST_MASS``, the reply was not a label: unreadable.
2. With the log-probability of the sampled token alone: the greedy reply has value v and
   probability p. The rest, 1 - p, lies on labels of which only the range of values is known, so
   the expectation lies between two bounds, and their midpoint is taken. With two labels the range
   is a point: the value is exact if the model says nothing but these two.
3. Else, or where the first token was not a label: the mean over k samples.

A candidate's text is fenced by a digest of itself, which it cannot contain, so it cannot end its
own quotation. Only the judge's reply is ever parsed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ponder.core.errors import ModelError
from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.policies.labels import ALTERNATIVES, LEAST_MASS, as_label, masses

SAMPLES = 5
WORDS = 8
"""Tokens of a sampled verdict: room for 'Grade: 4', not for an essay."""

Labels = Mapping[str, float]
"""The accepted replies, and the value of each."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """A value from the labels' range, or None if the reply was unreadable."""

    value: float | None
    detail: str
    """Says how the value was read."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The model to ask, and the number of samples if it must be sampled."""

    role: str
    model: str = ""
    """Name of the model; '' is the run's own."""
    k: int = 0
    """Number of samples. 0 means ``SAMPLES``, drawn only if the model returns no probabilities; a
    number that was given takes precedence over way 2.
    """

    async def look(self, session: Session, turns: tuple[Message, ...], **how: Any) -> Trace:
        """Return the first token of the reply, with the probabilities that the model tells.

        ``how`` overrides fields of ``Sampling``.

        Raises:
            ModelError: the request was lost.
            LimitReached: the budget does not allow it.
        """
        return await session.grow(
            Trace.empty(Problem(turns)),
            role=self.role,
            model=self.model,
            length=1,
            temperature=0.0,
            top_logprobs=ALTERNATIVES,
            logprobs=False,
            **how,
        )

    async def ask(self, session: Session, text: str, labels: Labels) -> Opinion:
        """Return the expected value of the reply to ``text``.

        Raises:
            ModelError: the first request was lost.
            LimitReached: the budget does not allow it.
        """
        turn = Message("user", text)
        said = await self.look(session, (turn,))
        if said.top:
            known = expected(said.top[0], labels)
            if known.value is not None:
                return known
        elif said.logprobs and not self.k:
            likely = bounded(said.text, said.logprobs[0], labels)
            if likely.value is not None:
                return likely

        async def sample(child: Session) -> str:
            drawn = await child.grow(
                Trace.empty(Problem((turn,))),
                role=self.role,
                model=self.model,
                length=WORDS,
                temperature=1.0,
                top_p=1.0,
                logprobs=False,
            )
            return drawn.text

        return averaged(await session.gather([sample] * (self.k or SAMPLES)), labels)


def expected(place: Mapping[str, float], labels: Labels) -> Opinion:
    """Way 1: ``place`` holds the likeliest first tokens and their natural log-probabilities."""
    known = masses(place, labels, as_label)
    mass = math.fsum(known.values())
    if mass < LEAST_MASS:
        return Opinion(None, f"no verdict: labels have {mass:.2f} of the first token")
    value = math.fsum(p * labels[label] for label, p in known.items()) / mass
    top = max(known, key=lambda label: known[label])
    return Opinion(_clipped(value, labels), f"{top} with p={known[top] / mass:.2f}")


def bounded(reply: str, logprob: float, labels: Labels) -> Opinion:
    """Way 2: the greedy token and its natural log-probability."""
    label = as_label(reply, labels)
    if label is None:
        return Opinion(None, f"no verdict: {reply[:40]!r}")
    others = [value for other, value in labels.items() if other != label]
    p = min(1.0, math.exp(logprob))
    value = p * labels[label] + (1 - p) * (min(others) + max(others)) / 2
    spread = (1 - p) * (max(others) - min(others)) / 2
    within = f", within {spread:.2f}" if spread else ""
    return Opinion(_clipped(value, labels), f"{label} with p={p:.2f}{within}")


def averaged(replies: Sequence[str], labels: Labels) -> Opinion:
    """Way 3: the mean over the readable replies."""
    read = [label for reply in replies if (label := find_label(reply, labels)) is not None]
    if not read:
        return Opinion(None, f"no verdict in {len(replies)} replies")
    value = math.fsum(labels[label] for label in read) / len(read)
    return Opinion(_clipped(value, labels), f"mean of {len(read)} of {len(replies)} replies")


_LEAD = r"(?:(?:the|my)?\s*(?:grade|score|rating|verdict|answer|choice)\b(?:\s+is\b)?[^\w(]*)?"
_OF = r"(?:\s*/\s*\d+|\s+out of \d+)?"


def find_label(reply: str, labels: Labels) -> str | None:
    """Return the label that a short reply starts with, as in '4', 'Grade: 4/5' or '(B) False'.

    None if that line says more or starts otherwise: '10', 'I would give it a 5', or an echo of the
    question such as '1, 2, 3, 4 or 5' are not verdicts.
    """
    names = "|".join(map(re.escape, labels))
    flags = re.IGNORECASE if all(len(label) > 1 for label in labels) else re.NOFLAG
    pattern = rf"(?i:{_LEAD})(?:\(({names})\)|({names})(?i:{_OF})(?=\W*$|\W*?\n))"
    found = re.match(pattern, reply.strip().lstrip("*_#`\"' "), flags)
    return as_label(found[1] or found[2], labels) if found else None


def _clipped(value: float, labels: Labels) -> float:
    """Remove rounding errors beyond the labels' range."""
    return min(max(labels.values()), max(min(labels.values()), value))


# What is asked ------------------------------------------------------------------------------------


def question(problem: Problem) -> str:
    """Return the question as text: a single message as it is, else each turn with its role.

    Solved examples are left out.
    """
    if len(problem.asked) == 1:
        return problem.asked[0].content.strip()
    return "\n\n".join(f"{m.role}: {m.content.strip()}" for m in problem.asked)


async def judged(
    session: Session,
    traces: Sequence[Trace],
    name: str,
    opinion: Callable[[Session, Trace], Awaitable[Score]],
) -> list[Score]:
    """Return one score per trace, all asked for at once; an abstention where the request was lost.

    Raises:
        LimitReached: the budget did not allow even one.
    """

    async def one(child: Session, i: int) -> tuple[int, Score]:
        try:
            return i, await opinion(child, traces[i])
        except ModelError as error:
            return i, Score(None, name, f"not judged: {error}")

    found = dict(await session.gather([partial(one, i=i) for i in range(len(traces))]))
    ended = Score(None, name, "not judged: the budget ended")
    return [found.get(i, ended) for i in range(len(traces))]
