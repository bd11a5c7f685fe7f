"""The search tree as a fold of events."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.record.events import (
    Dropped,
    Ended,
    Event,
    Expanded,
    Forked,
    Judged,
    Revised,
    SampleFinished,
    SampleStarted,
    Scored,
    Steered,
    Visited,
)
from ponder.core.record.search import ROOT, Tree, apply, fold
from ponder.core.record.steering import Action
from ponder.core.trace import Score
from tests.support.jobs import PROBLEM, trace
from tests.support.trees import at, grow, judge, name_of, path_of, planted


def test_a_node_stands_beneath_what_it_continues() -> None:
    tree = planted("a", "b", "aa", "aaa")
    assert [path_of(node) for node in tree.below(ROOT)] == ["", "a", "aa", "aaa", "b"]
    assert [path_of(node) for node in tree.above(name_of("aaa"))] == ["aa", "a", ""]
    assert [node.depth for node in tree.below(ROOT)] == [0, 1, 2, 3, 1]
    assert at(tree, "a").status == "expanded"
    assert at(tree, "b").status == "open"
    assert at(grow(tree, "ba", done=True), "ba").status == "ended"


def test_children_are_in_the_order_asked_for() -> None:
    assert [path_of(n) for n in planted("c", "a", "b").below(ROOT)] == ["", "a", "b", "c"]


@pytest.mark.parametrize(
    ("values", "last"),
    [((), None), ((0.2,), 0.2), ((0.2, 0.9), 0.9), ((0.2, None), 0.2), ((None,), None)],
)
def test_the_value_is_the_last_that_is_none(values: tuple[float | None, ...], last: float) -> None:
    tree = planted("a")
    for value in values:
        tree = judge(tree, "a", value)
    assert at(tree, "a").value == last
    assert len(at(tree, "a").scores) == len(values)


def test_scores_of_a_verifier_and_of_the_strategy_are_both_kept() -> None:
    tree = planted("a", "b")
    traces = (at(tree, "a").trace, at(tree, "b").trace)
    tree = apply(tree, Scored("9", traces, (Score(0.1, "v"), Score(0.2, "v"))))
    tree = apply(tree, Judged((name_of("b"),), (Score(0.7, "w"),)))
    assert at(tree, "a").judged == (traces[0], Score(0.1, "v"))
    assert at(tree, "b").scores == (Score(0.2, "v"), Score(0.7, "w"))


def test_what_was_dropped_says_why_and_comes_back_when_it_is_expanded() -> None:
    tree = apply(planted("a", "b"), Dropped((name_of("a"), "no such node"), "outranked"))
    assert (at(tree, "a").status, at(tree, "a").why) == ("dropped", "outranked")
    assert at(tree, "b").status == "open"
    tree = apply(tree, Expanded(name_of("a"), ()))
    assert (at(tree, "a").status, at(tree, "a").why) == ("open", "")


def test_a_revision_moves_beneath_what_it_revises() -> None:
    tree = apply(planted("a", "b"), Revised(name_of("b"), name_of("a")))
    assert [path_of(node) for node in tree.below(ROOT)] == ["", "a", "b"]
    assert (at(tree, "b").parent, at(tree, "b").depth) == (name_of("a"), 2)
    assert apply(tree, Revised(name_of("b"), name_of("a"))) == tree
    for name in ("a", "b"):
        assert apply(tree, Revised(name_of("a"), name_of(name))) == tree  # no circles


def test_an_edited_text_takes_a_place_beside_its_origin() -> None:
    tree = grow(planted("a"), "aa", done=True)
    tree = apply(tree, Forked("s0.0", "better", name_of("aa")))
    fork = tree["s0.0"]
    assert (fork.parent, fork.trace.text, fork.done) == (name_of("a"), "better", False)
    assert at(tree, "a").children == (name_of("aa"), "s0.0")
    assert (fork.origin, at(tree, "aa").origin) == (name_of("aa"), "")


def test_interventions_stand_at_their_node() -> None:
    pin, prune = Action("pin", name_of("a"), by="ann"), Action("prune", name_of("a"))
    tree = functools.reduce(apply, [Steered(pin), Steered(prune)], planted("a", "b"))
    assert at(tree, "a").actions == (pin, prune)
    assert (at(tree, "b").actions, tree.root.actions) == ((), ())


def test_a_hint_stands_where_the_search_went_on_or_at_the_root() -> None:
    hint = Action("hint", text="be brief", by="ann")
    tree = apply(planted("a", "b", "c"), Steered(hint, (name_of("a"), name_of("c"), "7")))
    assert [at(tree, name).actions for name in "abc"] == [(hint,), (), (hint,)]
    assert tree.root.actions == ()
    assert apply(planted("a"), Steered(hint)).root.actions == (hint,)


def test_the_path_to_the_answer() -> None:
    tree = planted("a", "ab", "b")
    assert tree.path == frozenset()
    tree = apply(tree, Ended("done", name_of("ab")))
    assert tree.path == {ROOT, name_of("a"), name_of("ab")}
    assert apply(tree, Ended("tokens", None)).path == frozenset()


def test_only_chains_that_may_answer_are_nodes() -> None:
    tree = apply(planted(), SampleFinished("0", trace(0), False, "critique"))
    assert len(tree) == 1


_unknown: list[Event] = [
    Judged(("7",), (Score(1.0, "v"),)),
    Scored("8", (trace(7),), (Score(1.0, "v"),)),
    Visited("7", 1.0),
    Dropped(("7",), "why"),
    Expanded("7", ()),
    Revised("7", name_of("a")),
    Revised(name_of("a"), "7"),
    Forked("s0.0", "text", "7"),
    Steered(Action("pin", "7")),
    Steered(Action("more", count=2)),
    SampleStarted("7", "generate"),
]


@pytest.mark.parametrize("event", _unknown, ids=lambda event: type(event).__name__)
def test_events_about_what_is_not_there_change_nothing(event: Event) -> None:
    tree = planted("a")
    assert apply(tree, event) == tree


_names = st.sampled_from(["0", "1", "0.0", "0.1", "1.0", "2"])
_events = st.one_of(
    _names.map(lambda n: SampleFinished(n, trace(n, parent=n.rpartition(".")[0]), False)),
    st.builds(Visited, _names, st.floats(0, 1)),
    st.builds(lambda n: Dropped((n,), "why"), _names),
    st.builds(Revised, _names, _names),
    st.builds(lambda n, o: Forked(f"s{n}", "text", o), _names.filter(str.isdigit), _names),
    st.builds(lambda n, v: Judged((n,), (Score(v, "v"),)), _names, st.floats(0, 1)),
)


@given(st.lists(_events, max_size=40))
def test_any_events_make_a_tree(events: list[Event]) -> None:
    tree = fold(PROBLEM, events)
    reached = [node.id for node in tree.below(ROOT)]
    assert sorted(reached) == sorted(tree.nodes)  # each once, none cut off
    for name in reached:
        for child in tree.children(tree[name]):
            assert (child.parent, child.depth) == (name, tree[name].depth + 1)
    assert fold(PROBLEM, events) == tree


@given(st.lists(_events, max_size=20), _events)
def test_a_tree_is_a_value_that_no_event_changes(events: list[Event], one: Event) -> None:
    tree = fold(PROBLEM, events)
    before = Tree(dict(tree.nodes), tree.chosen)
    apply(tree, one)
    assert tree == before
