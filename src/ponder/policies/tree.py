"""Selection of the next node of a search tree. Values lie in [0, 1].

The four phases are those of Kocsis & Szepesvari 2006 (UCT) and Coulom 2006: select a path down,
expand its end, evaluate the new nodes, and add each value to all ancestors. The rule that chooses a
child is in ``bandit``. Nodes without visits (seen only by lookahead) do not count as children.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from ponder.core.record.search import Node, Tree
from ponder.policies.select import top_k

Rule = Callable[[Node, Node], float]
"""Priority of the next visit, of (parent, child)."""


def visited(tree: Tree, node: Node) -> list[Node]:
    """Return a node's children that were visited and not dropped, in request order."""
    return [child for child in tree.children(node) if child.visits and not child.dropped]


def select(
    tree: Tree, rule: Rule, wider: Callable[[Node], bool], closed: Collection[str] = ()
) -> Node:
    """Return the node to expand.

    It descends from the root along the best child that is not ``closed``, to a node that has no
    children or is to get ``wider``. Ties go to the child that was requested first.
    """
    node = tree.root
    while (children := visited(tree, node)) and not wider(node):
        ahead = [child for child in children if child.id not in closed]
        if not ahead:
            break
        parent = node
        node = max(ahead, key=lambda child: rule(parent, child))
    return node


def seal(tree: Tree, node: Node, closed: set[str]) -> None:
    """Close a node if all of its children are closed, and then its ancestors likewise."""
    for one in (node, *tree.above(node.id)):
        if not all(child.id in closed for child in visited(tree, one)):
            return
        closed.add(one.id)


def best_of(nodes: Sequence[Node], count: int) -> list[Node]:
    """Return the nodes of highest value, the best first."""
    return top_k(nodes, [node.value for node in nodes], count)


def favourite(tree: Tree) -> Node:
    """Descend from the root to the child with the most visits, then the highest mean, and return
    the end.
    """
    node = tree.root
    while children := visited(tree, node):
        node = max(children, key=lambda child: (child.visits, child.mean))
    return node


def shares(parent: Node, children: Sequence[Node]) -> dict[str, float]:
    """Return a prior for each child: the mean token probability of its step, normalised; uniform if
    unknown.
    """
    old = len(parent.trace.logprobs or ())
    steps = [node.trace.logprobs[old:] if node.trace.logprobs else () for node in children]
    likely = [math.exp(math.fsum(p) / len(p)) if p else 1.0 for p in steps]
    return {node.id: one / math.fsum(likely) for node, one in zip(children, likely, strict=True)}
