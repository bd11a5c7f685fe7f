"""The search tree: a pure fold of a run's events.

``apply(tree, event)`` does all of the work. A strategy reads the tree while it runs; the terminal,
the page, exports and training data read the same tree, folded from the recorded events.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ponder.core.problem import Problem
from ponder.core.record.events import (
    Dropped,
    Ended,
    Event,
    Expanded,
    Forked,
    Judged,
    Revised,
    SampleFinished,
    Scored,
    Steered,
    Visited,
)
from ponder.core.record.steering import Action
from ponder.core.trace import Score, Trace

ROOT = ""
"""Id of the root, whose trace is empty."""
TWIN = "says the same as another"
"""Reason for dropping a node with the same text as a sibling."""

Status = Literal["open", "expanded", "ended", "dropped"]


@dataclass(frozen=True, slots=True)
class Node:
    """One trace in the tree."""

    trace: Trace
    """The trace from its first token to the end of this step."""
    parent: str = ROOT
    """Id of the node that it continues or revises."""
    depth: int = 0
    """Number of ancestors."""
    children: tuple[str, ...] = ()
    """Ids of its children, in request order."""
    scores: tuple[Score, ...] = ()
    """All scores that it was given, in their order."""
    visits: int = 0
    """Number of values added here or below."""
    total: float = 0.0
    """Sum of these values."""
    dropped: bool = False
    """True if the search or a person dropped it."""
    why: str = ""
    """Reason for the last decision about it, for a person."""
    origin: str = ""
    """Id of the node that it replaces, if a person edited that one."""
    actions: tuple[Action, ...] = ()
    """Interventions at this node, and hints that its children were the first to see."""

    @property
    def id(self) -> str:
        """The trace's id: unique in a run."""
        return self.trace.id

    @property
    def done(self) -> bool:
        """True if the trace has ended."""
        return self.trace.done

    @property
    def status(self) -> Status:
        """Its state, in one word."""
        if self.dropped:
            return "dropped"
        if self.done:
            return "ended"
        return "expanded" if self.children else "open"

    @property
    def score(self) -> Score:
        """The last score with a value; else the last score; else an unnamed abstention."""
        valued = (score for score in reversed(self.scores) if score.value is not None)
        return next(valued, self.scores[-1] if self.scores else Score(None, ""))

    @property
    def value(self) -> float | None:
        """The last value in [0, 1] from a verifier; None if there is none."""
        return self.score.value

    @property
    def mean(self) -> float:
        """Mean of the values added here and below; 0 if there are none."""
        return self.total / self.visits if self.visits else 0.0

    @property
    def judged(self) -> tuple[Trace, Score]:
        """The trace and its score."""
        return self.trace, self.score


@dataclass(frozen=True, slots=True)
class Tree:
    """All nodes of a run by id. The root has the id ''."""

    nodes: Mapping[str, Node] = field(default_factory=dict)
    chosen: str | None = None
    """The id of the node that the answer came from, once the run has ended."""

    @classmethod
    def of(cls, problem: Problem) -> Tree:
        """Return a tree with only a root."""
        return cls({ROOT: Node(Trace.empty(problem))})

    @property
    def root(self) -> Node:
        """The node of the empty trace."""
        return self.nodes[ROOT]

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.nodes

    def __len__(self) -> int:
        return len(self.nodes)

    def children(self, node: Node) -> list[Node]:
        """Return the current children of a node."""
        return [self.nodes[name] for name in self.nodes[node.id].children]

    def above(self, name: str) -> Iterator[Node]:
        """Yield the nodes from the parent of ``name`` up to the root."""
        while name != ROOT:
            name = self.nodes[name].parent
            yield self.nodes[name]

    def below(self, name: str) -> Iterator[Node]:
        """Yield the node and all of its descendants, parents first."""
        waiting = [name]
        while waiting:
            node = self.nodes[waiting.pop()]
            yield node
            waiting.extend(reversed(node.children))

    @property
    def path(self) -> frozenset[str]:
        """Return the ids from the root to the chosen node; empty if no node was chosen."""
        if self.chosen is None or self.chosen not in self.nodes:
            return frozenset()
        return frozenset({self.chosen, *(node.id for node in self.above(self.chosen))})


def apply(tree: Tree, event: Event) -> Tree:
    """Return the tree after one event. Pure; an event about an unknown node changes nothing."""
    match event:
        case SampleFinished(trace=trace, role="generate"):
            return _added(tree, trace, trace.parent if trace.parent in tree else ROOT)
        case Forked(node=name, text=text, origin=origin) if origin in tree:
            fork = tree[origin].trace.forked(name, text)
            return _added(tree, fork, tree[origin].parent, origin)
        case Steered(action=action, at=at):
            names = (at or (ROOT,)) if action.kind == "hint" else filter(None, (action.node,))
            known = [tree[name] for name in names if name in tree]
            return _changed(tree, [replace(n, actions=(*n.actions, action)) for n in known])
        case Scored(traces=traces, scores=scores):
            return _scored(tree, zip((trace.id for trace in traces), scores, strict=True))
        case Judged(nodes=names, scores=scores):
            return _scored(tree, zip(names, scores, strict=True))
        case Expanded(node=name) if name in tree and tree[name].dropped:
            return _changed(tree, [replace(tree[name], dropped=False, why="")])
        case Dropped(nodes=names, why=why):
            known = [tree[name] for name in names if name in tree and name != ROOT]
            return _changed(tree, [replace(node, dropped=True, why=why) for node in known])
        case Visited(node=name, value=value) if name in tree:
            return _visited(tree, name, value)
        case Revised(node=name, of=earlier) if name != earlier and name in tree and earlier in tree:
            return _moved(tree, name, earlier)
        case Ended(chosen=chosen):
            return replace(tree, chosen=chosen)
    return tree


def fold(problem: Problem, events: Iterable[Event]) -> Tree:
    """Return the tree after all events of a run."""
    return functools.reduce(apply, events, Tree.of(problem))


def _changed(tree: Tree, nodes: Iterable[Node]) -> Tree:
    return replace(tree, nodes={**tree.nodes, **{node.id: node for node in nodes}})


def _added(tree: Tree, trace: Trace, parent: str, origin: str = "") -> Tree:
    if trace.id in tree:
        return tree
    above = tree[parent]
    above = replace(above, children=_with(tree, above.children, trace))
    return _changed(tree, [above, Node(trace, parent, above.depth + 1, origin=origin)])


def _with(tree: Tree, children: tuple[str, ...], trace: Trace) -> tuple[str, ...]:
    """Return the children with one more, in request order: the order of arrival is chance."""
    at = bisect.bisect(children, trace.order, key=lambda name: tree[name].trace.order)
    return (*children[:at], trace.id, *children[at:])


def _scored(tree: Tree, scores: Iterable[tuple[str, Score]]) -> Tree:
    changed: dict[str, Node] = {}
    for name, score in scores:
        if name in tree and name != ROOT:
            node = changed.get(name, tree[name])
            changed[name] = replace(node, scores=(*node.scores, score))
    return _changed(tree, changed.values())


def _visited(tree: Tree, name: str, value: float) -> Tree:
    seen = [tree[name], *tree.above(name)]
    counted = [replace(n, visits=n.visits + 1, total=n.total + value) for n in seen]
    return _changed(tree, counted)


def _moved(tree: Tree, name: str, earlier: str) -> Tree:
    """Return the tree with a revision moved beneath the node that it revises."""
    node, new = tree[name], tree[earlier]
    if node.parent == earlier or node.children:
        return tree
    old = tree[node.parent]
    old = replace(old, children=tuple(child for child in old.children if child != name))
    new = replace(new, children=_with(tree, new.children, node.trace))
    return _changed(tree, [old, new, replace(node, parent=earlier, depth=new.depth + 1)])
