"""Search trees made of events, for tests. Nodes are named by letters: 'ab' is a's second child."""

from __future__ import annotations

from dataclasses import replace

from ponder.core.answer import Answer
from ponder.core.record.events import Dropped, Ended, Judged, SampleFinished, Visited
from ponder.core.record.search import Node, Tree, apply
from ponder.core.trace import Score, Trace
from tests.support.jobs import PROBLEM


def name_of(path: str) -> str:
    """The id of a node: 'ab' is '0.1'."""
    return ".".join(str("abcdefgh".index(letter)) for letter in path)


def path_of(node: Node) -> str:
    """The letters of a node."""
    return "".join("abcdefgh"[int(part)] for part in node.id.split(".") if part)


def planted(*paths: str) -> Tree:
    """A tree of these nodes; each comes after its parent."""
    tree = Tree.of(PROBLEM)
    for path in paths:
        tree = grow(tree, path)
    return tree


def grow(
    tree: Tree, path: str, *, done: bool = False, answer: str | None = None, added: str = ""
) -> Tree:
    """One node more, two tokens longer than its parent. It adds its last letter, or ``added``."""
    above = at(tree, path[:-1]).trace
    trace = Trace(PROBLEM, above.text + (added or path[-1]), above.tokens + 2)
    trace = replace(trace, id=name_of(path), parent=above.id)
    if done or answer is not None:
        said = None if answer is None else Answer(answer, answer)
        trace = replace(trace, finish="stop", answer=said)
    return apply(tree, SampleFinished(trace.id, trace, False))


def drop(tree: Tree, why: str, *paths: str) -> Tree:
    """Nodes given up."""
    return apply(tree, Dropped(tuple(map(name_of, paths)), why))


def end(tree: Tree, path: str) -> Tree:
    """The tree of a run whose answer came from that node."""
    return apply(tree, Ended("done", name_of(path)))


def visit(tree: Tree, path: str, value: float) -> Tree:
    """A value more, at a node and at all above it."""
    return apply(tree, Visited(name_of(path), value))


def judge(tree: Tree, path: str, value: float | None) -> Tree:
    """A score more."""
    return apply(tree, Judged((name_of(path),), (Score(value, "v"),)))


def at(tree: Tree, path: str) -> Node:
    """The node of these letters."""
    return tree[name_of(path)]
