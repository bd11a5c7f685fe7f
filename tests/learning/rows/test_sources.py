"""Pools, journals and runs as sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.core.errors import UsageError
from ponder.core.problem import ArithmeticTests
from ponder.learning.rows.chains import Asked, Chain
from ponder.learning.rows.questions import side
from ponder.learning.rows.sources import Reader
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from tests.support.lessons import HEADER, SUM, asked, asks, pool, sample
from tests.support.searching import Tree

RIGHT, WRONG = "It is \\boxed{42}.", "It is \\boxed{41}."


def read(where: Path, source: str, **how: Any) -> list[Asked]:
    return list(Reader(where / "runs.sqlite", **how).read(source))


def solved(folder: Path, replies: Any, **how: Any) -> str:
    """The journal of one run."""
    path = folder / "runs.sqlite"
    if how["strategy"] != "direct":
        how.setdefault("verifier", "regex(42)")
    ponder.solve(SUM, model=Scripted(replies), journal=path, seed=1, **how)
    return str(path)


def test_a_pool_that_says_what_was_asked(tmp_path: Path) -> None:
    entry = asked(SUM, sample("so 42", reasoning="hm"), sample(None), sample("4", cut=True))
    [one] = read(tmp_path, pool(tmp_path / "p.jsonl", entry))
    assert side(one.problem) == side(asks(SUM))
    assert (one.problem_id, one.suite, one.tree) == (f"p/{SUM}", "", None)
    first, second, third = one.chains
    assert first.turn == "<think>\nhm\n</think>\n\nso 42"
    assert (first.origin.source, first.origin.sample, first.origin.seed) == ("p.jsonl", "0", 3)
    assert (second.turn, third.whole) == ("", False)


def test_a_pool_of_a_suite_asks_in_the_style_of_its_recording(tmp_path: Path, data: Path) -> None:
    entry = {"problem_id": "gsm8k/test/0", "answer_type": "number", "samples": [sample("42")]}
    header = {**HEADER, "suite": "gsm8k", "style": "brief"}
    [one] = read(tmp_path, pool(tmp_path / "p.jsonl", entry, header=header), folder=data)
    assert one.problem.messages[-1].content.startswith("Janet")
    assert len(one.problem.instruction) > len("Think step by step")
    assert one.suite == "gsm8k"


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        ({}, {}, "names no suite"),
        ({"suite": "/etc/x.jsonl"}, {}, "none of Ponder's own"),
        ({}, {"question": ["?"]}, "names no suite"),
    ],
)
def test_a_pool_that_does_not_say_what_was_asked_is_refused(
    header: dict[str, Any], line: dict[str, Any], said: str, tmp_path: Path
) -> None:
    entry = {"problem_id": "p", "samples": [], **line}
    with pytest.raises(UsageError, match=said):
        read(tmp_path, pool(tmp_path / "p.jsonl", entry, header={**HEADER, **header}))


def test_the_chains_of_a_run_have_the_scores_of_its_verifier(tmp_path: Path) -> None:
    path = solved(tmp_path, [WRONG, RIGHT], strategy="best_of_n", knobs={"n": 2})
    [one] = read(tmp_path, path)
    assert [(c.turn, c.scores["regex(42)"]) for c in one.chains] == [(WRONG, 0.0), (RIGHT, 1.0)]
    assert all(c.fit and c.origin.strategy == "best_of_n" for c in one.chains)
    assert all(c.origin.run == one.problem_id for c in one.chains)
    assert len({c.origin.seed for c in one.chains}) == 2
    assert read(tmp_path, one.problem_id[:15]) == [one]  # by the ID of its run


def test_a_revision_was_asked_with_another_prompt(tmp_path: Path) -> None:
    path = solved(tmp_path, lambda _: WRONG, strategy="refine", knobs={"rounds": 3})
    [one] = read(tmp_path, path)
    assert [c.own_prompt for c in one.chains] == [True, False, False]


def test_the_chains_of_a_search_are_its_whole_ones(tmp_path: Path) -> None:
    knobs = {"width": 2, "fan": 2}
    path = solved(tmp_path, Tree(), strategy="beam_search", knobs=knobs, verifier="regex(a)")
    [one] = read(tmp_path, path)
    assert one.tree is not None

    def letters(chain: Chain) -> str:
        return chain.turn.split("{")[1].rstrip("}")

    assert len(one.chains) > 1
    for chain in one.chains:
        assert chain.scores["regex(a)"] == float("a" in letters(chain))
        assert one.tree[chain.origin.sample].trace.text == chain.turn


def test_recordings_are_passed_over_and_damaged_runs_if_the_caller_says_so(
    tmp_path: Path,
) -> None:
    path = solved(tmp_path, [RIGHT], strategy="direct")
    journal = Journal(path)
    journal.create({"kind": "record", "suite": "s"})
    journal.create({"problem": {"messages": 7}})
    journal.close()
    with pytest.raises(UsageError, match="the run's plan is damaged"):
        read(tmp_path, path)
    reader = Reader(tmp_path / "runs.sqlite", skip_broken=True)
    assert len(list(reader.read(path))) == 1
    assert reader.passed == {"recordings and batches": 1, "damaged runs": 1}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing.jsonl", "No such file"),
        (".", "Is a directory"),
        ("nothing", "no run with an ID that starts with 'nothing'"),
    ],
)
def test_what_is_not_there_is_named(source: str, said: str, tmp_path: Path) -> None:
    solved(tmp_path, [RIGHT], strategy="direct")
    with pytest.raises(UsageError, match=said):
        read(tmp_path, source)


def test_without_a_journal_an_id_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file 'abc', and no journal"):
        read(tmp_path, "abc")
    assert not (tmp_path / "runs.sqlite").exists()


def test_solved_questions_can_be_left_out(tmp_path: Path) -> None:
    entry = {"problem_id": "countdown/train/7/0", "answer_type": "math", "samples": [sample("1")]}
    header = {**HEADER, "suite": "countdown/train(seed=7, n=1)"}
    path = pool(tmp_path / "p.jsonl", entry, header=header)
    [one], [bare] = read(tmp_path, path), read(tmp_path, path, without_examples=True)
    assert len(one.problem.shown) == 9
    assert bare.problem.shown == one.problem.shown[-1:]
    assert bare.chains == one.chains


def test_puzzles_made_afresh_are_asked_as_their_seed_says(tmp_path: Path) -> None:
    line = {"problem_id": "countdown/train/7/1", "answer_type": "math", "samples": [sample("no")]}
    header = {**HEADER, "suite": "countdown/train(seed=7, n=2)"}
    source = pool(tmp_path / "pool.jsonl", line, header=header)
    [one] = read(tmp_path, source)
    assert one.problem.tests == ArithmeticTests((60, 50, 75), "35")
    assert one.suite == "countdown/train(seed=7, n=2)"
