"""Step labels: the share of right chains below each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ponder.core.record.events import Revised
from ponder.core.record.search import Tree, apply
from ponder.learning.rows.chains import Asked, Chain
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.stepping import stepped
from tests.support.jobs import PROBLEM
from tests.support.lessons import chain
from tests.support.trees import at, grow, name_of, planted


def asked(tree: Tree, scores: Mapping[str, float | None], **more: bool) -> Asked:
    """The chains of a tree that end at these nodes, with these scores of ``v``."""

    def ended(path: str) -> Chain:
        return chain(at(tree, path).trace.text, scores[path], sample=name_of(path), **more)

    return Asked(PROBLEM, "p", tuple(map(ended, scores)), tree=tree)


def test_values_are_shares_of_right_chains_and_labels_say_if_there_are_any() -> None:
    tree = planted("a", "b")
    for path in ("aa", "ab", "ac", "ba"):
        tree = grow(tree, path, answer="42")
    scores = {"aa": 1.0, "ab": 0.0, "ac": None, "ba": 0.0}
    found = {one.chain.turn: one for one in stepped(asked(tree, scores), Choice("v"))}
    assert {turn: (one.steps, one.values, one.labels) for turn, one in found.items()} == {
        "aa": (("a", "a"), (0.5, 1.0), [True, True]),
        "ab": (("a", "b"), (0.5, 0.0), [True, False]),
        "ba": (("b", "a"), (0.0, 0.0), [False, False]),
    }


def test_steps_lose_their_separators_and_empty_ones_are_none() -> None:
    tree = grow(planted(), "a", added="One.\n\n")
    tree = grow(tree, "aa", added="\n\n")
    tree = grow(tree, "aaa", added="Two.", answer="42")
    [one] = stepped(asked(tree, {"aaa": 1.0}), Choice("v"))
    assert one.steps == ("One.", "Two.")


def test_a_chain_of_one_step_teaches_none() -> None:
    tree = grow(planted(), "a", answer="42")
    assert list(stepped(asked(tree, {"a": 1.0}), Choice("v"))) == []


def test_a_revision_is_no_step_of_what_it_revises() -> None:
    tree = grow(planted(), "a", answer="42")
    tree = apply(grow(tree, "b", answer="42"), Revised(name_of("b"), name_of("a")))
    assert list(stepped(asked(tree, {"b": 1.0}), Choice("v"))) == []


def test_what_can_be_no_lesson_counts_for_nothing() -> None:
    tree = grow(grow(planted("a"), "aa", answer="42"), "ab", answer="42")
    truncated = asked(tree, {"ab": 0.0}, whole=False).chains
    whole = asked(tree, {"aa": 1.0})
    both = replace(whole, chains=(*whole.chains, *truncated))
    assert [one.values for one in stepped(both, Choice("v"))] == [(1.0, 1.0)]


def test_a_pool_has_no_steps() -> None:
    assert list(stepped(Asked(PROBLEM, "p", (chain("a\n\nb"),)), Choice("v"))) == []
