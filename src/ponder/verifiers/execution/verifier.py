"""Runs answers against the public tests of their problem.

The value is the share of tests that pass, so that one wrong example in a question does not make
all answers equal. The verdict is ``pass`` only if all tests pass. Tests are assertions, or inputs
with the expected output. A test that ran no assertion does not count, and where none ran the
verifier abstains. Programs run in a sandbox or not at all (``sandbox``), each distinct one once.

Ranking samples by the question's own examples: Li 2022, 'Competition-level code generation with
AlphaCode' (filtering), and Chen 2022, 'CodeT', for problems without examples (``codet``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ponder.core.collecting.collect import collect
from ponder.core.problem import AssertTests, IoCase, IoTests, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace, Verdict
from ponder.sandbox.base import Outcome, Output, Sandbox
from ponder.verifiers.base import Tooled
from ponder.verifiers.execution.program import program, script, tested

T = TypeVar("T")

NO_TESTS = (
    "the problem brings no tests of a program; `first(execution, codet)` lets the model write some"
)
NO_PROGRAM = "there is no program in the reply"
NOTHING_RAN = "the tests ran no assertion on this program, so they say nothing of it"
_SHOWN = 60  # most characters of a text in a detail


@dataclass(frozen=True, slots=True)
class Execution(Tooled):
    """A verifier that runs programs; without public tests it abstains."""

    sandbox: Sandbox | None = None
    """Sandbox to run in; by default the best one of ``tools``."""
    name: str = "execution"

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return one score per trace.

        Raises:
            UsageError: no sandbox works here, and the tools are not ``unsafe``.
        """
        tests = problem.tests
        if not isinstance(tests, AssertTests | IoTests):
            return [Score(None, self.name, NO_TESTS) for _ in traces]
        where = self.sandbox or await self.tools.sandbox()

        async def judge(answer: str) -> Score:
            return scored(await run(answer, tests, where), self.name, where.name)

        judged = await once_each(traces, judge)
        return [of_trace(trace, judged, self.name) for trace in traces]


async def run(answer: str, tests: AssertTests | IoTests, where: Sandbox) -> list[Outcome]:
    """Return one outcome per test that ran an assertion.

    Raises:
        UsageError: the tests assert nothing, or need a framework that is not supported.
    """
    if isinstance(tests, AssertTests):
        units = collect(tests.code, tests.entry_point)
        asked = script(tests)
        outcomes = await where.test(program(answer, tests), asked)
        if len(outcomes) != len(asked.units):
            return outcomes
        return [_of(unit.claim, outcome) for unit, outcome in tested(units, outcomes)]
    printed = await where.feed(program(answer), [case.input for case in tests.cases])
    return [compared(output, case) for output, case in zip(printed, tests.cases, strict=True)]


def _of(test: str, outcome: Outcome) -> Outcome:
    """Add the test to the outcome's detail, if that is more informative."""
    if outcome.passed or outcome.verdict == "unsupported":
        return outcome
    error = "" if outcome.error == "AssertionError" else outcome.error
    return replace(outcome, error=error, detail=": ".join(filter(None, (test, outcome.detail))))


def compared(output: Output, case: IoCase) -> Outcome:
    """Compare the output with the expected one, but for white space at the ends of lines."""
    if output.verdict != "pass":
        return Outcome(output.verdict, "", "the program did not come to its end")
    if _lines(output.text) == _lines(case.output):
        return Outcome("pass")
    given, printed, wanted = (_short(text) for text in (case.input, output.text, case.output))
    return Outcome("fail", "", f"given {given} it printed {printed}, expected {wanted}")


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


async def once_each(
    traces: Sequence[Trace], judge: Callable[[str], Awaitable[T]]
) -> Mapping[str, T]:
    """Judge each distinct program among the answers once; returns the results by key."""
    answers = {trace.answer.key: trace.answer.text for trace in traces if trace.answer is not None}
    found = await asyncio.gather(*(judge(text) for text in answers.values()))
    return dict(zip(answers, found, strict=True))


def of_trace(trace: Trace, judged: Mapping[str, Score], name: str) -> Score:
    """Return the score of the trace's program. A trace that ended without one is wrong."""
    if trace.answer is not None:
        return judged[trace.answer.key]
    return Score(0.0, name, NO_PROGRAM, "fail") if trace.done else Score(None, name, NO_PROGRAM)


def scored(outcomes: Sequence[Outcome], name: str, where: str) -> Score:
    """Combine the outcomes of all tests of one program into one score."""
    beyond = next((o for o in outcomes if o.verdict == "unsupported"), None)
    if beyond is not None:
        return Score(None, name, f"{where} cannot run this program: {_said(beyond)}")
    if not outcomes:
        return Score(None, name, NOTHING_RAN)
    passed = sum(outcome.passed for outcome in outcomes)
    counted = f"{passed} of {len(outcomes)} tests pass"
    wrong = next((o for o in outcomes if not o.passed), None)
    if wrong is None:
        return Score(1.0, name, f"{counted} ({where})", "pass")
    return Score(
        passed / len(outcomes), name, f"{counted}: {_said(wrong)} ({where})", _verdict(outcomes)
    )


def _verdict(outcomes: Sequence[Outcome]) -> Verdict:
    """Return the verdict. A failed test outweighs one that did not end: the program did run."""
    seen = {outcome.verdict for outcome in outcomes}
    return "fail" if "fail" in seen else "timeout" if "timeout" in seen else "error"


def _said(outcome: Outcome) -> str:
    parts = [part for part in (outcome.error, " ".join(outcome.detail.split())[:200]) if part]
    return ": ".join(parts) or outcome.verdict
