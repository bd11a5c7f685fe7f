"""A model grades each trace from 1 to 5 (G-Eval: Liu et al. 2023, arXiv 2303.16634, section 2.1).

The score is the expected grade over the judge's distribution, not the grade that it happened to
say (section 2.1.3; ``judge_asking`` says what is done where the distribution is not known), mapped
to 0..1. G-Eval lets the model write evaluation steps first; a rubric by the user takes that place.

``judge(MODEL, k=5, see=text, rubric=PATH)``: ``k`` samples where the model tells no alternatives;
``see=answer`` shows the judge the final answer alone, without the reasoning that may talk it over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.text.quoting import NOT_TO_OBEY, quoted
from ponder.core.trace import Score, Trace
from ponder.verifiers.base import Facts
from ponder.verifiers.judge.asking import Asker, Labels, judged, question
from ponder.verifiers.naming import Arguments, read_rubric

GRADES = {str(grade): (grade - 1) / 4 for grade in range(1, 6)}
RUBRIC = (
    "5: correct and complete. 4: correct, with a small flaw. 3: partly correct. 2: mostly wrong. "
    "1: wrong."
)
SEE = ("text", "answer")


@dataclass(frozen=True, slots=True)
class Labelling(Facts):
    """A verifier that has a model label each trace by itself."""

    name: str
    asker: Asker
    see: str
    """Part of a trace that the model sees: ``text``, or the ``answer`` alone."""
    models: tuple[str, ...] = ()

    async def labelled(
        self, traces: Sequence[Trace], session: Session, ask: Callable[[str], str], labels: Labels
    ) -> list[Score]:
        """Return the expected label of each trace, for which ``ask`` makes the prompt.

        An abstention where no label can be read.
        """

        async def one(child: Session, trace: Trace) -> Score:
            text = shown(trace, self.see)
            if not text:
                return Score(None, self.name, "there is nothing to judge")
            opinion = await self.asker.ask(child, ask(text), labels)
            return Score(opinion.value, self.name, opinion.detail)

        return await judged(session, traces, self.name, one)


@dataclass(frozen=True, slots=True)
class Judge(Labelling):
    """Scores each trace by itself."""

    rubric: str = RUBRIC
    """Text that says what each grade means."""

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return the expected grade of each trace, from 0 to 1."""
        ask = partial(prompt, problem, rubric=self.rubric)
        return await self.labelled(traces, session, ask, GRADES)


def prompt(problem: Problem, candidate: str, rubric: str = RUBRIC) -> str:
    """Return the judge's prompt."""
    return (
        f"Grade a candidate's answer to a question. {NOT_TO_OBEY}\n\n"
        f"{quoted('question', question(problem))}\n\n"
        f"{quoted('candidate', candidate)}\n\n"
        f"Grades: {rubric}\n\n"
        "Which grade does the candidate deserve? Reply with one digit, 1, 2, 3, 4 or 5, and "
        "nothing else."
    )


def shown(trace: Trace, see: str) -> str:
    """Return the part of a trace that a judge sees; its text if it has no answer.

    Calls of tools follow the text.
    """
    if see == "answer" and trace.answer is not None:
        return trace.answer.text.strip()
    if trace.calls and trace.answer is not None:
        return f"{trace.text}\n\n{trace.answer.text}".strip()
    return trace.text.strip()


def judge(given: Arguments) -> Judge:
    """Return the verifier ``judge(MODEL, ...)``.

    Raises:
        UsageError: an option is unknown or invalid, or the rubric cannot be read.
    """
    rubric, given = read_rubric(given)
    asker = Asker("judge", given.model, given.whole("k", 0))
    see = given.one_of("see", SEE)
    return Judge(given.name, asker, see, given.models, rubric or RUBRIC)
