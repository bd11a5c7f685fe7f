"""Fits of difficulty: what they recover, their file, and the one that ships."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.core.outlook import Seen
from ponder.planning.difficulty import (
    Fit,
    Graded,
    Tally,
    fit,
    from_json,
    load,
    outlook,
    shipped,
)
from ponder.policies.value import PRIOR

EASY, HOPELESS = Tally(16, ()), Tally(0, (2,) * 8)


def pool(name: str, kind: Any, *problems: Tally) -> Graded:
    return Graded(name, "a model", kind, problems)


@pytest.fixture(scope="module")
def fitted() -> Fit:
    half = pool("half", "number", *[EASY, HOPELESS] * 10)
    return fit([half, pool("letters", "choice", *[Tally(8, (8,)), Tally(0, (16,))] * 10)], "today")


def test_votes_that_agree_are_right_where_only_easy_problems_agree(fitted: Fit) -> None:
    numbers = fitted.outlook("number")
    assert numbers.right(Seen((4,))) > 0.97
    assert numbers.right(Seen((1,) * 6)) < 0.1


def test_votes_that_agree_are_wrong_where_hard_problems_agree(fitted: Fit) -> None:
    letters = fitted.outlook("choice")
    assert letters.right(Seen((12,))) < 0.5
    assert letters.right(Seen((12,))) < fitted.outlook("number").right(Seen((12,))) - 0.3


def test_a_type_without_a_pool_gets_the_fit_to_all(fitted: Fit) -> None:
    both = fitted.outlook("text").right(Seen((8,)))
    assert fitted.outlook("choice").right(Seen((8,))) < both
    assert both < fitted.outlook("number").right(Seen((8,)))


def test_a_fit_says_what_it_was_made_from(fitted: Fit) -> None:
    assert fitted.basis == "640 graded samples of 1 model on half, letters; fitted today"
    assert fitted.outlook("math").basis == fitted.basis
    assert PRIOR.basis == ""


def test_the_same_pools_give_the_same_fit_and_its_file_is_read_back(
    fitted: Fit, tmp_path: Path
) -> None:
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(fitted.to_json()))
    again = load(path)
    assert again.pools == fitted.pools
    seen = Seen((3, 1), 1)
    for kind in ("number", "choice", "text"):
        expected = fitted.outlook(kind).right(seen)
        assert again.outlook(kind).right(seen) == pytest.approx(expected, abs=1e-3)


def test_what_is_drawn_from_one_urn_is_judged_as_that_urn_would() -> None:
    """One pseudo-count for the right answer and one for wrong ones, as in the stated prior."""
    rng = random.Random(1)
    problems = []
    for _ in range(1500):
        right, wrong = 0, list[int]()
        for n in range(16):
            ball = rng.random() * (n + 2)
            if ball < right + 1:
                right += 1
            elif ball < right + 2:
                wrong.append(1)
            else:
                wrong[rng.choices(range(len(wrong)), wrong)[0]] += 1
        problems.append(Tally(right, tuple(wrong)))
    found = fit([pool("urn", "number", *problems)], "today").outlook("number").right
    for counts in [(1,), (2,), (4,), (8,), (2, 1), (4, 2)]:
        assert found(Seen(counts)) == pytest.approx(PRIOR.right(Seen(counts)), abs=0.06)


def test_nothing_to_fit_to_is_refused() -> None:
    with pytest.raises(UsageError, match="no graded sample"):
        fit([pool("empty", "number", Tally(0, ()))], "today")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"difficulty": 2}, "difficulty must be 1"),
        ({"urns": {}}, "urns has no 'any'"),
        ({"urns": {"any": []}}, "urns.any is empty"),
        ({"urns": {"any": [[1, 1, 1]]}}, "rows of four positive numbers"),
        ({"urns": {"any": [[1, 1, 0, 1]]}}, "rows of four positive numbers"),
        ({"urns": {"any": [[1, 1, 1, 1]], "verse": [[1, 1, 1, 1]]}}, "urns.verse must be an"),
        ({"made": 3}, "made must be a text"),
        ({"more": 1}, "unknown field 'more'"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(
    change: dict[str, Any], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "fit.json"
    good = {"difficulty": 1, "made": "today", "pools": [], "urns": {"any": [[1, 1, 1, 1]]}}
    from_json(good)
    path.write_text(json.dumps(good | change))
    with pytest.raises(UsageError) as error:
        load(path)
    assert why in str(error.value)
    assert str(error.value).count(".") <= str(path).count(".") + 3


def test_what_ships_says_its_models_and_is_sure_where_they_agree() -> None:
    assert "7 models on AIME 2024, AIME 2025, GPQA Diamond, GSM8K, MATH-500" in shipped().basis
    for kind in ("number", "choice", "math", "text"):
        found = outlook(kind, shipped())
        shares = [urn.share for urn in found.urns]
        assert sum(shares) == pytest.approx(1)
        assert found.right(Seen((1,))) < found.right(Seen((2,))) < found.right(Seen((8,)))
    assert outlook("number", None) is PRIOR
