"""Styles: the same question in other words or after worked examples, in every plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

import ponder
from ponder.answers.reading import Reader
from ponder.core.errors import UsageError
from ponder.core.problem import ANSWER_TYPES, AnswerType, Message, Problem
from ponder.core.record.effects import digest
from ponder.experiments.evals.configurations import Configuration, of_flags
from ponder.models.fakes.scripted import Scripted
from ponder.planning.spec import Spec
from ponder.planning.styles import BRIEF, Style, styled
from ponder.planning.wishes import spec
from tests.support.sandboxes import needed

QUESTION = "How many is six times seven?"
FORM = r"Think step by step, and put the final number in \boxed{}."
STYLES = get_args(Style)


def asked(style: str) -> Spec:
    return spec(QUESTION, model="m", knobs={"style": style}, system="Be kind.")


def test_plain_is_as_if_nothing_was_said() -> None:
    plain, unsaid = asked("plain"), spec(QUESTION, model="m", system="Be kind.")
    assert plain == unsaid
    written = plain.to_json()
    assert "style" not in written
    assert "examples" not in written["problem"]
    assert plain.problem.shown == (
        Message("system", "Be kind."),
        Message("user", f"{QUESTION}\n\n{FORM}"),
    )


def test_brief_adds_a_sentence() -> None:
    shown = asked("brief").problem.shown
    assert shown[-1] == Message("user", f"{QUESTION}\n\n{FORM} {BRIEF}")


def test_worked_puts_two_solved_questions_before_the_question() -> None:
    system, one, solved, two, solved_too, last = asked("worked").problem.shown
    assert system == Message("system", "Be kind.")
    assert [one.role, solved.role, two.role, solved_too.role] == ["user", "assistant"] * 2
    assert last == Message("user", f"{QUESTION}\n\n{FORM}")


def test_the_solved_questions_of_a_suite_are_shown_unless_none_is_wanted() -> None:
    turns = (Message("user", "One and one?"), Message("assistant", "\\boxed{2}"))
    problem = Problem((Message("user", QUESTION),), "number", examples=turns)
    assert styled(problem, "plain").shown == (*turns, *problem.messages)
    assert styled(problem, "zero_shot").shown == problem.messages
    own, both = styled(replace(problem, examples=()), "worked"), styled(problem, "worked")
    assert both.examples == (*own.examples, *turns)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_outlives_the_journal(style: str) -> None:
    once = asked(style)
    assert Spec.from_json(once.to_json()) == once
    assert Spec.from_json(once.to_json()).style == style


def test_styles_are_other_questions_to_the_journal() -> None:
    digests = {digest(asked(style).problem) for style in ("plain", "brief", "worked")}
    assert len(digests) == 3


def test_the_digest_of_a_plain_problem_is_that_of_older_journals() -> None:
    problem = Problem((Message("user", QUESTION),), "number", instruction=FORM)
    assert digest(problem) == "648e789e06899323"


def test_another_style_is_refused() -> None:
    with pytest.raises(
        UsageError, match="'style' must be one of plain, brief, worked, zero_shot, not 'odd'"
    ):
        asked("odd")


@pytest.mark.parametrize("kind", ANSWER_TYPES)
async def test_every_example_has_an_answer_of_its_type(kind: AnswerType) -> None:
    problem, reader = Problem((Message("user", "?"),), kind), Reader()
    examples = styled(problem, "worked").examples
    for question, solution in zip(examples[::2], examples[1::2], strict=True):
        one = Problem((question,), kind)
        assert await reader.read(solution.content, one, True) is not None
    assert len(examples) == 4
    reader.close()


def test_a_run_asks_in_its_style_and_says_so(tmp_path: Path) -> None:
    model = Scripted(["\\boxed{42}"])
    result = ponder.solve(
        QUESTION, model=model, strategy="direct", knobs={"style": "worked"},
        journal=tmp_path / "runs.sqlite",
    )  # fmt: skip
    assert len(model.requests[0].messages) == 5
    assert result.knobs["style"] == "worked"
    plain = ponder.solve(QUESTION, model=Scripted(["4"]), strategy="direct", journal=False)
    assert "style" not in plain.knobs


def test_a_program_has_a_prompt_of_its_own() -> None:
    needed("program")
    requests = []
    for style in STYLES:
        model = Scripted(["```python\nprint(42)\n```"])
        ponder.solve(QUESTION, model=model, strategy="program", knobs={"style": style},
                     journal=False)  # fmt: skip
        requests.append(model.requests[0].messages)
    assert all(request == requests[0] for request in requests)


def test_evaluations_compare_styles() -> None:
    wishes = of_flags({"strategy": "direct"}, ["style=plain,brief"])
    plain, brief = (
        Configuration("gsm8k", "m", **{k: v for k, v in wish.said.items() if v is not None})
        for wish in wishes
    )
    assert plain.id != brief.id
    assert plain.id == Configuration("gsm8k", "m", strategy="direct").id
    assert brief.label == "direct style=brief"
