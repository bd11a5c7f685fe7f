"""Tests written for a framework, run in every sandbox: a right and a wrong program each."""

from __future__ import annotations

import pytest

from ponder.core.errors import UsageError
from ponder.core.problem import AssertTests, Message, Problem
from ponder.core.trace import Verdict
from ponder.experiments.suites.grading.confined import Confined
from ponder.experiments.suites.grading.gold import HiddenTests, from_json
from ponder.experiments.suites.grading.grade import grade
from ponder.verifiers.execution.verifier import NOTHING_RAN, Execution
from tests.support.programs import SESSION, replied
from tests.support.sandboxes import NAMES, sandbox

RIGHT = "def f(n):\n    if n < 0:\n        raise ValueError('below zero')\n    return n + 1"
WRONG = "def f(n):\n    return n"
UNITTEST = """import unittest

class Base(unittest.TestCase):
    def setUp(self):
        self.n = 1

class Cases(Base):
    @classmethod
    def setUpClass(cls):
        cls.more = 2

    def test_one(self):
        self.assertEqual(f(self.n), self.more)

    def test_raises(self):
        with self.assertRaises(ValueError):
            f(-1)

    def test_each(self):
        for n in (1, 2):
            with self.subTest(n=n):
                self.assertTrue(f(n) == n + 1)

if __name__ == "__main__":
    unittest.main()
"""
PLAIN = {
    "pytest": "def test_a():\n    assert f(1) == 2\ndef test_b():\n    x = 2\n    assert f(x) == 3",
    "main guard": "def run():\n    assert f(1) == 2\nif __name__ == '__main__':\n    run()",
    "check": "METADATA = {}\ndef check(candidate):\n    assert candidate(1) == 2",
    "loop": "for n, m in [(1, 2), (2, 3)]:\n    assert f(n) == m",
    "raises": "import pytest\ndef test_a():\n    with pytest.raises(ValueError):\n        f(-1)",
    "expects": "try:\n    f(-1)\n    assert False, 'no error'\nexcept ValueError:\n    pass",
    "expects else": "try:\n    f(-1)\nexcept ValueError:\n    pass\n"
    "else:\n    raise AssertionError",
    "raises itself": "if f(1) != 2:\n    raise RuntimeError('wrong')",
    "catches": "def test_a():\n    try:\n        assert f(1) == 2\n    except AssertionError:\n"
    "        print('bad')",
    "swallows": "try:\n    f(-1)\n    assert False\nexcept Exception:\n    pass",
    "parametrized": "import pytest\nCASES = [(1, 2), (2, 3)]\n"
    "@pytest.mark.parametrize('n, m', CASES)\ndef test_a(n, m):\n    assert f(n) == m",
    "class": "class TestF:\n    def setup_method(self, method):\n        self.n = 1\n"
    "    def teardown_method(self):\n        self.n = 0\n    def test_a(self):\n"
    "        assert f(self.n) == 2",
    "doctest": '"""How it works.\n\n>>> f(1)\n2\n>>> x = 2\n>>> f(x)\n3\n"""',
    "doctest raises": '"""\n>>> f(-1)\nTraceback (most recent call last):\n  ...\n'
    'ValueError: below zero\n"""',
    "imported": "from solution import f\ndef test_a():\n    assert f(1) == 2",
}


async def verdicts(name: str, tests: str) -> list[Verdict | None]:
    problem = Problem((Message("user", "f?"),), "code", tests=AssertTests(tests, "f"))
    verifier = Execution(sandbox(name))
    scores = await verifier.score(problem, replied(problem, RIGHT, WRONG), SESSION)
    return [score.verdict for score in scores]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", PLAIN)
async def test_each_style_passes_the_right_program_alone(name: str, style: str) -> None:
    right, wrong = await verdicts(name, PLAIN[style])
    assert right == "pass"
    assert wrong == ("error" if style == "raises itself" else "fail")


async def test_unittest_runs_with_what_it_sets_up() -> None:
    assert await verdicts("bubblewrap", UNITTEST) == ["pass", "fail"]
    right, wrong = await verdicts("monty", UNITTEST)  # which has no unittest
    assert "pass" not in (right, wrong)


VACUOUS = {
    "a loop over what the program gives": "for x in f(0):\n    assert x > 0",
    "a condition on what it gives": "if f(0):\n    assert f(0) == 1",
    "a function that returns first": "def test_a():\n    if not f(0):\n        return\n"
    "    assert f(0) == [1]",
    "every error is swallowed": "try:\n    assert f(0)[1] == 1\n"
    "except Exception:\n    print('bad')",
    "an empty list of cases": "CASES = []\ndef test_a():\n    for x in CASES:\n"
    "        assert f(x) == 1",
    "a test that is a generator": "def test_a():\n    assert f(0) == [1]\n    yield",
}


@pytest.mark.parametrize("style", VACUOUS)
async def test_a_test_that_ran_no_assertion_never_passes(style: str) -> None:
    problem = Problem((Message("user", "f?"),), "code", tests=AssertTests(VACUOUS[style], "f"))
    program = "def f(n):\n    return []"
    for name in NAMES:
        [score] = await Execution(sandbox(name)).score(problem, replied(problem, program), SESSION)
        assert (score.value, score.verdict) == (None, "abstain")
        if name == "bubblewrap":
            assert score.detail == NOTHING_RAN
    hidden = HiddenTests(VACUOUS[style], "f")
    assert not await grade(hidden, program, run=Confined(sandbox=sandbox("bubblewrap")))


@pytest.mark.parametrize("name", NAMES)
async def test_a_test_that_ran_no_assertion_does_not_count(name: str) -> None:
    tests = AssertTests("for x in f(0):\n    assert x\nassert f(1) == []\nassert f(2) == [2]", "f")
    problem = Problem((Message("user", "f?"),), "code", tests=tests)
    program = "def f(n):\n    return []"
    [score] = await Execution(sandbox(name)).score(problem, replied(problem, program), SESSION)
    assert score.value == 0.5
    assert score.detail.startswith("1 of 2 tests pass: f(2) == [2]: it gave []")


@pytest.mark.parametrize("style", [*PLAIN, "unittest"])
async def test_hidden_tests_of_each_style_are_graded(style: str) -> None:
    gold = HiddenTests(UNITTEST if style == "unittest" else PLAIN[style], "f")
    run = Confined(sandbox=sandbox("bubblewrap"))
    assert await grade(gold, RIGHT, run=run)
    assert not await grade(gold, WRONG, run=run)


@pytest.mark.parametrize("tests", ["# nothing", "assert True", "def g():\n    assert f(1)"])
async def test_hidden_tests_that_assert_nothing_are_refused(tests: str) -> None:
    with pytest.raises(UsageError, match="the tests assert nothing"):
        from_json({"tests": tests, "entry_point": "f"}, "code")
    with pytest.raises(UsageError, match="the tests assert nothing"):
        await grade(HiddenTests(tests, "f"), RIGHT, run=Confined(sandbox=sandbox("bubblewrap")))


async def test_a_program_cannot_reach_what_counts_the_assertions() -> None:
    forged = "_ponder_seen = [True]\ndef f(n):\n    global _ponder_seen\n    return []"
    assert (await verdict_of(forged, "for x in f(0):\n    assert x")) == "abstain"
    named = "class _ponder_seen:\n    append = print\ndef f(n):\n    return n"
    assert (await verdict_of(named, PLAIN["pytest"])) == "fail"


async def verdict_of(program: str, tests: str) -> Verdict | None:
    problem = Problem((Message("user", "f?"),), "code", tests=AssertTests(tests, "f"))
    verifier = Execution(sandbox("bubblewrap"))
    [score] = await verifier.score(problem, replied(problem, program), SESSION)
    return score.verdict
