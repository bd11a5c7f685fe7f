"""Step labels from a search tree, whose chains are rollouts of the steps that they share.

The value of a step is the share of right chains among those that go through it: an estimate of the
probability that a chain from there ends well (Wang 2023, 'Math-Shepherd'). There a label is either
this share (soft) or True if any chain from there is right (hard). A row has both: ``values`` and
``labels``. Chains that the verifier abstained on count for nothing.

A search goes on with what looks good, so the chains below a step are no fair draw of the model: the
values say how the search's chains ended, and lean to the better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ponder.core.record.search import ROOT, Tree
from ponder.learning.rows.chains import Asked, Chain
from ponder.learning.rows.picking import Choice


@dataclass(frozen=True, slots=True)
class Stepped:
    """A chain in its steps."""

    chain: Chain
    steps: tuple[str, ...]
    values: tuple[float, ...]
    """One value per step."""
    prefixes: tuple[str, ...] = ()
    """The text up to the end of each step, without thinking."""

    @property
    def labels(self) -> list[bool]:
        """True for each step from which some chain was right."""
        return [value > 0 for value in self.values]


def stepped(asked: Asked, choice: Choice) -> Iterator[Stepped]:
    """Yield the chains of a run that have two steps or more, and a verdict."""
    tree = asked.tree
    if tree is None:
        return
    ended = {
        chain.origin.sample: chain
        for chain in asked.chains
        if choice.score(chain) is not None and chain.fit
    }
    values = _values(tree, ended, choice)
    for name, chain in ended.items():
        path = [tree[name], *tree.above(name)][-2::-1]  # from the root's child on
        before, steps, worth, texts = "", list[str](), list[float](), list[str]()
        for node in path:
            turn = node.trace.turn
            if not turn.startswith(before):
                break  # a revision or an edit: another text, no step
            added = turn[len(before) :].strip()
            if added:
                steps.append(added)
                worth.append(values[node.id])
                texts.append(node.trace.text)
            before = turn
        else:
            if len(steps) > 1:
                yield Stepped(chain, tuple(steps), tuple(worth), tuple(texts))


def _values(tree: Tree, ended: Mapping[str, Chain], choice: Choice) -> dict[str, float]:
    """Return the share of right chains below each node that has any."""
    right: dict[str, int] = {}
    total: dict[str, int] = {}
    for name, chain in ended.items():
        for node in (tree[name], *tree.above(name)):
            if node.id != ROOT:
                total[node.id] = total.get(node.id, 0) + 1
                right[node.id] = right.get(node.id, 0) + choice.right(chain)
    return {name: right[name] / count for name, count in total.items()}
