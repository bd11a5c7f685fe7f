"""``ponder.decide``: a choice in Python, recorded as any other run."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import ponder
from ponder import Budget, Decision, Engine
from ponder.core.errors import BudgetTooSmall, UsageError
from ponder.core.record.events import Event, Weighed
from ponder.models.base import Completion
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal

TEXT = "Invoice 17 was due on 3 March. Nothing was paid."
MODEL = "simulated(accuracy=0.8)"


def decide(**options: object) -> Decision:
    given = {"model": MODEL, "journal": False, **options}
    return ponder.decide("Is it overdue?", TEXT, **given)  # type: ignore[arg-type]


def test_a_decision_by_hand() -> None:
    found = decide()
    assert (found.choice, found.abstained, found.stopped_by) == ("yes", "", "done")
    assert found.probabilities == pytest.approx({"yes": 0.9, "no": 0.1})
    assert found.mass == pytest.approx(1)
    assert found.receipt.total.completion_tokens == 2
    assert found.to_json()["receipt"] == found.receipt.to_json()
    assert list(found.to_json())[:3] == ["choice", "probabilities", "abstained"]


def test_without_a_text_the_question_stands_alone() -> None:
    model = Scripted(lambda r: Completion("A", "length", 9, 1, top=({"A": -0.1},)))
    ponder.decide("Is 7 prime?", model=model, journal=False, permutations=1)
    [request] = model.requests
    assert request.messages[-1].content.startswith("Is 7 prime?\n\n(A) yes")


def test_knobs_reach_the_run() -> None:
    four = decide(choices=("a", "b", "c", "d"), permutations=2, calibrate=True)
    assert four.receipt.total.completion_tokens == 2 * (1 + 3)
    unsure = decide(threshold=0.95)
    assert unsure.choice is None
    assert unsure.probabilities["yes"] == pytest.approx(0.9)
    assert "threshold of 0.95" in unsure.abstained
    assert decide(soften=2.0).probabilities["yes"] == pytest.approx(0.75)  # 3 to 1 of 9 to 1


def test_a_run_like_any_other(tmp_path: Path) -> None:
    path, told = tmp_path / "runs.sqlite", list[Event]()
    found = decide(journal=path, on_event=told.append, budget=Budget(tokens=500))
    book = Journal(path)
    [row] = book.runs()
    book.close()
    assert (row.id, row.state) == (found.run, "done")
    assert row.spec["knobs"]["question"] == "Is it overdue?"
    assert [e.choice for e in told if isinstance(e, Weighed)] == ["yes"]
    assert decide(seed=3).probabilities == found.probabilities


async def test_many_at_once_share_an_engine() -> None:
    async with Engine() as engine:
        asked = [
            ponder.adecide("Is it overdue?", TEXT, model=MODEL, engine=engine, journal=False)
            for _ in range(3)
        ]
        found = await asyncio.gather(*asked)
    assert [one.choice for one in found] == ["yes"] * 3


def test_the_example_in_the_docs_works(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs" / "decide.md").read_text("utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    exec(example, {})
    assert capsys.readouterr().out.startswith("yes {'yes': 0.")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"choices": "yes"}, "a list of two texts or more"),
        ({"choices": ()}, "a list of two texts or more"),
        ({"choices": ("a", "a", "b")}, "names a choice twice"),
        ({"choices": ("a",)}, "nothing to choose"),
        ({"choices": tuple(f"c{i}" for i in range(27))}, "at most 26"),
        ({"permutations": 0}, "between 1 and 26"),
        ({"labels": "numbers"}, "one of letters, words"),
        ({"threshold": 2}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_decided_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        decide(**options)


def test_blank_words_and_a_budget_of_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="question is empty"):
        ponder.decide(" ", TEXT)
    with pytest.raises(UsageError, match="text is blank"):
        ponder.decide("Is it?", " \n")
    with pytest.raises(BudgetTooSmall):
        decide(budget=Budget(tokens=5))
