"""CodeT: its score against brute force, which tests are read, and runs that write some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.answers.reading import Reader
from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.problem import Message, Problem
from ponder.models.base import Request
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.sandbox.base import Outcome
from ponder.verifiers.combined import combine
from ponder.verifiers.execution.codet import (
    ASK,
    CodeT,
    agreement,
    functions,
    passed,
    question,
    written,
)
from ponder.verifiers.execution.verifier import Execution
from ponder.verifiers.registry import find
from tests.support.jobs import job
from tests.support.sandboxes import NAMES, sandbox

PASSING = st.lists(st.none() | st.frozensets(st.integers(0, 3)), max_size=8)


@given(PASSING)
def test_a_consensus_set_is_worth_its_solutions_times_its_tests(
    passing: list[frozenset[int] | None],
) -> None:
    known = [found for found in passing if found is not None]
    for found, score in zip(passing, agreement(passing, 4, "codet"), strict=True):
        if found is None:
            assert score.value is None
            continue
        alike = sum(1 for other in known if other == found)
        assert score.value == alike * len(found) / (len(known) * 4)


def test_the_papers_example() -> None:
    """Figure 2: two solutions that pass three tests outweigh one that passes four (6 > 4)."""
    three, four = frozenset({0, 1, 2}), frozenset({0, 1, 3, 4})
    values = [s.value for s in agreement([three, four, three, frozenset()], 5, "codet")]
    assert values == [6 / 20, 4 / 20, 6 / 20, 0.0]


def test_what_a_sandbox_cannot_run_at_all_is_no_solution() -> None:
    beyond, ok, wrong = Outcome("unsupported"), Outcome("pass"), Outcome("fail")
    assert passed([ok, wrong, beyond]) == frozenset({0})
    assert passed([beyond, beyond]) is None


def test_assertions_are_read_that_call_a_solution_each_once() -> None:
    names = functions(["def f(n): ...", "class G: ...", "f(", "x = 1"])
    assert names == {"f", "G"}
    replies = [
        "```python\nassert f(1) == 2\nassert f(1)==2\nassert 1 == 1\nassert f(x) == 2\n```",
        "```python\ndef test():\n    assert [f(n) for n in (1,)] == [2]\n    assert G()\n```",
        "```python\nassert math.isclose(f(1), 2)\nassert f(3) == \n```",
        "I cannot.",
    ]
    assert written(replies, names) == (
        "assert f(1) == 2",
        "assert [f(n) for n in (1,)] == [2]",
        "assert G()",
        "assert math.isclose(f(1), 2)",
    )


@pytest.mark.parametrize(
    ("reply", "tests"),
    [
        ("assert (f(1) == 2, 'message')", ()),
        ("assert True\nassert f\nassert 1 == 1", ()),
        ("assert f(1) == 2 or True", ()),
        ("def test_f():\n    assert f(1) == 2", ("assert f(1) == 2",)),
        (
            "class T(unittest.TestCase):\n    def test_f(self):\n"
            "        self.assertEqual(f(1), 2)\n        self.assertTrue(f(2))\n"
            "        self.assertFalse(f(3))\n        self.assertTrue(True)\n"
            "        self.assertIn(f(4), [5])",
            ("assert f(1) == 2", "assert f(2)", "assert not f(3)", "assert f(4) in [5]"),
        ),
        ("if False:\n    print(f(1))\n# assert f(1) == 2", ()),
    ],
)
def test_only_assertions_that_can_fail_are_tests(reply: str, tests: tuple[str, ...]) -> None:
    assert written([f"```python\n{reply}\n```"], frozenset({"f"})) == tests


def test_the_question_asks_for_tests_and_not_for_a_program() -> None:
    told = "End with the complete program in one ```python block."
    said = (Message("system", "Be brief."), Message("user", "Write f."))
    problem = Problem(said, "code", instruction=told)
    assert problem.shown == (said[0], Message("user", f"Write f.\n\n{told}"))
    asked = question(problem)
    assert asked.messages == (Message("system", "Be brief."), Message("user", f"Write f.\n\n{ASK}"))
    assert asked.tests is None


@pytest.mark.parametrize("said", ["0", "x", "65", "-1", "٣"])
def test_a_number_of_replies_that_is_none(said: str) -> None:
    with pytest.raises(UsageError, match="expected a whole number from 1 to 64"):
        find(f"codet:{said}")


def test_its_name_says_how_it_was_asked_for() -> None:
    assert (find("codet").name, find("codet(8)").name) == ("codet", "codet(8)")


# A run --------------------------------------------------------------------------------------------

RIGHT = "```python\ndef double(n):\n    return 2 * n\n```"
WRONG = ("```python\ndef double(n):\n    return 4\n```", "```python\ndef double(n): return n\n```")


def both(request: Request) -> str:
    """Solutions, of which half are right, and tests, of which one is wrong."""
    if "test cases" in request.messages[-1].content:
        return (
            "```python\nassert double(2) == 4\nassert double(5) == 10\nassert double(1) == 3\n```"
        )
    return RIGHT if request.seed % 2 else WRONG[request.seed // 2 % 2]


async def go(name: str, model: Any, verifier: Any, **changes: Any) -> Result:
    problem = Problem((Message("user", "Write double(n)."),), "code")
    fields = {
        "problem": problem,
        "knobs": {"n": 8},
        "verifiers": {verifier.name: verifier},
        "verifier": verifier.name,
        "read": Reader().read,
        **changes,
    }
    return await Runner(job(model, "best_of_n", **fields)).go()


@pytest.mark.parametrize("name", NAMES)
async def test_solutions_and_tests_vote_for_each_other(name: str) -> None:
    model = Scripted(both)
    result = await go(name, model, CodeT(sandbox=sandbox(name)))
    assert "2 * n" in str(result.answer)
    booked = {(item.role, item.calls) for item in result.receipt.items}
    assert booked == {("generate", 8), ("verify", 4)}


@pytest.mark.parametrize("name", NAMES)
async def test_first_execution_then_codet(name: str) -> None:
    where = sandbox(name)
    pair = combine("first", [Execution(where), CodeT(sandbox=where)])
    result = await go(name, Scripted(both), pair)
    assert "2 * n" in str(result.answer)
    assert {item.role for item in result.receipt.items} == {"generate", "verify"}


async def test_without_a_readable_test_it_abstains() -> None:
    def silent(request: Request) -> str:
        return "None." if "test cases" in request.messages[-1].content else RIGHT

    result = await go("bubblewrap", Scripted(silent), CodeT(1, sandbox("bubblewrap")))
    assert {c.score for c in result.candidates} == {None}


async def test_writing_tests_counts_against_the_budget() -> None:
    asked: list[Request] = []

    def counting(request: Request) -> str:
        asked.append(request)
        return both(request)

    verifier = CodeT(sandbox=sandbox("bubblewrap"))
    result = await go("bubblewrap", Scripted(counting), verifier, budget=Budget(tokens=100))
    assert result.receipt.total.cost.tokens <= 100
    assert asked


def test_nothing_is_asked_where_there_is_nothing_to_test() -> None:
    replies: Sequence[str] = []
    assert written(replies, frozenset({"f"})) == ()
