"""The verifier that runs programs: golden verdicts, abstentions, and which tests are public."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ponder.core.collecting.collect import collect
from ponder.core.errors import UsageError
from ponder.core.problem import (
    ArithmeticTests,
    AssertTests,
    IoCase,
    IoTests,
    Message,
    Problem,
    Tests,
    read_tests,
)
from ponder.experiments.suites.registry import SUITES
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec
from ponder.sandbox.base import Outcome, Output, Script
from ponder.verifiers.execution.examples import examples
from ponder.verifiers.execution.program import program, script, telling
from ponder.verifiers.execution.verifier import Execution, compared
from ponder.verifiers.registry import find
from tests.support.programs import SESSION, replied
from tests.support.sandboxes import NAMES, sandbox

TESTS = AssertTests("assert double(2) == 4\nassert double(5) == 10", "double")
IO = IoTests((IoCase("2\n", "4\n"), IoCase("5\n", "10")))


def asked(tests: Tests | None, kind: Any = "code") -> Problem:
    return Problem((Message("user", "Double it."),), kind, tests=tests)


@dataclass
class Counting:
    """A sandbox that says what it is told to, and counts."""

    said: Sequence[Outcome]
    asked: list[Sequence[str]] = field(default_factory=list)
    name: str = "counting"
    whole: bool = True

    async def test(self, program: Sequence[str], script: Script) -> list[Outcome]:
        self.asked.append(program)
        return list(self.said)

    async def feed(self, program: Sequence[str], inputs: Sequence[str]) -> list[Output]:
        raise AssertionError


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("tests", "program", "value", "verdict"),
    [
        (TESTS, "def double(n): return 2 * n", 1.0, "pass"),
        (TESTS, "def double(n): return 4", 0.5, "fail"),
        (TESTS, "def double(n): return None", 0.0, "fail"),
        (TESTS, "lambda n: n + n", 1.0, "pass"),
        (TESTS, "def double(n): return 1 // 0", 0.0, "error"),
        (TESTS, "double(", 0.0, "error"),
        (TESTS, "def other(n): return 2 * n", 0.0, "error"),
        (AssertTests("assert f(2) == 4", "f", "K = 2\n", "K = 2\ndef f(n):\n"), "return K * n", 1.0,
         "pass"),
        (IO, "print(int(input()) * 2)", 1.0, "pass"),
        (IO, "print('  4  ' if input() == '2' else 1)", 0.0, "fail"),
        (IO, "print('4  \\n' if input() == '2' else 1)", 0.5, "fail"),
        (IO, "print(4)\nraise ValueError", 0.0, "error"),
    ],
)  # fmt: skip
async def test_a_program_is_worth_the_share_of_tests_that_it_passes(
    name: str, tests: Tests, program: str, value: float, verdict: str
) -> None:
    problem = asked(tests)
    verifier = Execution(sandbox(name))
    [score] = await verifier.score(problem, replied(problem, program), SESSION)
    assert (score.value, score.verdict, score.verifier) == (value, verdict, "execution")
    assert name in score.detail


STEPS = AssertTests(
    "assert add(1, 2) == 3\nx = 5\nassert add(x, 1) == 6\nassert add(2, 2) > 3", "add"
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("tests", "program", "said"),
    [
        (STEPS, "def add(a, b): return a - b", "0 of 3 tests pass: add(1, 2) == 3: it gave -1"),
        (STEPS, "def add(a, b): return [1] * 99", f"add(1, 2) == 3: it gave {[1] * 99}"[:98]),
        (STEPS, "def add(a, b): return a + b if a != 5 else [][0]",
         "2 of 3 tests pass: IndexError: add(x, 1) == 6: list index out of range"),
        (STEPS, "def add(a, b): return {2: 0}.get(a, a + b)", "2 of 3 tests pass: add(2, 2) > 3"),
        (IO, "print(int(input()) + 3)", r"given '2\n' it printed '5\n', expected '4\n'"),
    ],
)  # fmt: skip
async def test_what_a_test_that_fails_has_seen_is_said(
    name: str, tests: Tests, program: str, said: str
) -> None:
    problem = asked(tests)
    [score] = await Execution(sandbox(name)).score(problem, replied(problem, program), SESSION)
    assert said in score.detail


def test_an_assertion_says_what_it_saw_and_nothing_else_changes() -> None:
    assert telling("x = 1\nassert f(x) == [2]") == (
        "x = 1\n_ponder_got = f(x)\nassert _ponder_got == [2], 'it gave ' + repr(_ponder_got)[:80]"
    )
    for unit in ("assert f(1)", "assert f(1) == 2, 'why'", "assert 1 == f(1) == 1", "f(", "x = 1"):
        assert telling(unit) == unit


async def test_each_distinct_program_runs_once() -> None:
    where = Counting([Outcome("pass"), Outcome("fail")])
    problem = asked(TESTS)
    same = ("def double(n): return n", "def double(n):\n    return n  # that", "double = 1")
    scores = await Execution(where).score(problem, replied(problem, *same), SESSION)
    assert [s.value for s in scores] == [0.5] * 3
    assert len(where.asked) == 2


async def test_replies_without_a_program() -> None:
    problem, where = asked(TESTS), Counting([])
    [ended] = await Execution(where).score(problem, replied(problem, None), SESSION)
    [goes_on] = await Execution(where).score(problem, replied(problem, None, finish=None), SESSION)
    assert (ended.value, ended.verdict) == (0.0, "fail")
    assert (goes_on.value, goes_on.verdict) == (None, "abstain")
    assert where.asked == []


@pytest.mark.parametrize("tests", [None, ArithmeticTests((1, 2), "3")])
async def test_without_public_tests_it_abstains_and_names_who_would_not(
    tests: Tests | None,
) -> None:
    problem = asked(tests)
    [score] = await find("execution").score(problem, replied(problem, "x = 1"), SESSION)
    assert (score.value, score.verdict) == (None, "abstain")
    assert "first(execution, codet)" in score.detail
    assert find("first(execution, codet)").listwise
    assert not find("execution").listwise


async def test_what_the_sandbox_cannot_run_is_no_wrong_program() -> None:
    problem, beyond = asked(TESTS), Outcome("unsupported", "NotImplementedError", "no yield")
    where = Counting([Outcome("pass"), beyond])
    [score] = await Execution(where).score(problem, replied(problem, "double = 1"), SESSION)
    assert score.value is None
    assert score.detail == "counting cannot run this program: NotImplementedError: no yield"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [(("pass", "fail", "timeout"), "fail"), (("timeout", "error"), "timeout"),
     (("pass", "error"), "error"), (("pass", "pass"), "pass")],
)  # fmt: skip
async def test_the_verdict_of_several_tests(said: Any, verdict: str) -> None:
    problem = asked(TESTS)
    where = Counting([Outcome(one) for one in said])
    [score] = await Execution(where).score(problem, replied(problem, "double = 1"), SESSION)
    assert score.verdict == verdict


def test_output_is_compared_line_by_line_but_for_white_space_at_ends() -> None:
    case = IoCase("1\n", "a\nb")
    assert compared(Output("pass", "a \nb\n\n"), case).passed
    assert compared(Output("pass", " a\n" * 50), case).detail == (
        f"given '1\\n' it printed {(' a' + chr(10)) * 20!r}"[:-1] + "...', expected 'a\\nb'"
    )
    assert compared(Output("timeout", "a"), case).verdict == "timeout"


# What is run --------------------------------------------------------------------------------------


def test_each_assertion_is_a_unit_with_what_stands_before_it() -> None:
    code = "import math\nx = 1\nassert f(x)\nassert f(2); y = 3\ndef g():\n    assert y\ng()"
    assert [(unit.source, unit.claim) for unit in collect(code)] == [
        ("import math\nx = 1\nassert f(x)", "f(x)"),
        ("assert f(2)", "f(2)"),
        ("y = 3\n\ndef g():\n    assert y\ng()", "g()"),
    ]
    assert [unit.counted for unit in collect(code)] == [False, False, True]
    assert script(AssertTests("assert f(1)\nassert g(2)")).units == ("assert f(1)", "assert g(2)")
    [whole] = script(AssertTests("assert f(1)\nassert g(2)"), whole=True).units
    assert whole.endswith(", 'no assertion ran'")
    assert script(AssertTests("assert sum(1)", "sum")).setup.endswith("sum = __program__('sum')")


def test_an_answer_is_run_as_its_author_meant() -> None:
    stub = AssertTests("", "f", "import math", "import math\ndef f(n):\n    'doc'\n")
    assert program("def f(n): return 1", stub) == ["import math", "def f(n): return 1"]
    assert program("x = 1\nreturn x", stub) == [
        "import math\ndef f(n):\n    'doc'\n    x = 1\n    return x"
    ]
    assert program("lambda n: n", AssertTests("", "f")) == ["", "f = (\nlambda n: n\n)"]
    assert program("x = 1") == ["x = 1"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("f(1) == 2", "assert f(1) == 2"),
        ("f([1, 'a)'], k=-2) => [3]", "assert f([1, 'a)'], k=-2) == [3]"),
        ("f(1) ➞ True", "assert f(1) == True"),
        ("* f('x') ==> false.", "assert f('x') == False"),
        ("f(1)   # returns '2'", "assert f(1) == '2'"),
        ("f(1) should return None", "assert f(1) == None"),
        ("f(1) -> 3 - 2 = 1", ""),
        ("f(x) == 2", ""),
        ("f(1) == g(1)", ""),
        ("f(1 == 2", ""),
        ("if(1) == 2", ""),
        ("returns f(1) as it is", ""),
    ],
)
def test_examples_in_prose(line: str, expected: str) -> None:
    assert examples(f'def f(n):\n    """Does it.\n    {line}\n    """\n', "f") == expected


def test_examples_are_doctests_too_and_each_counts_once() -> None:
    shown = ">>> f(1)\n    2\n    >>> f(g(1))\n    4\n\n    f(1) == 2"
    prompt = f'def f(n):\n    """\n    {shown}\n    """\n'
    assert examples(prompt, "f") == "assert f(1) == 2\nassert f(g(1)) == 4"
    assert examples("def f(", "f") == ""


def test_the_suites_bring_what_is_public(data: Path) -> None:
    shown = [item.problem.tests for item in SUITES["humaneval"].load(data)]
    assert sum(tests is not None for tests in shown) == 139
    [first] = [i for i in SUITES["mbpp"].load(data) if i.problem_id == "mbpp/126"]
    assert first.problem.tests == AssertTests("assert sum(10,15) == 6", "sum")
    assert SUITES["game24"].load(data)[0].problem.tests == ArithmeticTests((1, 1, 4, 6), "24")
    assert SUITES["countdown"].load(data)[0].problem.tests == ArithmeticTests((30, 100, 93), "23")
    assert SUITES["gsm8k"].load(data)[0].problem.tests is None


# Tests as a value ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tests", [None, TESTS, IO, ArithmeticTests((3, 3, 8, 8), "24")])
def test_tests_survive_a_spec(tests: Tests | None) -> None:
    made = spec(asked(tests), model="m")
    again = Spec.from_json(json.loads(json.dumps(made.to_json())))
    assert again.problem == made.problem
    assert hash(again.problem) == hash(made.problem)


def test_tests_as_a_user_writes_them() -> None:
    assert read_tests({"kind": "assert", "code": "assert f(1)"}) == AssertTests("assert f(1)")
    cases = [{"input": "2\n", "output": "4\n"}, {"input": "5\n", "output": "10"}]
    assert read_tests({"kind": "io", "cases": cases}) == IO
    numbers = {"kind": "arithmetic", "numbers": [1, 2], "target": 0.5}
    assert read_tests(numbers) == ArithmeticTests((1, 2), "1/2")
    assert read_tests(asdict(IO)) == IO


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "other"},
        {"kind": "assert", "code": " "},
        {"kind": "assert", "code": 3},
        {"kind": "assert", "code": "assert 1", "more": "x"},
        {"kind": "io", "cases": []},
        {"kind": "io", "cases": [{"input": 1, "output": "x"}]},
        {"kind": "io", "cases": "x"},
        {"kind": "arithmetic", "numbers": [1], "target": "x"},
        {"kind": "arithmetic", "numbers": [1.5], "target": 1},
        {"kind": "arithmetic", "numbers": "46", "target": 24},
        {"kind": "arithmetic", "numbers": [], "target": 0},
    ],
)
def test_what_is_no_test_is_refused_in_one_sentence(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="invalid tests: expected"):
        read_tests(data)


def test_tests_that_are_no_python_are_refused_before_they_fail_every_program() -> None:
    with pytest.raises(UsageError, match=r"are not valid Python: .* in line 2 of their code"):
        read_tests({"kind": "assert", "code": "assert 1\nassert ("})
