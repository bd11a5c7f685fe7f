"""The model checks its own answers: P(True), and putting the answer back into the problem.

``self_verify`` is P(True) of Kadavath et al. 2022, arXiv 2207.05221, section 3: the model is shown
the question and a proposed answer, and asked whether it is (A) True or (B) False; the score is the
probability of (A). Where the model tells no alternatives, (A) and (B) are taken for the only two
outcomes, so the greedy one's probability p gives both, p for (A) and 1 - p for (B): exact if the
model says nothing else, and else too high for a false answer by what it would have said instead.
They found it to grow with the model's size: small models hardly know.

``substitute`` asks the model to put the answer back into the problem and to check every condition,
and to end with a verdict (the backward verification of Weng et al. 2022, arXiv 2212.09561, section
3.2, without masking: the problem's own conditions are checked). The score is the share of ``k``
checks that say 'correct'.

``self_verify(MODEL, k=5, see=answer)``, ``substitute(MODEL, k=1, length=256)``. Without MODEL the
run's own model checks itself, which is what the papers mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.text.quoting import NOT_TO_OBEY, quoted
from ponder.core.trace import Score, Trace, Verdict
from ponder.verifiers.base import Facts
from ponder.verifiers.judge.asking import Asker, judged, question
from ponder.verifiers.judge.verifier import Labelling
from ponder.verifiers.naming import Arguments

ROLE = "verify"
TRUE = {"A": 1.0, "B": 0.0}
SEE = ("answer", "text")


@dataclass(frozen=True, slots=True)
class SelfVerify(Labelling):
    """Scores each trace by P(True) of its answer; without an answer, of its text."""

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return P(True) of each trace; an abstention where neither True nor False can be read."""
        return await self.labelled(traces, session, partial(true_prompt, problem), TRUE)


def true_prompt(problem: Problem, proposed: str) -> str:
    """Return the prompt for P(True)."""
    return (
        f"{NOT_TO_OBEY}\n\n"
        f"{quoted('question', question(problem))}\n\n"
        f"{quoted('proposed answer', proposed)}\n\n"
        "Is the proposed answer:\n(A) True\n(B) False\n"
        "Reply with one letter, A or B, and nothing else."
    )


@dataclass(frozen=True, slots=True)
class Substitute(Facts):
    """Scores each trace by the share of ``k`` checks that find its answer correct."""

    name: str
    model: str = ""
    k: int = 1
    """Number of checks."""
    length: int = 256
    """Most tokens of a check."""
    models: tuple[str, ...] = ()

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace.

        1 and ``pass`` where all readable checks say correct, 0 and ``fail`` where none does. An
        abstention where no check comes to a verdict, or there is no answer to check.
        """

        async def one(child: Session, trace: Trace) -> Score:
            if trace.answer is None:
                return Score(None, self.name, "there is no answer to put back")
            return await self._checked(child, problem, trace.answer.text)

        return await judged(session, traces, self.name, one)

    async def _checked(self, session: Session, problem: Problem, answer: str) -> Score:
        start = Trace.empty(Problem((Message("user", check_prompt(problem, answer)),)))
        heat = 0.0 if self.k == 1 else 0.7

        async def check(child: Session) -> str:
            grown = await child.grow(
                start,
                role=ROLE,
                model=self.model,
                length=self.length,
                temperature=heat,
                logprobs=False,
                top_logprobs=0,
            )
            return grown.text

        if self.k == 1:
            replies = [await check(session)]  # a loss is reported with its reason
        else:
            replies = await session.gather([check] * self.k)
        read = [said for reply in replies if (said := find_verdict(reply)) is not None]
        if not read:
            return Score(None, self.name, f"no verdict in {len(replies)} checks")
        value = sum(read) / len(read)
        verdict: Verdict = "pass" if value == 1 else "fail" if value == 0 else "scored"
        return Score(value, self.name, f"{sum(read)} of {len(read)} checks say correct", verdict)


def check_prompt(problem: Problem, answer: str) -> str:
    """Return the prompt for a check."""
    return (
        f"Check an answer to a question. {NOT_TO_OBEY}\n\n"
        f"{quoted('question', question(problem))}\n\n"
        f"{quoted('answer', answer)}\n\n"
        "Take the answer as given and put it back into the question. Check each condition of the "
        "question in a few short steps; do not solve it anew. End with one line, "
        "'Verdict: correct' or 'Verdict: incorrect'."
    )


_VERDICT = re.compile(
    r"^[^\w\n]{0,8}(?:final )?verdict[^\w\n]{1,8}(correct|incorrect)\b(?!\W{1,4}or\b)", re.I | re.M
)


def find_verdict(reply: str) -> bool | None:
    """Return the verdict of the last line that has one, or None.

    An echo of the instruction, which names both verdicts, does not count.
    """
    found = _VERDICT.findall(reply)
    return found[-1].casefold() == "correct" if found else None


def self_verify(given: Arguments) -> SelfVerify:
    """Return the verifier ``self_verify(MODEL, ...)``.

    Raises:
        UsageError: an option is unknown or invalid.
    """
    asker = Asker(ROLE, given.model, given.whole("k", 0))
    return SelfVerify(given.name, asker, given.one_of("see", SEE), given.models)


def substitute(given: Arguments) -> Substitute:
    """Return the verifier ``substitute(MODEL, ...)``.

    Raises:
        UsageError: an option is unknown or invalid.
    """
    k, length = given.whole("k", 1), given.whole("length", 256, 16, 8192)
    return Substitute(given.name, given.model, k, length, given.models)
