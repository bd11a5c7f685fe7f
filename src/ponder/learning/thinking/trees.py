"""Search trees in words: the ways that failed, why each was left, and the way that was right.

The tree of a recorded run is walked depth first, in the order in which its steps were asked for.
Where the right way branches off, the others come first, as many as a level allows; each is left
with the score or the words that a verifier gave it ('Stream of Search', Gandhi 2024). So a search
that a verifier led becomes a chain in which the model goes back by itself.

A step is left out if it has no score, says the same as another, or was edited or revised: its text
then does not continue that of the step before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from ponder.core.record.search import ROOT, Node, Tree
from ponder.learning.thinking.bounds import Bound, tokens

LONGEST = 160
"""Most characters of a step or a reason that is quoted."""


def linearised(
    tree: Tree, end: str, bound: Bound, sound: Callable[[Node], bool] = lambda node: True
) -> str | None:
    """Return the walk that ends with the node ``end``; None if that is no chain of steps, or longer
    than the bound by itself.

    ``sound`` refuses ways that must not be shown even as failures.
    """
    way = _way(tree, end)
    if added(tree, way) is None:
        return None
    kept: list[Node] = []
    found = _written(tree, [tree[end]])
    if tokens(found) > bound.tokens:
        return None
    for node in failed(tree, way):
        if len(kept) >= bound.branches:
            break
        if not sound(node):
            continue
        text = _written(tree, [*kept, node, tree[end]])
        if tokens(text) <= bound.tokens:
            kept, found = [*kept, node], text
    return found


def failed(tree: Tree, way: Sequence[Node]) -> Iterator[Node]:
    """Yield the ends of the ways that failed beside this one, in the order of the walk."""
    names = {node.id for node in way}
    for node in way[:-1]:
        for child in tree.children(node):
            if child.id in names:
                continue
            for below in tree.below(child.id):
                if not below.children and reason(below) and added(tree, _way(tree, below.id)):
                    yield below


def added(tree: Tree, way: Sequence[Node]) -> list[str] | None:
    """Return the text that each node after the first adds; None if one does not continue the last.

    Thinking of the model's own is no part of it: there is a walk of texts alone.
    """
    steps = []
    for before, node in pairwise(way):
        text = node.trace.text
        if node.trace.reasoning or not text.startswith(before.trace.text):
            return None
        steps.append(text[len(before.trace.text) :].strip())
    return steps if any(steps) else None


def reason(node: Node) -> str:
    """Return a sentence on why a way is left at this node; '' if no verifier said anything."""
    score = node.score
    if score.value is None:
        return ""
    if score.value == 0:
        detail = _quoted(score.detail).rstrip(".")
        return f"That fails: {detail}." if detail else "That fails."
    return f"That scores {score.value:.2f}, so I try another way."


def _way(tree: Tree, name: str) -> list[Node]:
    """Return the nodes from the root to this one."""
    return [*list(tree.above(name))[::-1], tree[name]]


def _written(tree: Tree, ends: Sequence[Node]) -> str:
    """Return the walk from the root to each of these ends."""
    lines: list[str] = []
    before = [tree.root]
    for end in ends:
        way = _way(tree, end.id)
        shared = sum(a.id == b.id for a, b in zip(before, way, strict=False))
        if len(before) > 1:
            lines.append(f"{reason(before[-1])} {_back(tree, way[:shared])}")
        steps = added(tree, way) or []
        lines += filter(None, steps[shared - 1 :])
        before = way
    return "\n".join(lines)


def _back(tree: Tree, way: Sequence[Node]) -> str:
    """Return a sentence on where the walk goes on."""
    steps = added(tree, way) if way[-1].id != ROOT else None
    if not steps:
        return "I start again."
    last = next(step for step in reversed(steps) if step)
    return f"I go back to: {_quoted(last.splitlines()[-1])}"


def _quoted(text: str) -> str:
    line = text.strip().split("\n")[0]
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
