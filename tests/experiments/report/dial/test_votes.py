"""Votes that end by a rule, over random orders of a pool's samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ponder.core.outlook import Seen
from ponder.experiments.pools.file import Pool
from ponder.experiments.report.dial.votes import RULES, Votes, sizes, votes
from ponder.experiments.stats import columns, scoring
from ponder.experiments.stats.scoring import Aggregator
from ponder.planning import difficulty
from ponder.policies import stopping
from tests.support.pools import lines

AGREED, SPLIT = "a" * 16, "aabb" * 4


def drawn(folder: Path, *answers: str, kind: str = "number") -> Votes:
    """Votes on a pool with such samples, of which 'a' is right."""
    problems = [
        {
            "problem_id": f"p{i}",
            "answer_type": kind,
            "samples": [{"answer": a, "correct": a == "a", "tokens": 10} for a in row],
        }
        for i, row in enumerate(answers)
    ]
    path = lines(folder / "letters.jsonl", {"pool": 1, "model": "m"}, *problems)
    entries = list(Pool(path))
    found = votes(columns.read(entries), [entry.answer_type for entry in entries])
    assert found is not None
    return found


def test_rules_end_votes_of_a_quarter_and_of_all() -> None:
    assert [sizes(n) for n in (0, 3, 4, 8, 16, 31, 32, 80)] == [
        (), (), (4,), (8,), (4, 16), (4, 16), (8, 32), (8, 32),
    ]  # fmt: skip


def test_every_stopping_rule_has_its_place() -> None:
    assert {*stopping.RULES} - {"never"} <= {rule.partition("(")[0] for rule in RULES}


def test_a_vote_that_agrees_ends_with_the_fewest_samples(tmp_path: Path) -> None:
    found = drawn(tmp_path, AGREED, AGREED)
    used = {rule: [p.cost["samples"] for p in found.points(rule)] for rule in RULES}
    assert used["exact"] == [3.0, 9.0]  # more than half of 4, and of 16
    assert used["lead"] == [3.0, 4.0]  # of 4, three decide
    assert used["lead(k=2)"] == [2.0, 2.0]
    assert used["window"] == [3.0, 4.0]
    assert all(p.values.tolist() == [1.0, 1.0] for p in found.points("lead"))
    assert [p.cost["tokens"] for p in found.points("lead")] == [30.0, 40.0]


def test_the_exact_rule_is_as_right_as_the_vote_of_all_without_noise(tmp_path: Path) -> None:
    found = drawn(tmp_path, AGREED, SPLIT, "aaab" * 4, "bbba" * 4)
    full, _ = scoring.evaluate(found.read, [(Aggregator("majority"), n) for n in (4, 16)])
    for point, expected in zip(found.points("exact"), full.T, strict=True):
        assert (point.values == expected).all()
        assert point.error == 0.0
        assert point.cost["samples"] <= point.n


def test_what_is_stated_is_what_the_shipped_outlook_says(tmp_path: Path) -> None:
    stated = drawn(tmp_path, AGREED, "b" * 16).stated("s", "m", "f")
    assert stated is not None
    outlook = difficulty.shipped().outlook("number")
    expected = {outlook.right(Seen((n,))) for n in (1, 2, 4, 8, 16)}
    assert {*stated.likely.tolist()} == expected
    assert (stated.right == (stated.problem == 0)).all()
    assert stated.fitted


def test_nothing_is_stated_of_answers_that_nothing_was_fitted_to(tmp_path: Path) -> None:
    assert drawn(tmp_path, AGREED, SPLIT, kind="text").stated("s", "m", "f") is None


def test_a_pool_with_too_few_samples_has_no_votes(tmp_path: Path) -> None:
    entries = drawn(tmp_path, AGREED).read
    few = replace(entries, groups=[replace(entries.groups[0], correct=np.ones((1, 3)))])
    assert votes(few, ["number"]) is None


def test_the_same_pool_gives_the_same_votes(tmp_path: Path) -> None:
    first, second = (drawn(tmp_path, SPLIT, "abcd" * 4) for _ in range(2))
    for one, other in zip(first.points("value"), second.points("value"), strict=True):
        assert np.array_equal(one.values, other.values)
        assert one.cost == other.cost
