"""Selection in a search tree, against a table worked out by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ponder.core.record.search import ROOT, Node, Tree
from ponder.policies.bandit import uct
from ponder.policies.tree import favourite, seal, select
from tests.support.trees import at, grow, name_of, path_of, planted, visit

VALUES = {
    "a": 0.9, "b": 0.2, "aa": 0.3, "ab": 0.4, "ba": 0.1, "bb": 0.5,
    "aba": 0.35, "abb": 0.3, "bba": 0.7, "bbb": 0.8,
}  # fmt: skip


def bid(parent: Node, child: Node) -> float:
    return uct(child.mean, child.visits, parent.visits, 1.0)


def never(node: Node) -> bool:
    return False


def searched(rounds: int) -> tuple[Tree, set[str]]:
    """UCT with c = 1, two children at each expansion, chains of three steps."""
    tree, closed = planted(), set[str]()
    for _ in range(rounds):
        node = select(tree, bid, never, closed)
        for letter in "ab":
            path = path_of(node) + letter
            tree = visit(grow(tree, path, done=len(path) == 3), path, VALUES[path])
            if len(path) == 3:
                closed.add(name_of(path))
        seal(tree, node, closed)
    return tree, closed


def test_five_rounds_of_uct_by_hand() -> None:
    """Round 1 expands the root. 2: a 0.9 + 0.83 against b 0.2 + 0.83. 3: a 0.53 + 0.68, b
    0.2 + 1.18. 4: a 0.53 + 0.77, b 0.27 + 0.77; then ab 0.4 + 1.05, aa 0.3 + 1.05.
    5: a 0.45 + 0.645, b 0.267 + 0.833; then bb 0.5 + 1.05, ba 0.1 + 1.05.
    """
    tree, closed = searched(5)
    nodes = list(tree.below(ROOT))
    assert {path_of(node): node.visits for node in nodes} == {
        "": 10, "a": 5, "b": 5, "aa": 1, "ab": 3, "ba": 1, "bb": 3,
        "aba": 1, "abb": 1, "bba": 1, "bbb": 1,
    }  # fmt: skip
    means = {path_of(node): round(node.mean, 6) for node in nodes if node.visits > 1}
    assert means == {"": 0.455, "a": 0.45, "b": 0.46, "ab": 0.35, "bb": 0.666667}
    assert {path_of(tree[name]) for name in closed} == {"aba", "abb", "bba", "bbb", "ab", "bb"}
    assert path_of(favourite(tree)) == "bbb"  # b and a have 5 visits each; b's mean is higher


def test_a_node_is_closed_when_all_its_visited_children_are() -> None:
    tree = planted("a", "b", "aa", "ab")
    for path in ("a", "b", "aa"):
        tree = visit(tree, path, 0.5)
    closed = {name_of("b"), name_of("aa")}
    seal(tree, at(tree, "a"), closed)
    assert closed == {name_of("b"), name_of("aa"), name_of("a"), ROOT}
    assert select(tree, lambda p, c: 0.0, never, closed).id == ROOT


def test_an_open_child_keeps_all_above_it_open() -> None:
    tree = visit(visit(planted("a", "b"), "a", 1.0), "b", 1.0)
    closed = {name_of("a")}
    seal(tree, tree.root, closed)
    assert closed == {name_of("a")}


def test_a_node_that_gets_wider_is_expanded_itself() -> None:
    tree = visit(planted("a"), "a", 1.0)
    assert select(tree, lambda p, c: 0.0, lambda node: node.id == ROOT).id == ROOT
    assert path_of(select(tree, lambda p, c: 0.0, never)) == "a"


def test_ties_go_to_the_child_asked_for_first_whatever_came_first() -> None:
    tree = planted("b", "a")
    tree = visit(visit(tree, "b", 0.0), "a", 0.0)
    assert path_of(select(tree, lambda p, c: 1.0, never)) == "a"


def test_what_was_only_looked_at_is_no_child_to_go_to() -> None:
    tree = visit(planted("a", "aa", "b"), "a", 0.5)
    assert path_of(select(tree, lambda p, c: 1.0, never)) == "a"


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 1)), max_size=30))
def test_every_value_counts_at_all_nodes_above(steps: list[tuple[int, float]]) -> None:
    tree, paths = planted(), [""]
    for where, value in steps:
        parent = paths[where % len(paths)]
        siblings = sum(len(p) == len(parent) + 1 and p.startswith(parent) for p in paths)
        if siblings == 8:
            continue
        path = parent + "abcdefgh"[siblings]
        tree = visit(grow(tree, path), path, value)
        paths.append(path)
    for node in tree.below(ROOT):
        below = list(tree.below(node.id))
        own = [n.total - sum(c.total for c in tree.children(n)) for n in below]
        assert node.visits == len(below) - (node.id == ROOT)
        assert abs(node.total - sum(own)) < 1e-9
