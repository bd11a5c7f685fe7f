"""Auto: what it asks next and why, on scripted models; that it stops, and resumes to the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import ponder
from ponder.core.errors import RunFailed, UsageError
from ponder.models.base import Completion, ModelInfo, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.planning.climbing import shipped
from ponder.policies.ladder import Ballots
from ponder.strategies import registry

QUESTION = "What is 6 x 7?"


def says(answers: Sequence[str]) -> Scripted:
    """A model that gives one answer after another, and then the last again, in ten tokens each."""
    left = list(answers)

    def reply(request: Request) -> Completion:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return Completion(f"\\boxed{{{answer}}}", "stop", 5, 10)

    return Scripted(reply, info=ModelInfo("scripted", EVERYTHING, Shape(10), local=True))


def solved(answers: Sequence[str], **how: Any) -> tuple[ponder.Result, Scripted]:
    model = says(answers)
    found = ponder.solve(
        QUESTION, model=model, effort="auto", answer_type="number", journal=False, **how
    )
    return found, model


def test_one_look_is_all_if_another_is_not_worth_its_price() -> None:
    found, model = solved(["42"], worth="20 tokens")
    assert len(model.requests) == 1
    [decision] = found.decided
    assert decision.startswith("stop: ")
    assert decision.endswith("of 20 tokens")
    assert (found.answer, found.confidence, found.calibrated) == ("42", None, "")


def test_its_confidence_is_what_the_ladder_believes_of_texts_of_a_fitted_type() -> None:
    fitted, model = solved(["42"], strategy="auto", worth="5000 tokens")
    votes = Ballots({"42": len(model.requests)})
    assert fitted.confidence == pytest.approx(shipped().climb("number").right(votes.seen))
    assert fitted.calibrated == shipped().climb("number").basis
    how: dict[str, Any] = {"effort": "auto", "worth": "1e6 tokens", "journal": False}
    for unfitted in (
        ponder.solve("Name a tree.", model=says(["oak"]), answer_type="text", **how),
        ponder.solve(QUESTION, model=says(["42"]), knobs={"ways": "refine(rounds=1)"}, **how),
        ponder.solve(QUESTION, model="simulated(accuracy=1)", **how),
    ):
        assert (unfitted.confidence, unfitted.calibrated) == (1.0, "")
        assert len(unfitted.decided) > 1


def test_it_goes_on_while_samples_disagree_and_stops_when_they_agree() -> None:
    found, model = solved(["41", "42"], worth="5000 tokens")
    assert found.answer == "42"
    assert len(model.requests) > 3
    *more, last = found.decided
    assert all("more sample" in one and "is expected to gain" in one for one in more)
    assert last.startswith("stop: ")
    assert found.candidates[0].votes == len(model.requests) - 1


def test_a_rung_has_at_most_n_samples() -> None:
    found, model = solved([str(i) for i in range(50)], worth="1e6 tokens", knobs={"n": 6})
    assert len(model.requests) == 6
    assert found.decided[-1] == "stop: every model has given its samples, or gives none any more"


def test_a_larger_worth_never_buys_fewer_samples() -> None:
    asked = [
        len(solved(["41", "42", "42", "41", "42"], worth=f"{worth} tokens")[1].requests)
        for worth in (10, 100, 1_000, 10_000, 100_000)
    ]
    assert asked == sorted(asked)
    assert asked[0] == 1 < asked[-1]


def test_a_larger_model_is_asked_where_the_small_one_scatters() -> None:
    found = ponder.solve(
        QUESTION,
        model=says(["1", "2", "3", "4", "5", "6", "7", "8"]),
        effort="auto",
        answer_type="number",
        worth="50000 tokens",
        knobs={"escalate": "simulated(accuracy=1)"},
        journal=False,
    )
    assert any("of simulated(accuracy=1)" in one for one in found.decided)
    assert {item.model for item in found.receipt.items} == {"scripted", "simulated(accuracy=1)"}


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"ways": ""}, "ways of solving are strategies such as direct"),
        ({"ways": "direct@big"}, "ways of solving are strategies such as direct"),
        ({"ways": "auto"}, "auto cannot be part of itself"),
        ({"levels": "low, much"}, "thinking must be off, minimal"),
        ({"n": 0}, "knob 'n' must be between 1 and 4,096"),
    ],
)
def test_what_makes_no_ladder_is_refused(knobs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        registry.choose("auto", knobs)


def test_a_model_that_gives_no_more_samples_ends_it() -> None:
    model = Scripted(["It is \\boxed{4}.", "It is \\boxed{5}.", "It is \\boxed{6}."])
    result = ponder.solve(QUESTION, model=model, effort="auto", journal=False)
    assert (result.answer, result.stopped_by) == ("4", "done")
    assert result.decided[-1] == "stop: every model has given its samples, or gives none any more"


def test_a_model_that_gives_none_at_all_fails_the_run() -> None:
    with pytest.raises(RunFailed, match="no sample came back"):
        ponder.solve(QUESTION, model=Scripted([]), effort="auto", journal=False)
