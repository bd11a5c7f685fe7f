"""What ladders are made of: the shipped fit, its form, and a fit to samples of known urns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ponder.core.outlook import Seen
from ponder.planning.climbing import Climbs, Pair, fit, from_json, shipped
from ponder.planning.difficulty import Graded, Tally
from ponder.util.decoding import Malformed


def pool(name: str, model: str, *tallies: Tally) -> Graded:
    return Graded(name, model, "number", tallies)


EASY, HARD = Tally(16, (), 0), Tally(0, (3, 2, 2, 2, 2, 2, 2, 1), 0)


def fitted() -> Climbs:
    small = pool("B", "small", *[EASY] * 6, *[HARD] * 4)
    large = pool("B", "large", *[EASY] * 8, *[HARD] * 2)
    return fit([small, large], [Pair(small, large, 0.25)], "2026-11-28")


def test_what_is_easy_for_the_small_model_is_easy_for_the_large_one() -> None:
    found = fitted()
    climb = found.climb("number")
    ladder = climb.ladder(2)
    assert found.shared == {"any": 0.25, "number": 0.25}
    easy, hard = (ladder.prior(1, weights(found, tally)) for tally in (EASY, HARD))
    assert share(found, easy) > 0.9
    assert share(found, hard) == pytest.approx(0.5, abs=0.1)  # two of four became easy


def weights(found: Climbs, tally: Tally) -> list[float]:
    """All weight on the kinds under which the tally is likely."""
    easy = [right > 2 * wrong for right, wrong, _ in found.urns]
    chosen = easy if tally is EASY else [not one for one in easy]
    shares = [s if c else 0.0 for s, c in zip(found.shares["number"], chosen, strict=True)]
    return [one / sum(shares) for one in shares]


def share(found: Climbs, prior: list[float]) -> float:
    return sum(
        p for p, (right, wrong, _) in zip(prior, found.urns, strict=True) if right > 2 * wrong
    )


def test_a_fit_is_written_and_read_again() -> None:
    found = fitted()
    again = from_json(json.loads(json.dumps(found.to_json())))
    assert again.urns == found.urns
    assert again.pools == found.pools
    assert again.shared == found.shared
    for row, other in zip(again.step, found.step, strict=True):
        assert row == pytest.approx(other, abs=1e-4)


def test_the_shipped_fit_knows_its_pools_and_is_sure_of_what_agrees() -> None:
    found = shipped()
    assert len({one.model for one in found.pools}) == 6
    assert "graded samples of 6 models" in found.climb("number").basis
    for kind in ("number", "choice", "math", "text"):
        climb = found.climb(kind)
        agreed = [climb.right(Seen((votes,))) for votes in (1, 2, 4, 8)]
        assert agreed == sorted(agreed)
        assert climb.right(Seen((2, 1))) < climb.right(Seen((3,)))
        assert all(sum(row) == pytest.approx(1) for row in climb.step)


@pytest.mark.parametrize(
    "change",
    [
        {"climbing": 2}, {"shares": {}}, {"step": [[1.0]]}, {"urns": []}, {"shared": {}},
        {"step": "none"}, {"pools": 1}, {"urns": [[-1.0, 1.0, 1.0]]},
    ],
)  # fmt: skip
def test_a_wrong_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        from_json({**json.loads(json.dumps(shipped().to_json())), **change})
