"""A run's tree as it is shown: what equal branches become, what is left out."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ponder.cli.tree.picture import addition, leading, picture, rest
from ponder.core.record.events import Event, Forked, Revised, SampleFinished, Steered
from ponder.core.record.search import TWIN, Tree, apply
from ponder.core.record.steering import Action
from ponder.core.trace import Finish, Trace
from tests.support.jobs import PROBLEM
from tests.support.pictures import ASKED, beam, branch, drawn, votes
from tests.support.trees import drop, end, grow, name_of, planted

# Branches -----------------------------------------------------------------------------------------


def test_a_branch_is_what_a_node_added() -> None:
    shown = picture(beam(), ASKED, "42")
    ab = branch(shown, "ab")
    assert (ab.added, ab.tokens, ab.depth, ab.continues) == ("b", 2, 2, True)
    assert (ab.answer, ab.outcome, ab.on_path, ab.chosen) == ("42", "the answer", True, True)
    assert (branch(shown, "a").on_path, branch(shown, "a").chosen) == (True, False)
    assert (branch(shown, "aa").outcome, branch(shown, "aa").on_path) == ("outranked", False)
    assert (shown.title, shown.answer, shown.nodes) == (ASKED, "42", 4)


def test_a_revision_adds_all_of_its_text() -> None:
    tree = grow(planted(), "a", answer="41", added="so 41")
    tree = apply(grow(tree, "b", answer="42", added="no, 42"), Revised(name_of("b"), name_of("a")))
    revision = branch(picture(tree, ASKED), "b")
    assert (revision.added, revision.tokens, revision.continues) == ("no, 42", 2, False)
    assert revision.depth == 2


def test_a_chain_that_was_made_to_answer_adds_what_follows_its_text() -> None:
    tree = grow(planted(), "a", added="so\n\n")
    trace = Trace(PROBLEM, "so The answer is 42", 9, "stop", None, None, "7", name_of("a"))
    tree = apply(tree, SampleFinished("7", trace, False))
    assert [b.added for b in picture(tree, ASKED).branches] == ["", "so\n\n", " The answer is 42"]


def ended(finish: Finish, answer: str | None) -> Tree:
    tree = grow(planted(), "a", done=True, answer=answer)
    [node] = [n for n in tree.nodes.values() if n.id]
    trace = replace(node.trace, finish=finish)
    return apply(planted(), SampleFinished(trace.id, trace, False))


@pytest.mark.parametrize(
    ("tree", "outcome"),
    [
        (planted("a"), "not continued"),
        (planted("a", "aa"), ""),
        (ended("stop", None), "ended without an answer"),
        (ended("length", None), "truncated"),
        (ended("stop", "42"), ""),
        (drop(planted("a"), "below 0.2", "a"), "below 0.2"),
        (drop(planted("a"), "", "a"), "dropped"),
        (end(planted("a"), "a"), "the best so far"),
        (end(ended("stop", "42"), "a"), "the answer"),
    ],
)
def test_each_end_has_its_words(tree: Tree, outcome: str) -> None:
    assert branch(picture(tree, ASKED), "a").outcome == outcome


def test_what_a_person_did_is_said() -> None:
    acts: list[Event] = [
        Steered(Action("pin", name_of("a"), by="ann")),
        Steered(Action("more", name_of("a"), count=2)),
        Steered(Action("edit", name_of("b"), text="better")),
        Forked("s0.0", "better", name_of("b")),
    ]
    tree = functools.reduce(apply, acts, planted("a", "b"))
    shown = picture(drop(tree, "edited", "b"), ASKED)
    assert branch(shown, "a").notes == ("pinned by ann", "continued further")
    assert branch(shown, "b").outcome == "edited"
    fork = next(b for b in shown.branches if b.node.id == "s0.0")
    assert (fork.notes, fork.added) == ((f"edit of {name_of('b')}",), "better")
    assert [b.steered for b in shown.branches] == [False, True, True, True]


def test_hints_are_said_where_they_were_seen_first() -> None:
    hint = Action("hint", text=" be brief ", by="ann")
    tree = apply(grow(grow(planted(), "a", added="so"), "b", added="so"), Steered(hint, ("0", "1")))
    tree = apply(tree, Steered(Action("hint", text="use 6 * 7")))
    shown = picture(tree, ASKED)
    assert shown.branches[0].notes == ("hint: use 6 * 7",)
    assert (shown.branches[1].notes, shown.branches[1].count) == (("hint by ann: be brief",), 2)
    alone = apply(tree, Steered(hint, ("1",)))
    assert [b.count for b in picture(alone, ASKED).branches] == [1, 1, 1]


# Equal branches -----------------------------------------------------------------------------------


def numbers(tree: Tree) -> list[tuple[str, int]]:
    return [(b.added, b.count) for b in picture(tree, ASKED).branches[1:]]


def test_equal_chains_are_one_branch() -> None:
    assert numbers(votes("so 1", "so 2", "so 1", "so 1")) == [("so 1", 3), ("so 2", 1)]
    assert numbers(votes("so 1", "hm 1")) == [("so 1", 1), ("hm 1", 1)]
    assert numbers(votes(*["so 1"] * 8)) == [("so 1", 8)]


def test_the_one_on_the_path_stands_for_its_equals() -> None:
    tree = end(votes("so 1", "so 1", "so 1"), "b")
    [_, stands] = picture(tree, ASKED).branches
    assert (stands.node.id, stands.chosen) == (name_of("b"), True)
    assert [node.id for node in stands.equals] == [name_of("a"), name_of("c")]


@pytest.mark.parametrize(
    "tree",
    [
        drop(votes("so 1", "so 1"), "outranked", "b"),
        drop(drop(votes("so 1", "so 1"), "outranked", "a"), "below 0.2", "b"),
        apply(votes("so 1", "so 1"), Steered(Action("pin", name_of("a")))),
        grow(grow(grow(planted(), "a", added="so"), "b", added="so"), "ba"),
    ],
    ids=["one was dropped", "for other reasons", "one is pinned", "one was continued"],
)
def test_branches_with_different_fates_are_not_equal(tree: Tree) -> None:
    assert [count for _, count in numbers(tree)][:2] == [1, 1]


def test_a_twin_counts_with_the_one_that_it_repeats() -> None:
    """The original went on; the twins were dropped before anybody judged them."""
    tree = planted()
    for letter in "abc":
        tree = grow(tree, letter, added="so")
    tree = grow(drop(tree, TWIN, "b", "c"), "aa")
    assert numbers(tree) == [("so", 3), ("a", 1)]
    alone = drop(grow(planted(), "a", added="so"), TWIN, "a")
    assert numbers(alone) == [("so", 1)]


_paths = st.lists(st.text("abc", min_size=1, max_size=4), max_size=30)


@given(_paths, st.sampled_from(["", "same"]), st.integers(0, 12))
def test_every_node_is_counted_once_and_every_bound_is_kept(
    paths: list[str], added: str, most: int
) -> None:
    wanted = dict.fromkeys(path[:n] for path in paths for n in range(1, len(path) + 1))
    tree = functools.reduce(lambda t, path: grow(t, path, added=added), wanted, planted())
    tree = end(tree, paths[-1]) if paths else tree
    shown = picture(tree, ASKED)
    ids = [node.id for b in shown.branches for node in (b.node, *b.equals)]
    assert sorted(ids) == sorted(tree.nodes)
    assert all(b.parent < place for place, b in enumerate(shown.branches))
    assert {b.node.id for b in shown.branches if b.on_path} == tree.path
    chosen = leading(shown, most)
    assert len(chosen) == min(most + 1, len(shown.branches))
    assert all(shown.branches[place].parent in chosen for place in chosen - {0})
    path = [place for place, b in enumerate(shown.branches) if b.on_path]
    assert len(path) > most or chosen.issuperset(path)
    lines = drawn(shown, 60, most)
    assert all(cell_len(line) <= 60 for line in lines)
    hidden = sum(
        int(m.group(2) or m.group(1))
        for line in lines
        if (m := re.search(r"and (\d+) more(?: \((\d+) with all beneath\))?:", line))
    )
    assert hidden + sum(shown.branches[place].count for place in chosen) == len(tree)


def test_what_is_left_out_is_counted_by_its_reasons() -> None:
    tree = drop(drop(planted(*"abcdef", "ea"), "outranked", *"abc"), "below 0.2", "d")
    shown = picture(tree, ASKED)
    said = "and 6 more (7 with all beneath): 3 outranked, 1 below 0.2, 1 continued"
    assert rest(shown, 0, frozenset({0})) == f"{said}, 1 for other reasons"
    assert rest(shown, 0, frozenset(range(len(shown.branches)))) == ""
    many = picture(votes("so 1", "hm 1", "ah 1", "so 2"), ASKED)
    assert rest(many, 0, leading(many, 2)) == "and 2 more: ended with 1"


def test_a_trace_that_thinks_shows_its_thinking_and_then_its_text() -> None:
    before = Trace(PROBLEM, reasoning="one", tokens=1)
    longer = Trace(PROBLEM, reasoning="one two", tokens=2)
    answered = Trace(PROBLEM, "42", 3, reasoning="one two")
    assert addition(before, Trace.empty(PROBLEM)) == ("one", True)
    assert addition(longer, before) == (" two", True)
    assert addition(answered, longer) == ("42", True)
