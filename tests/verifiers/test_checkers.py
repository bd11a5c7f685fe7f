"""Problems that check themselves: golden verdicts, and what a user's own function may say."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ponder.answers.arithmetic import false_statement, steps
from ponder.core.answer import Answer
from ponder.core.errors import UsageError
from ponder.core.problem import ArithmeticTests, Message, Problem
from ponder.core.record.effects import Sampling
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.verifiers.registry import find

ASKED = (Message("user", "What?"),)


async def nobody(call: Any) -> Any:
    raise AssertionError("no model is asked")


async def said(
    name: str, problem: Problem, *answers: str | None, finish: Any = "stop"
) -> list[Score]:
    traces = [
        Trace(problem, f"so: {a}", 1, finish, None if a is None else Answer(a, a)) for a in answers
    ]
    return await find(name).score(problem, traces, Session(Run(nobody, 0, Sampling())))


def told(scores: list[Score]) -> list[tuple[float | None, str | None]]:
    return [(score.value, score.verdict) for score in scores]


PASS, FAIL, ABSTAIN = (1.0, "pass"), (0.0, "fail"), (None, "abstain")


@pytest.mark.parametrize(
    ("text", "held", "wrong"),
    [
        ("10 - 4 = 6 (left: 1, 5, 6)\n5 - 1 = 4 (left: 6, 4)\n6 * 4 = 24 (left: 24)", 3, ""),
        ("Let us see: 9 + 9 = 18.\n10-4 = 6 (left: 6, 5, 1)\n", 1, ""),
        ("1 / 4 = 0.25 (left: 5, 10, 0.25)", 1, ""),
        ("", 0, ""),
        ("10 - 4 = 5 (left: 1, 5, 5)", 0, "10 - 4 is not 5"),
        ("10 - 4 = 6 (left: 1, 6)", 0, "after 10 - 4 = 6 there are left: 1, 5, 6"),
        ("10 - 4 = 6 (left: 1, 5, 6)\n6 * 4 = 24 (left: 1, 5, 24)", 1,
         "6 * 4 takes a number that is not left: 1, 5, 6"),
        ("10 * 10 = 100 (left: 1)", 0, "10 * 10 takes a number that is not left: 1, 4, 5, 10"),
        ("1 - 1 = 0 (left: 0)\n", 0, "1 - 1 takes a number that is not left: 1, 4, 5, 10"),
        ("10 + 4 = 14 (left: 1, 5, 14)\n14 + 5 = 19 (left: 1, 19)\n19 + 1 = 20 (left: 20)", 3,
         "20 is left at the end, not 24"),
    ],
)  # fmt: skip
def test_steps_of_arithmetic(text: str, held: int, wrong: str) -> None:
    assert steps(text, (1, 4, 5, 10), Fraction(24)) == (held, wrong)
    assert steps("4 / 0 = 1 (left: 1)", (4, 0), Fraction(1)) == (0, "4 / 0 is not 1")


@pytest.mark.parametrize(
    ("text", "false"),
    [
        ("10 - 4 = 6 (left: 1, 6), 6 * 4 = 24.", ""),
        ("10 - 4 = 6, but 6 * 4 = 25: no.", "6 * 4 = 25"),
        ("So 1 / 4 = 0.25. And 4 / 0 = 1", "4 / 0 = 1"),
        ("10 + 8 + 3 = 21, 2 * 10 - 4 = 16, (10 - 4 = 5", ""),
        ("7 / 2 = 7/2, 18 + 3 = 21", ""),
        ("5 + 1 = 61", "5 + 1 = 61"),
        ("no sums", ""),
    ],
)
def test_false_statements(text: str, false: str) -> None:
    assert false_statement(text) == false


async def test_a_chain_that_goes_on_is_judged_by_its_steps() -> None:
    puzzle = Problem(ASKED, "math", tests=ArithmeticTests((1, 4, 5, 10), "24"))
    [holds, wrong, ended] = [
        (await find("arithmetic").score(puzzle, [chain], Session(Run(nobody, 0, Sampling()))))[0]
        for chain in (
            Trace(puzzle, "10 - 4 = 6 (left: 1, 5, 6)\n", 9),
            Trace(puzzle, "10 - 4 = 5 (left: 1, 5, 5)\n", 9),
            Trace(puzzle, "10 - 4 = 6 (left: 1, 5, 6)\n", 9, "length"),
        )
    ]
    assert (holds.value, holds.verdict, holds.detail) == (0.5, "scored", "1 step so far")
    assert (wrong.value, wrong.verdict, wrong.detail) == (0.0, "fail", "10 - 4 is not 5")
    assert (ended.value, ended.verdict) == (0.0, "fail")


async def test_arithmetic() -> None:
    puzzle = Problem(ASKED, "math", tests=ArithmeticTests((1, 4, 5, 10), "24"))
    answers = ("(10-4)*(5-1)", "(10-4)*(5-1) = 24", "24", "(10-4)*4", None)
    scores = await said("arithmetic", puzzle, *answers)
    assert told(scores) == [PASS, PASS, FAIL, FAIL, FAIL]
    assert scores[2].detail == "not 24 of 1, 4, 5, 10, each once"
    half = Problem(ASKED, "math", tests=ArithmeticTests((1, 2), "1/2"))
    assert told(await said("arithmetic", half, "1/2")) == [PASS]
    assert told(await said("arithmetic", puzzle, None, finish=None)) == [ABSTAIN]
    assert told(await said("arithmetic", Problem(ASKED), "1")) == [ABSTAIN]


async def test_schema() -> None:
    schema = '{"type": "object", "required": ["a"]}'
    problem = Problem(ASKED, "json", schema=schema)
    scores = await said("schema", problem, '{"a": 1}', '{"b": 1}', "[", None)
    assert told(scores) == [PASS, FAIL, FAIL, FAIL]
    assert told(await said("schema", problem, None, finish=None)) == [ABSTAIN]
    assert told(await said("schema", Problem(ASKED), "{}")) == [ABSTAIN]
    with pytest.raises(UsageError, match="JSON Schema is invalid"):
        await said("schema", Problem(ASKED, "json", schema='{"type": 3}'), "{}")
    with pytest.raises(UsageError, match="JSON Schema is invalid: a schema is an object"):
        await said("schema", Problem(ASKED, "json", schema="3"), "{}")


async def test_regex() -> None:
    scores = await said(r"regex:^\d{4}-\d\d$", Problem(ASKED), "2026-11", "x 2026-11", None)
    assert told(scores) == [PASS, FAIL, FAIL]
    assert scores[0].verifier == r"regex(^\d{4}-\d\d$)"
    assert told(await said("regex:a:b", Problem(ASKED), "xa:bx")) == [PASS]
    with pytest.raises(UsageError, match="not a regular expression"):
        find("regex:(")
    with pytest.raises(UsageError, match="needs an argument"):
        find("regex")


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(
        "SEEN = []\n"
        "def check(question, answer, reply):\n"
        "    SEEN.append((question, answer, reply))\n"
        "    return {'t': True, 'f': False, 'h': 0.5, 'n': None, '1': 1}.get(answer, 2)\n"
        "def raises(question, answer, reply):\n"
        "    raise KeyError(answer)\n"
        "def seen(question, answer, reply):\n"
        "    return SEEN == [('What?', 't', 'so: t'), ('What?', '', 'so: None')]\n"
        "def leaves(question, answer, reply):\n"
        "    raise SystemExit(3)\n"
        "async def waits(question, answer, reply):\n"
        "    return True\n"
        "number = 3\n"
    )
    return f"script:{path}"


async def test_a_function_of_the_users_own(script: str) -> None:
    scores = await said(f"{script}:check", Problem(ASKED), "t", "f", "h", "n", "1")
    assert told(scores) == [PASS, FAIL, (0.5, "scored"), ABSTAIN, (1.0, "scored")]
    [score] = await said(f"{script}:check", Problem(ASKED), "x")
    assert (score.value, score.verdict) == (None, "error")
    assert score.detail == "it returned 2: expected a number from 0 to 1, True, False or None"
    [score] = await said(f"{script}:waits", Problem(ASKED), "x")
    assert (score.value, score.verdict) == (None, "error")
    assert score.detail.startswith("it returned <coroutine ")
    [score] = await said(f"{script}:leaves", Problem(ASKED), "x")
    assert (score.value, score.verdict, score.detail) == (None, "error", "SystemExit: 3")
    [score] = await said(f"{script}:raises", Problem(ASKED), "x")
    assert (score.value, score.verdict, score.detail) == (None, "error", "KeyError: 'x'")


async def test_what_the_function_is_told(script: str, tmp_path: Path) -> None:
    verifier: Any = find(f"{script}:check")
    problem = Problem(ASKED)
    traces = [
        Trace(problem, "so: t", 1, "stop", Answer("t", "t")),
        Trace(problem, "so: None", 1, "stop"),
    ]
    scores = await verifier.score(problem, traces, Session(Run(nobody, 0, Sampling())))
    assert told(scores) == [PASS, (None, "error")]  # the empty answer is none that it knows
    assert verifier.function.__globals__["SEEN"] == [
        ("What?", "t", "so: t"),
        ("What?", "", "so: None"),
    ]
    assert find(f"{script}:check") is verifier


async def test_what_a_script_prints_does_not_spoil_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "loud.py"
    path.write_text(
        "print('loaded')\ndef f(*told):\n    print('asked', end='!')\n    return True\n"
    )
    assert [s.value for s in await said(f"script:{path}:f", Problem(ASKED), "x")] == [1.0]
    assert capsys.readouterr() == ("", "loaded\nasked!")


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("x", "write script(PATH.py, FUNCTION)"),
        ("x.py:", "write script(PATH.py, FUNCTION)"),
        ("nowhere.py:f", "there is no file nowhere.py"),
    ],
)
def test_a_script_that_is_none(argument: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        find(f"script:{argument}")
    assert complaint in str(refused.value)


def test_a_script_that_cannot_be_run_or_lacks_the_function(script: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(UsageError, match="cannot be run: ZeroDivisionError"):
        find(f"script:{tmp_path}/broken.py:f")
    for name in ("number", "absent"):
        with pytest.raises(UsageError, match=f"defines no function {name}"):
            find(f"{script}:{name}")
