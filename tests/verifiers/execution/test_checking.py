"""The verifier that has the model write a program which checks an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ponder.core.trace import Score
from ponder.models.fakes.scripted import Scripted
from ponder.planning.styles import styled
from ponder.sandbox.base import Output, Sandbox
from ponder.verifiers.base import Tools
from ponder.verifiers.execution import checking
from ponder.verifiers.execution.checking import CheckProgram, verdict
from ponder.verifiers.judge.asking import question
from ponder.verifiers.registry import find
from tests.support.asking import ask
from tests.support.jobs import PROBLEM, trace
from tests.support.sandboxes import Printing


class Lent(Tools):
    """Tools whose sandbox knows ``print`` alone."""

    async def calculator(self) -> Sandbox:
        return Printing()


def fenced(word: str) -> str:
    return f"```python\nprint('{word}')\n```"


async def test_each_distinct_answer_is_checked_by_one_program() -> None:
    replies = {"42": fenced("True"), "41": fenced("False"), "40": "no program"}
    model = Scripted(
        lambda request: next(
            s for a, s in replies.items() if f"\n{a}\n" in request.messages[0].content
        )
    )
    traces = [trace(i, a) for i, a in enumerate(["42", "41", None, "42", "40"])]
    checker = CheckProgram("check_program", tools=Lent())
    said = await ask(checker, traces, model)
    assert [(s.value, s.verdict) for s in said.scores] == [
        (1.0, "pass"), (0.0, "fail"), (None, "abstain"), (1.0, "pass"), (None, "abstain"),
    ]  # fmt: skip
    assert len(model.requests) == 3
    assert {(r.temperature, r.max_tokens) for r in model.requests} == {(0.0, 512)}


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (Output("pass", "True\n"), 1.0),
        (Output("pass", "6 * 7 == 42: False\n"), 0.0),
        (Output("pass", "True or not"), None),
        (Output("pass", ""), None),
        (Output("error", "True\n"), None),
        (Output("timeout", ""), None),
    ],
)
def test_the_last_word_of_a_program_that_ended_is_its_verdict(
    output: Output, value: float | None
) -> None:
    assert verdict(output, "c").value == value


async def test_a_question_for_code_is_left_to_the_others() -> None:
    asked = replace(PROBLEM, answer_type="code")
    checker = CheckProgram("c", tools=Lent())
    said = await ask(checker, [trace(0, "x", problem=asked)], Scripted([]))
    [score] = said.scores
    assert score == Score(None, "c", "there is no answer to check by a program")


def test_its_arguments_are_read() -> None:
    found = find("check_program(grader, length=64)")
    assert isinstance(found, CheckProgram)
    assert (found.model, found.length, found.models) == ("grader", 64, ("grader",))
    assert "True" in checking.ASK


def test_a_judge_is_not_shown_worked_examples() -> None:
    assert question(styled(PROBLEM, "worked")) == question(PROBLEM)
