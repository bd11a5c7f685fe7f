"""The contract of a verifier, which every one of them keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ponder.core.answer import Answer
from ponder.core.problem import ArithmeticTests, AssertTests, Message, Problem
from ponder.core.trace import Trace
from ponder.models.fakes.scripted import Scripted
from ponder.verifiers.base import Tools, using
from ponder.verifiers.registry import KINDS, find
from tests.support.asking import ask
from tests.support.sandboxes import sandbox

LEARNED = Path(__file__).parents[2] / "docs" / "results" / "gsm8k-learned.json"
SPELLINGS: dict[str, Callable[[Path], str]] = {
    "regex": lambda folder: 'regex("4.")',
    "script": lambda folder: f"script({folder / 'check.py'}, even)",
    "learned": lambda folder: f"learned({LEARNED})",
    "first": lambda folder: "first(arithmetic, mean_logprob)",
    "product": lambda folder: "product(arithmetic, mean_logprob)",
}
"""How a kind is named here; the others need no argument."""
PERSON = "human"
"""Waits for a person: its tests are its own."""
NAMES = sorted({*KINDS, *SPELLINGS} - {PERSON})
QUESTION = Problem(
    (Message("user", "Which number is even?"),),
    "number",
    schema="",
    tests=ArithmeticTests((6, 7), "42"),
)
PROGRAM = Problem(
    (Message("user", "Write a function double(n)."),),
    "code",
    tests=AssertTests("assert double(2) == 4", "double"),
)
OF_PROGRAMS = ("execution", "codet")


def made(name: str, folder: Path) -> str:
    (folder / "check.py").write_text(
        "def even(question, answer, reply):\n    return answer != '' and int(answer) % 2 == 0\n"
    )
    return SPELLINGS[name](folder) if name in SPELLINGS else name


def candidates(problem: Problem) -> list[Trace]:
    """Right, wrong, without an answer, without log-probabilities, and empty."""
    if problem.answer_type == "code":
        texts = ["def double(n):\n    return 2 * n", "def double(n):\n    return n", "", "no idea"]
    else:
        texts = ["6 * 7 = 42", "41", "", "no idea"]
    chains = []
    for i, text in enumerate(texts):
        answer = text.rpartition(" ")[2] if problem.answer_type == "number" else text
        chains.append(
            Trace(
                problem,
                text,
                len(text) // 2,
                "stop",
                Answer(answer, answer) if i < 2 else None,
                tuple(-0.1 for _ in text[: len(text) // 2]) if i != 1 else None,
                str(i),
            )
        )
    return chains


def model() -> Scripted:
    return Scripted(lambda request: "4. assert double(3) == 6\n\\boxed{42}")


@pytest.mark.parametrize("name", NAMES)
async def test_every_trace_gets_a_score_from_0_to_1_or_an_abstention(
    name: str, tmp_path: Path
) -> None:
    if name in OF_PROGRAMS:
        sandbox("bubblewrap")  # skips where there is none
    problem = PROGRAM if name in OF_PROGRAMS else QUESTION
    if name == "schema":
        problem = replace(QUESTION, answer_type="json", schema='{"type": "number"}')
    tools = Tools()
    try:
        verifier = using(find(made(name, tmp_path)), tools)
        traces = candidates(problem)
        scores = (await ask(verifier, traces, model())).scores
        again = (await ask(verifier, traces, model())).scores
    finally:
        tools.close()
    assert len(scores) == len(traces)
    for score in scores:
        assert score.value is None or 0 <= score.value <= 1
        assert (score.verdict == "abstain") <= (score.value is None)
        assert score.verifier
    assert [score.value for score in again] == [score.value for score in scores]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_says_all_that_a_verifier_is(name: str, tmp_path: Path) -> None:
    verifier = find(made(name, tmp_path))
    again = find(verifier.name)
    assert again.name == verifier.name
    for member in ("needs_logprobs", "top_logprobs", "listwise", "models", "asks"):
        assert getattr(again, member) == getattr(verifier, member)
    assert isinstance(verifier.needs_logprobs, bool)
    assert isinstance(verifier.listwise, bool)
    assert all(isinstance(one, str) for one in verifier.models)
