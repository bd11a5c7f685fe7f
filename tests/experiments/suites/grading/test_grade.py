"""Every gold takes itself for right, wrong answers fail, and hostile programs prove nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ponder.answers.arithmetic import solves
from ponder.answers.extract import extract
from ponder.answers.mathworker import MathWorker
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading import gym
from ponder.experiments.suites.grading.confined import Verdict
from ponder.experiments.suites.grading.gold import (
    Arithmetic,
    Gold,
    HiddenTests,
    Reference,
    Scored,
    from_json,
)
from ponder.experiments.suites.grading.grade import grade
from ponder.experiments.suites.registry import SUITES


@pytest.fixture(scope="module")
def worker() -> Iterator[MathWorker]:
    shared = MathWorker()
    yield shared
    shared.close()


def items(data: Path, name: str) -> Sequence[Item]:
    return SUITES[name].load(data)


def said(answer: str, problem: Problem) -> str | None:
    """The answer as it comes out of a model's reply."""
    return extract(f"Let me think: 1 + 1 = 2.\nSo \\boxed{{{answer}}}.", problem)


# Numbers, formulas, labels ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["gsm8k", "aime", "amc", "svamp", "multiarith", *(p for p in SUITES if "bbh/" in p)]
)
async def test_every_gold_takes_itself_for_right(data: Path, name: str, worker: MathWorker) -> None:
    for item in items(data, name):
        assert isinstance(item.gold, Reference)
        right = item.gold.text
        assert await grade(item.gold, said(right, item.problem), worker=worker), item.problem_id
        wrong = str(int(right.replace(",", "")) + 1) if right.strip("-,0123456789") == "" else "Z"
        assert not await grade(item.gold, wrong, worker=worker), item.problem_id
        assert not await grade(item.gold, None, worker=worker)
        assert not await grade(item.gold, " ", worker=worker)


async def test_math500_golds_take_themselves_for_right(data: Path, worker: MathWorker) -> None:
    for item in items(data, "math500")[::10]:
        assert isinstance(item.gold, Reference)
        answer = said(item.gold.text, item.problem)
        assert answer
        assert await grade(item.gold, answer, worker=worker), item.problem_id
        assert not await grade(item.gold, "987654321", worker=worker), item.problem_id


@pytest.mark.parametrize(
    ("kind", "gold", "answer", "right"),
    [
        ("number", "18", "$18.00", True),
        ("number", "2,125", "2125 clips", True),
        ("number", "18", "19", False),
        ("math", r"\frac{1}{2}", "0.5", True),
        ("math", r"\frac{1}{2}", "0.51", False),
        ("math", "p - q", "-q+p", True),
        ("choice", "(B)", "b", True),
        ("choice", "(B)", r"\text{(B)}", True),
        ("choice", "(B)", "(B) The quail is the second from the left", True),
        ("choice", "(B)", "(A) Not B", False),
        ("choice", "Yes", "yes.", True),
        ("choice", "Yes", "No", False),
        ("text", "the blue jay", "The Blue Jay.", True),
        ("text", "(C)", "C", True),
        ("text", "(C)", "(C) it is", True),
        ("text", "(C)", "(A)", False),
        ("text", "-35", "-35.0", True),
        ("text", "-35", "35", False),
        ("text", "True", "true", True),
        ("json", '{"a": 1}', '{"a":1.0}', True),
    ],
)
async def test_a_reference_is_matched_by_meaning(
    kind: Any, gold: str, answer: str, right: bool, worker: MathWorker
) -> None:
    assert await grade(Reference(gold, kind), answer, worker=worker) is right


# Game of 24 and Countdown -------------------------------------------------------------------------


def solution(terms: list[tuple[Fraction, str]], target: Fraction) -> str | None:
    """Any expression, by trying all."""
    if len(terms) == 1:
        return terms[0][1] if terms[0][0] == target else None
    for (i, (a, x)), (j, (b, y)) in itertools.permutations(enumerate(terms), 2):
        rest = [term for k, term in enumerate(terms) if k not in (i, j)]
        made = [(a + b, f"({x}+{y})"), (a - b, f"({x}-{y})"), (a * b, f"({x}*{y})")]
        for term in [*made, *([(a / b, f"({x}/{y})")] if b else [])]:
            if found := solution([*rest, term], target):
                return found
    return None


@pytest.mark.parametrize("name", ["game24/paper", "countdown"])
async def test_a_solution_found_by_brute_force_is_right(data: Path, name: str) -> None:
    for item in items(data, name)[:20]:
        gold = item.gold
        assert isinstance(gold, Arithmetic)
        found = solution([(Fraction(n), str(n)) for n in gold.numbers], gold.target)
        assert found, item.problem_id
        assert await grade(gold, extract(f"\\boxed{{{found} = {gold.target}}}", item.problem))
        assert not await grade(gold, f"{found}+0")
        assert not await grade(gold, str(gold.target))
        assert not await grade(gold, found.replace("(", "", 1).replace(")", "", 1) + "-1+1")


@pytest.mark.parametrize(
    "text",
    [
        "(10 - 4) * (5 - 1)",
        "(10-4)*(5-1) = 24",
        "24 = (10-4)*(5-1).",
        "(10 − 4) × (5 – 1)",
        r"$(10-4) \times (5-1)$",
        r"\left(10-4\right)\cdot\left(5-1\right)=24",
        "(10-4)(5-1)",
        "[10-4] x [5-1]",
        "-(4-10)*(5-1)",
        r"(5-1)\ast(10-4)",
    ],
)
def test_a_solution_may_be_written_in_many_ways(text: str) -> None:
    assert solves(text, [1, 4, 5, 10], Fraction(24))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [(r"\frac{8}{3-\frac{8}{3}}", [3, 3, 8, 8]), (r"8 \div (3 - 8 ÷ 3)", [3, 3, 8, 8])],
)
def test_fractions_are_exact(text: str, numbers: list[int]) -> None:
    assert solves(text, numbers, Fraction(24))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "24",
        "(10-4)*(5-1)*1",
        "10+4+5+5",
        "10*4-5-11",
        "(10-4)*(5-1) = 25",
        "24 = 24 = (10-4)*(5-1)",
        "(10-4)*4",
        "1045",
        "(10-4)*(5-1.0)",
        "10**4//5-1",
        "9**9**9**9",
        "(10-4)*(5-1)/(1-1)",
        "10/(5-4-1)",
        "__import__('os').getcwd()",
        "f(10,4,5,1)",
        "10,4,5,1",
        "(((((((((10",
        "(" * 250 + "1" + ")" * 250,
        "1" * 600,
        "10 if 4 else 5-1",
        "٢٤",
        "10-4\n*(5-1)=24=",
    ],
)
def test_what_is_no_solution_is_wrong(text: str) -> None:
    assert not solves(text, [1, 4, 5, 10], Fraction(24))


# Pools --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gold",
    [
        Reference("18", "number"),
        Arithmetic((1, 2, 3), Fraction(1, 2)),
        HiddenTests("assert f(1)", "f", "import math", "def f(n):"),
        Scored("chain_sum", (("seed", 1), ("size", 3)), 2, "7", "number"),
    ],
)
def test_gold_survives_a_pool_and_its_repr_tells_nothing(gold: Gold) -> None:
    assert from_json(json.loads(json.dumps(gold.to_json())), "number") == gold
    assert repr(gold) == str(gold) == f"<{type(gold).__name__}, hidden>"


@pytest.mark.parametrize("value", [None, True, [], {"target": "x", "numbers": [1]}, {"task": "t"}])
def test_gold_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="this gold cannot be graded"):
        from_json(value, "text")


# reasoning-gym, whose scorers run confined as well ------------------------------------------------


class _General:
    def score_answer(self) -> None: ...


class _Own:
    def score_answer(self) -> None: ...


@pytest.fixture
def gyms(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = {"own": (_Own, None), "general": (_General, None)}
    monkeypatch.setattr(gym, "_tasks", lambda: tasks)
    monkeypatch.setattr(
        gym, "import_module", lambda name: type("m", (), {"ProceduralDataset": _General})
    )


@pytest.mark.usefixtures("gyms")
async def test_only_a_task_with_a_scorer_of_its_own_is_asked() -> None:
    asked = []

    async def run(parts: Sequence[str]) -> Verdict:
        asked.append(parts)
        return Verdict("'4 + 5'" in parts[0], "AssertionError", "none")

    own = Scored("own", (("seed", 1),), 0, "5 + 4", "text")
    assert await grade(own, "5  + 4.", run=run)
    assert not asked
    assert await grade(own, "4 + 5", run=run)
    assert not await grade(own, "4 - 5", run=run)
    assert len(asked) == 2
    general = Scored("general", (), 0, "ab", "text")
    assert not await grade(general, "ba", run=run)
    number = Scored("own", (), 0, "7", "number")
    assert await grade(number, "7.0", run=run)
    assert not await grade(number, "8", run=run)
    assert len(asked) == 2


@pytest.mark.usefixtures("gyms")
async def test_a_scorer_that_cannot_run_is_no_wrong_answer() -> None:
    async def run(parts: Sequence[str]) -> Verdict:
        return Verdict(False, "ModuleNotFoundError", "none")

    with pytest.raises(UsageError, match="install it where every user may read it"):
        await grade(Scored("own", (), 0, "a", "text"), "b", run=run)
