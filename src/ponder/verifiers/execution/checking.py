"""Code-based self-verification: the model writes a program that checks an answer, and it is run.

Zhou 2023, 'Solving Challenging Math Word Problems Using GPT-4 Code Interpreter with Code-based
Self-Verification' (arXiv 2308.07921), section 3.2. There the check is part of one conversation with
an interpreter; here each distinct answer gets one program, which prints True or False. It assumes
that checking is easier than solving, and fails where the model repeats the same error in its check.
A program that does not end with either word says nothing: the verifier abstains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ponder.answers.programs import printing
from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.text.quoting import NOT_TO_OBEY, quoted
from ponder.core.trace import Score, Trace
from ponder.sandbox.base import Output, Sandbox
from ponder.sandbox.mathematics import reaching
from ponder.verifiers.base import Tooled
from ponder.verifiers.execution.verifier import NO_PROGRAM
from ponder.verifiers.judge.asking import judged, question
from ponder.verifiers.naming import Arguments

ASK = (
    "Write a Python program that checks the answer: it puts the answer back into the question, "
    "tests every condition, and prints True if all of them hold, else False. Use the standard "
    "library or sympy. Reply with the program alone, in one ```python block."
)
VALUES = {"True": 1.0, "False": 0.0}


@dataclass(frozen=True, slots=True)
class CheckProgram(Tooled):
    """Scores each trace by a program that checks its answer."""

    name: str
    model: str = ""
    length: int = 512
    """Most tokens of a program."""
    models: tuple[str, ...] = ()

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace: 1 for True, 0 for False, else an abstention.

        Raises:
            UsageError: no sandbox works here, and the tools are not ``unsafe``.
        """
        first = {t.answer.key: t for t in reversed(traces) if t.answer is not None}
        if problem.answer_type == "code" or not first:
            why = "there is no answer to check by a program"
            return [Score(None, self.name, why) for _ in traces]
        where = await self.tools.calculator()

        async def one(child: Session, trace: Trace) -> Score:
            assert trace.answer is not None
            return await self._checked(child, problem, trace.answer.text, where)

        scores = await judged(session, list(first.values()), self.name, one)
        found = dict(zip(first, scores, strict=True))
        none = Score(None, self.name, "there is no answer to check")
        return [found[t.answer.key] if t.answer else none for t in traces]

    async def _checked(
        self, session: Session, problem: Problem, answer: str, where: Sandbox
    ) -> Score:
        prompt = f"{NOT_TO_OBEY}\n\n{quoted('question', question(problem))}\n\n"
        prompt += f"{quoted('answer', answer)}\n\n{ASK}"
        written = await session.grow(
            Trace.empty(Problem((Message("user", prompt),))),
            role="verify",
            model=self.model,
            length=self.length,
            temperature=0.0,
            logprobs=False,
            top_logprobs=0,
        )
        source = printing(written.text, truncated=written.cut)
        if source is None:
            return Score(None, self.name, NO_PROGRAM)
        sources = [reaching(), source] if where.whole else [source]
        [output] = await where.feed(sources, [""])
        return verdict(output, self.name)


def verdict(output: Output, name: str) -> Score:
    """Return the score that a check's output stands for."""
    last = output.text.split()[-1:] if output.verdict == "pass" else []
    value = VALUES.get(last[0].rstrip(".")) if last else None
    if value is None:
        return Score(None, name, f"the check came to no verdict ({output.verdict})")
    return Score(value, name, f"a program says {last[0]}", "pass" if value else "fail")


def check_program(given: Arguments) -> CheckProgram:
    """Return the verifier ``check_program(MODEL, length=512)``.

    Raises:
        UsageError: an option is unknown or invalid.
    """
    return CheckProgram(given.name, given.model, given.whole("length", 512, 16, 8192), given.models)
