"""Is an answer right? Grading is done after the fact, with the gold that inference never saw.

========================  ==========================================================================
gold                      an answer is right if
========================  ==========================================================================
``Reference``             number, math: ``equivalent`` says so (math-verify, in the worker process);
                          choice: the same label; text: the same words, number or label
``Arithmetic``            it is a solution (``arithmetic.solves``)
``HiddenTests``           the tests pass on it (``confined``)
``Scored``                it is the known answer, or (not for numbers) the task itself gives it the
                          full score
========================  ==========================================================================

No answer is a wrong answer.
"""

from __future__ import annotations

import re

from ponder.answers.arithmetic import solves
from ponder.answers.equivalence import MathOracle, choice_key, equivalent
from ponder.answers.numerals import plain_number
from ponder.core.problem import AssertTests
from ponder.experiments.suites.grading import gym
from ponder.experiments.suites.grading.confined import Confined, RunCode, Verdict
from ponder.experiments.suites.grading.gold import Arithmetic, Gold, HiddenTests, Reference, Scored
from ponder.verifiers.base import Tools
from ponder.verifiers.execution import program as execution_program

_LABELLED = re.compile(r"\W*([A-Z])[).:]\s", re.A)  # (B) The quail is ...
_LABEL = re.compile(r"\([A-Za-z]\)")


async def grade(
    gold: Gold,
    answer: str | None,
    *,
    worker: MathOracle | None = None,
    run: RunCode | None = None,
    tools: Tools | None = None,
) -> bool:
    """Return True if ``answer`` (as extracted from a reply) is right.

    ``worker`` reads formulas, ``run`` runs programs; by default those of ``tools``, without which
    this call creates its own.

    Raises:
        UsageError: the gold is a program's tests, which assert nothing, or there is no safe way
            to run them here.
    """
    if answer is None or not answer.strip():
        return False
    tools = tools or Tools()
    worker = worker or tools.reader.math
    match gold:
        case Reference():
            return await _matches(gold, answer, worker)
        case Arithmetic():
            return solves(answer, gold.numbers, gold.target)
        case HiddenTests():
            run = run or Confined(sandboxes=tools.sandboxes)
            return (await verdict(gold, answer, run)).passed
        case Scored():
            if gold.answer_type == "number":
                known = Reference(gold.answer, gold.answer_type)
                return await _matches(known, answer, worker)
            # Not by ``text_key``, to which '6 - 4' is '6 * 4': answers may be expressions.
            if _plain(answer) == _plain(gold.answer):
                return True
            return await gym.full_score(gold, answer, run or gym.confined(tools.sandboxes))
    raise TypeError(type(gold).__name__)


async def _matches(gold: Reference, answer: str, worker: MathOracle) -> bool:
    if gold.answer_type in ("number", "math"):
        units = gold.answer_type == "number"
        values = [plain_number(text, units=units) for text in (gold.text, answer)]
        if all(value is not None and value.denominator == 1 for value in values):
            return values[0] == values[1]  # most wrong answers need no math-verify
    if await equivalent(gold.text, answer, gold.answer_type, worker):
        return True
    if gold.answer_type in ("text", "choice"):
        labelled = _LABELLED.match(answer)
        if labelled and choice_key(gold.text) == f"c:{labelled[1]}":
            return True
    if gold.answer_type == "text":
        value = plain_number(gold.text)
        if value is not None:
            return plain_number(answer, units=True) == value
        return bool(_LABEL.fullmatch(gold.text)) and choice_key(gold.text) == choice_key(answer)
    return False


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".").casefold()


async def verdict(gold: HiddenTests, answer: str, run: RunCode) -> Verdict:
    """Run the hidden tests on a program."""
    return await run(program(gold, answer))


def program(gold: HiddenTests, answer: str) -> list[str]:
    """Return the sources to run, in order, the tests last.

    Raises:
        UsageError: the tests assert nothing, or need a framework that is not supported.
    """
    tests = AssertTests(gold.tests, gold.entry_point, gold.preamble, gold.stub)
    script = execution_program.script(tests, whole=True)
    return [*execution_program.program(answer, tests), f"{script.setup}\n{script.units[0]}"]
