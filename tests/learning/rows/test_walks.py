"""Lessons in thinking from recorded runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.core.errors import UsageError
from ponder.core.record.steering import Action
from ponder.experiments.suites.game24 import puzzle
from ponder.learning.rows.chains import Asked
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.walks import walked
from ponder.learning.thinking.bounds import ALL
from ponder.models.base import Request
from ponder.models.fakes.scripted import Scripted
from tests.support.jobs import PROBLEM
from tests.support.lessons import SUM, asked, chain, exported, pool, sample
from tests.support.searching import Tree
from tests.support.trees import at, grow, planted


def searched(path: Path, **how: Any) -> str:
    """The journal of one search."""
    asking: dict[str, Any] = {"journal": path / "runs.sqlite", "seed": 1, **how}
    ponder.solve(asking.pop("question", SUM), **asking)
    return str(path / "runs.sqlite")


def beam(path: Path) -> str:
    """A beam search whose chains end as 'aba' and the like; those with a b in them pass."""
    how = {"knobs": {"width": 2, "fan": 2}, "verifier": "regex(bb)", "answer_type": "number"}
    return searched(path, model=Scripted(Tree()), strategy="beam_search", **how)


def test_a_search_becomes_lessons_at_each_level(tmp_path: Path) -> None:
    summary, found = exported(tmp_path, [beam(tmp_path)], "thinking", verifier="regex(bb)")
    assert [row["ponder"]["thinking"] for row in found] == list(ALL)
    off, low, medium, _ = (row["completion"][0]["content"] for row in found)
    [answer] = {row["completion"][0]["content"].split("</think>\n\n")[1] for row in found[1:]}
    assert off.startswith("<think>\n\n</think>\n\n")
    assert low.split("\n")[-3:] == ["</think>", "", answer]
    assert low.count("That fails") == 0 < medium.count("That fails") <= 3
    assert found[2]["prompt"][-1]["content"].endswith("\n\nThinking: medium")
    assert found[0]["ponder"]["chains"][0]["strategy"] == "beam_search"
    assert summary.rows == 4


def test_only_the_levels_that_are_asked_for(tmp_path: Path) -> None:
    how: dict[str, Any] = {"verifier": "regex(bb)", "levels": ["high"]}
    _, found = exported(tmp_path, [beam(tmp_path)], "thinking", **how)
    assert [row["ponder"]["thinking"] for row in found] == ["high"]


def test_a_pool_has_no_trees(tmp_path: Path) -> None:
    source = pool(tmp_path / "pool.jsonl", asked(SUM, sample("it is 42")))
    with pytest.raises(UsageError, match="1 right without a search tree"):
        exported(tmp_path, [source], "thinking")


# Puzzles ------------------------------------------------------------------------------------------

ASKED = puzzle((11, 2, 68), 81)
WRONG_SUM = "68 / 2 = 33 (left: 11, 33)\n\n"
DEAD_END = "68 / 2 = 34 (left: 11, 34)\n\n"
WRONG_END = "11 + 34 = 45 (left: 45)\n\n"
RIGHT = "11 + 2 = 13 (left: 68, 13)\n\n"
END = "68 + 13 = 81 (left: 81)\n\\boxed{68 + (11 + 2)}"


def script(*replies: str) -> Callable[[Request], str]:
    """Replies as a model gives them that stops at blank lines."""
    waiting = iter(replies)
    return lambda request: next(waiting)


def backtracked(path: Path, *replies: str) -> list[str]:
    """The lessons of a chain that went back, level by level."""
    how: dict[str, Any] = {"knobs": {"tries": 1}, "verifier": "arithmetic"}
    source = searched(
        path,
        question=ASKED,
        model=Scripted(script(*replies)),
        strategy="verify_and_backtrack",
        **how,
    )
    _, found = exported(path, [source], "thinking", verifier="arithmetic")
    return [row["completion"][0]["content"] for row in found]


def test_a_chain_that_went_back_shows_what_it_was_told(tmp_path: Path) -> None:
    *_, high = backtracked(tmp_path, DEAD_END, WRONG_END, RIGHT, END)
    assert high == (
        "<think>\n68 / 2 = 34 (left: 11, 34)\n11 + 34 = 45 (left: 45)\n"
        "That fails: 45 is left at the end, not 81. I start again.\n"
        "11 + 2 = 13 (left: 68, 13)\n68 + 13 = 81 (left: 81)\n\\boxed{68 + (11 + 2)}\n</think>\n\n"
        f"{RIGHT}{END}"
    )


def test_a_false_step_is_not_shown_even_as_a_failure(tmp_path: Path) -> None:
    lessons = backtracked(tmp_path, WRONG_SUM, RIGHT, END)
    assert len(lessons) == 4
    assert not any("33" in lesson for lesson in lessons)


# By hand ------------------------------------------------------------------------------------------


def warned(*, hinted: bool) -> Asked:
    """A run of verify_and_backtrack with one right chain, after a hint or without."""
    tree = grow(planted("a"), "ab", added="So \\boxed{42}.", answer="42")
    if hinted:
        root = replace(tree.root, actions=(Action("hint", text="Think."),))
        tree = replace(tree, nodes={**tree.nodes, "": root})
    one = chain(at(tree, "ab").trace.turn, sample="0.1", own_prompt=False)
    origin = replace(one.origin, strategy="verify_and_backtrack")
    return Asked(PROBLEM, "p", (replace(one, origin=origin),), tree=tree)


def test_a_chain_after_a_person_s_hint_is_no_lesson() -> None:
    left_out: Counter[str] = Counter()
    assert walked(warned(hinted=False), Choice("v"), ALL, left_out) is not None
    assert walked(warned(hinted=True), Choice("v"), ALL, left_out) is None
