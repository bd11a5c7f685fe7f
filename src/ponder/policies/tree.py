"""A search tree: what was visited how often, and what that was worth. Values lie in [0, 1].

The four phases are Kocsis & Szepesvari 2006 (UCT) and Coulom 2006: select a path down, expand its
end, value what is new, and add each value to all nodes above it. Which child is next is a rule of
``bandit``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Node(Generic[T]):
    """One state. ``prior`` is how likely its parent thinks it, ``closed`` says that it has no
    continuation.
    """

    state: T
    parent: Node[T] | None = None
    prior: float = 1.0
    closed: bool = False
    visits: int = 0
    total: float = 0.0
    children: list[Node[T]] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean value of what was seen at this node and below; 0 if nothing was."""
        return self.total / self.visits if self.visits else 0.0

    def add(self, state: T, *, prior: float = 1.0, closed: bool = False) -> Node[T]:
        """A new child."""
        child = Node(state, self, prior, closed)
        self.children.append(child)
        return child

    def backup(self, value: float) -> None:
        """Add a value here and to all nodes above."""
        node: Node[T] | None = self
        while node is not None:
            node.visits += 1
            node.total += value
            node = node.parent

    def seal(self) -> None:
        """Close this node, and every node above that has no open child and will get none."""
        node: Node[T] | None = self
        while node is not None and all(child.closed for child in node.children):
            node.closed = True
            node = node.parent

    def walk(self) -> Iterator[Node[T]]:
        """This node and all below, parents first, in the order in which they were added."""
        yield self
        for child in self.children:
            yield from child.walk()


Rule = Callable[[Node[T], Node[T]], float]
"""How much (parent, child) deserves the next visit."""


def select(
    root: Node[T], rule: Rule[T], wider: Callable[[Node[T]], bool], *, revisit: bool = False
) -> Node[T]:
    """The node to expand: from the root down along the best open child, to a node without children
    or one that is to get ``wider``. Ties go to the child that was added first. With ``revisit``
    closed children count as open ones do, so it may be one that has no continuation.
    """
    node = root
    while node.children and not wider(node):
        open_children = [child for child in node.children if revisit or not child.closed]
        if not open_children:
            break
        parent = node
        node = max(open_children, key=lambda child: rule(parent, child))
    return node
