"""Puzzles made afresh: each can be solved, none is of the test set, and the seed decides."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import islice, permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.core.problem import ArithmeticTests
from ponder.experiments.suites import countdown
from ponder.experiments.suites.countdown_made import Puzzle, hashes_of_tests, puzzles, short_hash
from ponder.experiments.suites.grading.gold import Arithmetic
from ponder.experiments.suites.registry import find, measures, own

SEEDS = st.integers(0, 2**31 - 1)


def solvable(made: Puzzle) -> bool:
    """By brute force: every order and every two operations."""

    def results(a: Fraction, b: Fraction) -> list[Fraction]:
        return [a + b, a - b, b - a, a * b, *([a / b] if b else []), *([b / a] if a else [])]

    return any(
        made.target in results(first, c)
        for a, b, c in permutations(map(Fraction, made.numbers))
        for first in results(a, b)
    )


@given(SEEDS)
def test_each_can_be_solved_and_is_given_once(seed: int) -> None:
    made = list(islice(puzzles(seed), 20))
    assert all(map(solvable, made))
    assert len({one.key for one in made}) == 20
    for one in made:
        assert len(one.numbers) == 3
        assert all(1 <= n <= 100 for n in (*one.numbers, one.target))


@given(SEEDS, st.integers(1, 12), st.integers(0, 12))
def test_a_shorter_list_begins_a_longer_one(seed: int, n: int, more: int) -> None:
    shorter = find(f"countdown/train(seed={seed}, n={n})").load()
    longer = find(f"countdown/train(n={n + more},seed={seed})").load()
    assert longer[:n] == shorter
    assert len(longer) == n + more


def test_none_is_of_the_test_set_even_where_that_is_absent(data: Path) -> None:
    tests = [item.gold for item in countdown.SUITE.load(data)]
    keys = set()
    for gold in tests:
        assert isinstance(gold, Arithmetic)
        keys.add(short_hash(gold.numbers[::-1], int(gold.target)))
    assert keys == hashes_of_tests()
    assert len(keys) == 256


def test_a_hash_that_is_known_is_never_made() -> None:
    made = list(islice(puzzles(7), 3000))
    assert not {short_hash(one.numbers, one.target) for one in made} & hashes_of_tests()
    assert {one.level for one in made} == {0, 1, 2}


def test_a_suite_for_training_by_its_name() -> None:
    suite = find("countdown/train(n=2, seed=7)")
    [first, second] = suite.load()
    assert suite.name == "countdown/train(seed=7, n=2)"
    assert (first.problem_id, second.problem_id) == ("countdown/train/7/0", "countdown/train/7/1")
    assert first.problem.tests == ArithmeticTests((40, 85, 8), "53")
    assert first.gold == Arithmetic((40, 85, 8), Fraction(53))
    assert find("countdown/train").name == "countdown/train(seed=0, n=100)"
    assert not measures(suite.name)
    assert own(suite.name)
    assert not own("rows.jsonl")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("countdown/train(7)", "expected countdown/train(seed=7, n=500)"),
        ("countdown/train(n=0)", "must be a whole number from 1 to 100,000, not '0'"),
        ("countdown/train(seed=-1)", "must be a whole number from 0"),
        ("countdown/train(n=1e3)", "must be a whole number"),
        ("countdown/train(size=3)", "unknown option of countdown/train 'size'"),
        ("countdown/test", "train"),
        ("countdown/train(n=3)@big", "takes no model"),
    ],
)
def test_a_wrong_name_is_one_sentence(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        find(name)
