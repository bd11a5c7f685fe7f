"""A run's search tree for display: each node's text, score and end.

``picture`` makes it from the fold (``core.search``); the terminal, Mermaid and the page draw it.
Equal siblings are one branch with a number.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ponder.core.record.search import ROOT, TWIN, Node, Tree
from ponder.core.record.steering import Action
from ponder.core.trace import Score, Trace

NOTHING = "(nothing)"
"""Stands for a branch that added no text."""


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """A node, and all siblings that are equal to it."""

    node: Node
    """The node that stands for them: on the answer's path, or the first."""
    equals: tuple[Node, ...]
    """The others."""
    parent: int
    """Position of its parent among the branches; -1 for the root."""
    depth: int
    """Number of branches above it."""
    children: tuple[int, ...]
    """Positions among the branches."""
    added: str
    """Text added to its parent's; all of its text if it does not continue the parent's. As long as
    it has no text, its thinking.
    """
    continues: bool
    """True if its text begins with its parent's."""
    tokens: int
    """Completion tokens spent on the added text."""
    on_path: bool
    """True if the answer came from it or from beneath it."""
    chosen: bool
    """True if the answer came from it."""

    @property
    def count(self) -> int:
        """Number of nodes that it stands for."""
        return 1 + len(self.equals)

    @property
    def answer(self) -> str | None:
        """The answer that its text ends with."""
        return self.node.trace.answer.text if self.node.trace.answer else None

    @property
    def outcome(self) -> str:
        """Its end and the reason, in a few words; empty if it was continued."""
        if self.chosen:
            return "the answer" if self.answer is not None else "the best so far"
        if self.node.dropped:
            return self.node.why or "dropped"
        if self.node.done and self.answer is None and not self.children:
            truncated = self.node.trace.finish == "length"
            return "truncated" if truncated else "ended without an answer"
        return "not continued" if not (self.node.done or self.children) else ""

    @property
    def notes(self) -> tuple[str, ...]:
        """A person's actions on it, except dropping it, and hints that its children saw first."""
        return notes(self.node)

    @property
    def steered(self) -> bool:
        """True if a person edited it or acted on it."""
        return bool(self.node.origin or self.node.actions)

    @property
    def summary(self) -> tuple[str, ...]:
        """Everything known about it but its text, each in a few words."""
        parts = [f"x {self.count}"] if self.count > 1 else []
        parts += [f"{self.tokens:,} tokens"] if self.tokens else []
        parts += map(spoken, self.node.scores)
        if self.node.visits:
            parts.append(f"{counted(self.node.visits, 'visit')}, mean {self.node.mean:.3f}")
        parts += [f"= {self.answer}"] if self.answer is not None else []
        return (*parts, *self.notes, *filter(None, [self.outcome]))


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A tree to draw."""

    title: str
    """The question."""
    answer: str | None
    """The run's answer, if it has one yet."""
    branches: tuple[Branch, ...]
    """The root, and all others after their parents."""

    @property
    def nodes(self) -> int:
        """Number of nodes of the tree, without the root."""
        return sum(branch.count for branch in self.branches) - 1


def picture(tree: Tree, title: str, answer: str | None = None) -> Picture:
    """Return the tree for display."""
    path = tree.path
    places: list[tuple[Node, tuple[Node, ...], int]] = []
    children: list[list[int]] = []
    waiting: list[tuple[Node, tuple[Node, ...], int]] = [(tree.root, (), -1)]
    while waiting:
        node, equals, parent = waiting.pop()
        if parent >= 0:
            children[parent].append(len(places))
        here = len(places)
        places.append((node, equals, parent))
        children.append([])
        groups = _groups(tree.children(node), path)
        waiting += [(*group, here) for group in reversed(groups)]
    branches: list[Branch] = []
    for (node, equals, parent), below in zip(places, children, strict=True):
        above = branches[parent] if parent >= 0 else None
        branches.append(_branch(tree, node, equals, parent, tuple(below), above, path))
    return Picture(title, answer, tuple(branches))


def _branch(
    tree: Tree,
    node: Node,
    equals: tuple[Node, ...],
    parent: int,
    children: tuple[int, ...],
    above: Branch | None,
    path: frozenset[str],
) -> Branch:
    before = above.node.trace if above else tree.root.trace
    added, continues = addition(node.trace, before)
    return Branch(
        node,
        equals,
        parent,
        above.depth + 1 if above else 0,
        children,
        added,
        continues,
        node.trace.tokens - (before.tokens if continues else 0),
        node.id in path,
        node.id == tree.chosen and node.id != ROOT,
    )


def addition(trace: Trace, before: Trace) -> tuple[str, bool]:
    """Return the text added to an earlier trace, and True; all of it, and False, if it does not
    continue that one. Of a trace that is still thinking, it is its thinking.
    """
    thinks = bool(trace.reasoning) and not trace.text
    text, old = (trace.reasoning, before.reasoning) if thinks else (trace.text, before.text)
    start = next((s for s in (old, old.rstrip()) if text.startswith(s)), None)
    if start is None or trace.tokens < before.tokens:
        return text, False
    return text.removeprefix(start), True


def _groups(siblings: Sequence[Node], path: frozenset[str]) -> list[tuple[Node, tuple[Node, ...]]]:
    """Return groups of equal siblings, each with the node that stands for them."""
    groups: dict[object, list[Node]] = {}
    for node in siblings:
        alone = node.children or node.origin or any(a.kind != "hint" for a in node.actions)
        alike = node.id if alone else (node.trace.turn, node.status, node.why, node.actions)
        groups.setdefault(alike, []).append(node)
    first: dict[str, list[Node]] = {}
    for group in groups.values():
        if group[0].why != TWIN:
            first.setdefault(group[0].trace.turn, group)
    made = []
    for group in groups.values():
        original = first.get(group[0].trace.turn, group)
        if group[0].why == TWIN and not group[0].children and original is not group:
            original += group
        else:
            made.append(group)
    stands = [next((node for node in group if node.id in path), group[0]) for group in made]
    return [
        (stand, tuple(node for node in group if node is not stand))
        for stand, group in zip(stands, made, strict=True)
    ]


# Bounds -------------------------------------------------------------------------------------------


def leading(picture: Picture, most: int) -> frozenset[int]:
    """Return the positions of the root and of at most ``most`` other branches.

    Their ancestors are always among them. The answer's path comes first, then nodes that the
    search followed, then those that it dropped or that ended like a sibling; within these the most
    visited, the shallowest, the best.
    """
    chosen = {0}
    waiting: list[tuple[object, int]] = []

    def offer(parent: int) -> None:
        for place, again in _repeated(picture, picture.branches[parent].children):
            heapq.heappush(waiting, (_rank(picture.branches[place], again, place), place))

    offer(0)
    while waiting and len(chosen) <= most:
        place = heapq.heappop(waiting)[1]
        chosen.add(place)
        offer(place)
    return frozenset(chosen)


def _rank(branch: Branch, again: bool, place: int) -> tuple[object, ...]:
    node = branch.node
    value = -1.0 if node.value is None else node.value
    late = node.dropped or again
    return not branch.on_path, late, -node.visits, branch.depth, -value, place


def _repeated(picture: Picture, siblings: Iterable[int]) -> list[tuple[int, bool]]:
    """Return each position, and True if a sibling with the same answer stands for it."""
    ordered = sorted(siblings, key=lambda place: not picture.branches[place].on_path)
    seen: set[str] = set()
    repeated = []
    for place in ordered:
        branch = picture.branches[place]
        ended = branch.answer is not None and not branch.children
        repeated.append((place, ended and branch.answer in seen))
        if ended and branch.answer is not None:
            seen.add(branch.answer)
    return repeated


def rest(picture: Picture, parent: int, chosen: frozenset[int]) -> str:
    """Return the children that are not chosen, in a few words; '' if there are none."""
    left = [p for p in picture.branches[parent].children if p not in chosen]
    if not left:
        return ""
    reasons: Counter[str] = Counter()
    for place in left:
        branch = picture.branches[place]
        ended = f"ended with {branch.answer}" if branch.answer is not None else "continued"
        reasons[branch.outcome or ended] += branch.count
    siblings, all_below = reasons.total(), sum(_size(picture, place) for place in left)
    named = reasons.most_common(3)
    others = siblings - sum(count for _, count in named)
    listed = [reason if count == siblings else f"{count:,} {reason}" for reason, count in named]
    listed += [f"{others:,} for other reasons"] if others else []
    beneath = f" ({all_below:,} with all beneath)" if all_below > siblings else ""
    return f"and {siblings:,} more{beneath}: {', '.join(listed)}"


def _size(picture: Picture, place: int) -> int:
    waiting, size = [place], 0
    while waiting:
        branch = picture.branches[waiting.pop()]
        size += branch.count
        waiting += branch.children
    return size


# Words --------------------------------------------------------------------------------------------


def spoken(score: Score) -> str:
    """Return a score as a word or a number."""
    if score.verdict in ("pass", "fail", "error", "timeout"):
        return score.verdict if score.value is None else f"{score.verdict} {score.value:.2f}"
    return "abstains" if score.value is None else f"{score.value:.2f}"


def notes(node: Node) -> tuple[str, ...]:
    """Return a person's actions on a node, except dropping it, and hints."""
    edit = (f"edit of {node.origin}",) if node.origin else ()
    return edit + tuple(map(_done, filter(_shown, node.actions)))


def counted(number: int, noun: str) -> str:
    """Return a number and its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_PAST = {"pin": "pinned", "accept": "accepted", "more": "continued further"}


def _shown(action: Action) -> bool:
    return action.kind in _PAST or action.kind == "hint"


def _done(action: Action) -> str:
    by = f" by {action.by}" if action.by else ""
    return f"hint{by}: {action.text.strip()}" if action.kind == "hint" else _PAST[action.kind] + by
