"""Search trees in words: two by hand, and what is never walked."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ponder.core.record.events import Judged
from ponder.core.record.search import Tree, apply
from ponder.core.trace import Score
from ponder.learning.thinking.bounds import Bound, tokens
from ponder.learning.thinking.trees import linearised
from tests.support.trees import at, end, grow, judge, name_of, planted

WIDE = Bound(9, 999)


def failed(tree: Tree, path: str, why: str) -> Tree:
    score = Score(0.0, "v", why, "fail")
    return apply(tree, Judged((name_of(path),), (score,)))


def walk(tree: Tree, path: str, bound: Bound = WIDE) -> list[str]:
    text = linearised(tree, name_of(path), bound)
    return [] if text is None else text.splitlines()


def by_hand() -> Tree:
    """Two ways from the root. The first fails in both of its ends, the second in one of two."""
    tree = grow(planted(), "a", added="Add them.\n\n")
    tree = judge(tree, "a", 0.9)
    tree = grow(tree, "b", added="Take one\nfrom the other.\n\n")
    tree = judge(tree, "b", 0.4)
    tree = failed(grow(tree, "aa", added="It is 13.", answer="13"), "aa", "not 42.")
    tree = judge(grow(tree, "ab", added="It is 14.\n\n"), "ab", 0.25)
    tree = failed(grow(tree, "ba", added="It is 1.", answer="1"), "ba", "")
    return end(judge(grow(tree, "bb", added="It is 42.", answer="42"), "bb", 1.0), "bb")


def test_a_tree_is_walked_depth_first_and_each_way_is_left_with_a_reason() -> None:
    assert walk(by_hand(), "bb") == [
        "Add them.",
        "It is 13.",
        "That fails: not 42. I go back to: Add them.",
        "It is 14.",
        "That scores 0.25, so I try another way. I start again.",
        "Take one",
        "from the other.",
        "It is 1.",
        "That fails. I go back to: from the other.",
        "It is 42.",
    ]


def test_as_many_ways_fail_as_are_allowed_the_first_of_them() -> None:
    tree = by_hand()
    right = ["Take one", "from the other.", "It is 42."]
    assert walk(tree, "bb", Bound(0, 999)) == right
    one = walk(tree, "bb", Bound(1, 999))
    assert one == [
        "Add them.",
        "It is 13.",
        "That fails: not 42. I start again.",
        *right,
    ]
    short = walk(tree, "bb", Bound(9, tokens("\n".join(right)) + 19))
    assert short == [*right[:2], "It is 1.", "That fails. I go back to: from the other.", right[2]]
    assert walk(tree, "bb", Bound(9, tokens("\n".join(right)) - 1)) == []


def test_samples_of_whole_chains_are_a_tree_of_one_step() -> None:
    tree = planted()
    for path, said in (("a", "So 41."), ("b", "So 42."), ("c", "So 43.")):
        tree = judge(grow(tree, path, added=said, answer=said[3:5]), path, float(path == "b"))
    assert walk(tree, "b") == [
        "So 41.",
        "That fails. I start again.",
        "So 43.",
        "That fails. I start again.",
        "So 42.",
    ]


def test_what_no_verifier_scored_is_not_walked() -> None:
    tree = grow(planted("a", "b"), "ba", answer="42")
    tree = judge(judge(tree, "a", None), "ba", 1.0)
    assert walk(tree, "ba") == ["b", "a"]


def test_a_text_that_does_not_continue_the_one_before_is_no_step() -> None:
    tree = judge(judge(planted("a", "b", "ba", "bb"), "ba", 0.1), "bb", 1.0)
    strange = replace(at(tree, "ba"), trace=replace(at(tree, "ba").trace, text="another"))
    thought = replace(at(tree, "ba"), trace=replace(at(tree, "ba").trace, reasoning="hm"))
    for node in (strange, thought):
        changed = replace(tree, nodes={**tree.nodes, node.id: node})
        assert walk(changed, "bb") == ["b", "b"]
        assert walk(changed, "ba") == []
    assert len(walk(tree, "bb")) == 4


def test_what_is_unsound_is_not_shown_even_as_a_failure() -> None:
    tree = by_hand()
    text = linearised(tree, name_of("bb"), WIDE, lambda node: node.id != name_of("aa"))
    assert text is not None
    assert "13" not in text
    assert "It is 14." in text


PATHS = [f"{a}{b}{c}" for a in "abc" for b in "abc" for c in "abc"]


@given(st.dictionaries(st.sampled_from(PATHS), st.floats(0, 1), min_size=1), st.data())
def test_a_walk_keeps_to_its_bound_and_ends_with_the_right_way(
    scores: dict[str, float], data: st.DataObject
) -> None:
    above = {path[:n] for path in scores for n in (1, 2)}
    tree = planted(*sorted(above, key=lambda path: (len(path), path)), *scores)
    for path, score in scores.items():
        tree = judge(tree, path, score)
    right = data.draw(st.sampled_from(sorted(scores)))
    bound = Bound(data.draw(st.integers(0, 9)), data.draw(st.integers(5, 200)))
    text = linearised(tree, name_of(right), bound)
    assert text is not None
    assert tokens(text) <= bound.tokens
    left = text.count("I start again.") + text.count("I go back to:")
    assert left <= min(bound.branches, len(scores) - 1)
    assert text.splitlines()[-1] == right[-1]
    if bound.tokens == 200 and bound.branches >= len(scores):
        assert left == len(scores) - 1 or tokens(text) > 160
