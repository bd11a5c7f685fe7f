"""Which node of a search tree comes next. Values lie in [0, 1].

The four phases are Kocsis & Szepesvari 2006 (UCT) and Coulom 2006: select a path down, expand its
end, value what is new, and add each value to all nodes above it. Which child is next is a rule of
``bandit``. Nodes that were never visited (what was only looked at) do not count as children.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from ponder.core.search import Node, Tree

Rule = Callable[[Node, Node], float]
"""How much (parent, child) deserves the next visit."""


def visited(tree: Tree, node: Node) -> list[Node]:
    """The children of a node that were visited and not given up, in the order asked for."""
    return [child for child in tree.children(node) if child.visits and not child.dropped]


def select(
    tree: Tree, rule: Rule, wider: Callable[[Node], bool], closed: Collection[str] = ()
) -> Node:
    """The node to expand: from the root down along the best child that is not ``closed``, to a node
    without children or one that is to get ``wider``. Ties go to the child asked for first.
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
    """Close a node all of whose children are closed, and then every such node above it."""
    for one in (node, *tree.above(node.id)):
        if not all(child.id in closed for child in visited(tree, one)):
            return
        closed.add(one.id)


def favourite(tree: Tree) -> Node:
    """Down from the root, always to the child with most visits, then the highest mean."""
    node = tree.root
    while children := visited(tree, node):
        node = max(children, key=lambda child: (child.visits, child.mean))
    return node


def shares(parent: Node, children: Sequence[Node]) -> dict[str, float]:
    """A prior for each child: the mean token probability of its step, as a share of all; equal
    where that is not known.
    """
    old = len(parent.trace.logprobs or ())
    steps = [node.trace.logprobs[old:] if node.trace.logprobs else () for node in children]
    likely = [math.exp(math.fsum(p) / len(p)) if p else 1.0 for p in steps]
    return {node.id: one / math.fsum(likely) for node, one in zip(children, likely, strict=True)}
