"""A search tree against a table worked out by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ponder.policies.bandit import uct
from ponder.policies.tree import Node, select

VALUES = {
    "a": 0.9, "b": 0.2, "aa": 0.3, "ab": 0.4, "ba": 0.1, "bb": 0.5,
    "aba": 0.35, "abb": 0.3, "bba": 0.7, "bbb": 0.8,
}  # fmt: skip


def bid(parent: Node[str], child: Node[str]) -> float:
    return uct(child.mean, child.visits, parent.visits, 1.0)


def grown(rounds: int) -> Node[str]:
    """UCT with c = 1, two children at each expansion, chains of three steps."""
    root = Node("")
    for _ in range(rounds):
        node = select(root, bid, lambda node: False)
        for letter in "ab":
            path = node.state + letter
            node.add(path, closed=len(path) == 3).backup(VALUES[path])
        node.seal()
    return root


def test_five_rounds_of_uct_by_hand() -> None:
    """Round 1 expands the root. 2: a 0.9 + 0.83 against b 0.2 + 0.83. 3: a 0.53 + 0.68, b
    0.2 + 1.18. 4: a 0.53 + 0.77, b 0.27 + 0.77; then ab 0.4 + 1.05, aa 0.3 + 1.05.
    5: a 0.45 + 0.645, b 0.267 + 0.833; then bb 0.5 + 1.05, ba 0.1 + 1.05.
    """
    root = grown(5)
    visits = {node.state: node.visits for node in root.walk()}
    assert visits == {
        "": 10, "a": 5, "b": 5, "aa": 1, "ab": 3, "ba": 1, "bb": 3,
        "aba": 1, "abb": 1, "bba": 1, "bbb": 1,
    }  # fmt: skip
    means = {node.state: round(node.mean, 6) for node in root.walk() if node.visits > 1}
    assert means == {"": 0.455, "a": 0.45, "b": 0.46, "ab": 0.35, "bb": 0.666667}
    assert {node.state for node in root.walk() if node.closed} == {
        "aba", "abb", "bba", "bbb", "ab", "bb",
    }  # fmt: skip


def test_a_node_is_closed_when_all_below_it_are() -> None:
    root = Node("root")
    a, b = root.add("a"), root.add("b", closed=True)
    a.add("aa", closed=True)
    a.seal()
    assert (a.closed, root.closed) == (True, True)
    assert select(root, lambda p, c: 0.0, lambda node: False) is root
    assert b.parent is root


def test_a_node_that_gets_wider_is_expanded_itself() -> None:
    root = Node("")
    root.add("a").backup(1.0)
    assert select(root, lambda p, c: 0.0, lambda node: node is root) is root
    assert select(root, lambda p, c: 0.0, lambda node: False).state == "a"


def test_ties_go_to_the_first_and_an_unvisited_node_is_worth_nothing() -> None:
    root = Node("")
    first, _ = root.add("a"), root.add("b")
    assert select(root, lambda p, c: 1.0, lambda node: False) is first
    assert first.mean == 0.0


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0, 1)), max_size=30))
def test_every_value_counts_at_all_nodes_above(steps: list[tuple[int, float]]) -> None:
    root = Node("")
    nodes = [root]
    for where, value in steps:
        child = nodes[where % len(nodes)].add("x")
        child.backup(value)
        nodes.append(child)
    for node in nodes:
        below = list(node.walk())
        own = [n.total - sum(c.total for c in n.children) for n in below]
        assert node.visits == len(below) - (node is root)
        assert abs(node.total - sum(own)) < 1e-9
