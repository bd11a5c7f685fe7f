"""When learning has paid: cards, and pairs at equal accuracy."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.experiments.report.economics import equal_accuracy
from ponder.experiments.report.findings import findings
from ponder.experiments.report.learning import paybacks, read
from ponder.experiments.report.page import render
from ponder.experiments.stats.series import Series
from tests.support.series import made, share, table_of

CARD = {
    "name": "small+x",
    "model": "small",
    "flops": {"search": 100, "training": 200, "formula": "words"},
    "seconds": {"search": 1.5, "training": 2},
    "rounds": [],
}


def card(folder: Path, **more: Any) -> Path:
    path = folder / "card.json"
    path.write_text(json.dumps(CARD | more))
    return path


def pair(right: int) -> list[Series]:
    """Ten problems: the base has 2 right for 1 and 5 for 4, what has learned so many for 1."""
    return [
        made("best:v", {1: share(2), 4: share(5)}),
        made("random", {1: share(right)}, model="small+x"),
    ]


def test_a_card_is_read(tmp_path: Path) -> None:
    found = read(card(tmp_path))
    assert (found.name, found.model) == ("small+x", "small")
    assert [found.cost(unit) for unit in ("flops", "seconds", "usd")] == [300, 3.5, 0]
    assert read(card(tmp_path, seconds={})).cost("seconds") == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": 3}, "name must be a text"),
        ({"flops": "many"}, "flops must be an object"),
        ({"flops": {"search": "many"}}, "flops.search must be a finite number"),
    ],
)
def test_another_file_is_no_card(more: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no card of 'ponder learn' .*{said}"):
        read(card(tmp_path, **more))


def test_learning_is_paid_for_by_what_a_question_saves(tmp_path: Path) -> None:
    learned = [read(card(tmp_path))]
    [found] = paybacks(equal_accuracy(table_of(*pair(6)), "flops"), learned)
    assert (found.learned, found.instead) == ("random of small+x", "best:v of small")
    assert (found.accuracy, found.cost, found.saved) == (0.5, 300, 3.0)
    assert (found.questions, found.at_most) == (100.0, True)
    assert found.low == 300 / 4  # nothing costs less than nothing


def test_the_interval_has_no_end_where_resamples_save_nothing(tmp_path: Path) -> None:
    other = [pair(6)[0], made("random", {1: share(5)[::-1]}, model="small+x")]
    [found] = paybacks(equal_accuracy(table_of(*other), "flops"), [read(card(tmp_path))])
    assert (found.saved, found.questions) == (3.0, 100.0)
    assert found.high == math.inf  # on other problems
    page = findings(other, learned=[read(card(tmp_path))])
    [said] = [h for h in page.suites[0].headlines if h.topic == "learning"]
    assert said.text == (
        "The data do not decide if learning pays: as measured, one sample of small+x is at least "
        "as right as best:v of small (50.0 %) for less, and its learning would be paid for after "
        "at most 100 questions."
    )
    assert said.detail.endswith("95 % interval 75 to unbounded questions; 10 problems.")


def test_no_other_pair_is_paid_for(tmp_path: Path) -> None:
    equal = equal_accuracy(table_of(*pair(6)), "flops")
    others: list[dict[str, Any]] = [{"name": "small+y"}, {"model": "large"}, {"flops": {}}]
    for other in others:
        assert paybacks(equal, [read(card(tmp_path, **other))]) == ()
    dearer = [pair(6)[0], made("random", {1: share(6)}, model="small+x", cost=9.0)]
    assert paybacks(equal_accuracy(table_of(*dearer), "flops"), [read(card(tmp_path))]) == ()


def test_the_page_says_when(tmp_path: Path) -> None:
    clear = [made("best:v", {1: share(0), 4: share(5)}), pair(10)[1]]
    found = findings(clear, learned=[read(card(tmp_path))])
    [said] = [h for h in found.suites[0].headlines if h.topic == "learning"]
    assert said.text == (
        "one sample of small+x is at least as right as best:v of small (50.0 %) for less: its "
        "learning is paid for after at most 100 questions."
    )
    assert "When learning has paid" in render(found)
    assert "When learning has paid" not in render(findings(pair(6)))
    [row] = found.to_json()["suites"][0]["paybacks"]["flops"]
    assert (row["questions"], row["saved"]) == (100.0, 3.0)


def test_the_page_says_if_nothing_is_saved(tmp_path: Path) -> None:
    found = findings(pair(1), learned=[read(card(tmp_path))])
    [said] = [h for h in found.suites[0].headlines if h.topic == "learning"]
    assert said.text.startswith("small+x is nowhere as right as small for less")
    assert said.detail == "Learning cost 300 FLOPs."
    assert "its learning is not paid for" in render(found)


@pytest.mark.parametrize("lacks", ["small", "small+x"])
def test_a_card_without_samples_is_refused(lacks: str, tmp_path: Path) -> None:
    there = [one for one in pair(6) if one.model != lacks]
    with pytest.raises(UsageError, match=f"no file has samples of {re.escape(lacks)}: give"):
        findings(there, learned=[read(card(tmp_path))])
