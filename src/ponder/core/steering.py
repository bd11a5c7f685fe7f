"""Steering: what a person, or a program, may do to a run while it thinks.

An action is taken at the next point where its search, or its strategy of whole chains, offers what
it has. It is recorded there as the result of the effect ``Steer``, so that a steered run is resumed
and replayed to the same end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from ponder.core.errors import UnknownName, UsageError
from ponder.core.trace import Trace

Kind = Literal["prune", "pin", "edit", "hint", "more", "accept", "pause", "resume"]
KINDS: tuple[Kind, ...] = get_args(Kind)
AT_A_NODE = ("prune", "pin", "edit", "accept")
"""The kinds that are about one node. ``more`` may be; the others are about the whole run."""
WITH_TEXT = ("edit", "hint")
MOST = 256
"""More branches than these are not added by one action."""


@dataclass(frozen=True, slots=True)
class Action:
    """One intervention.

    Raises:
        UnknownName: there is no action of that kind.
        UsageError: the node, text or count that it needs is missing, or does not belong to it.
    """

    kind: Kind
    """``prune`` gives a node up with all beneath it; ``pin`` keeps it whatever its score; ``edit``
    puts a trace with ``text`` in its place; ``hint`` is a remark that all later steps see; ``more``
    adds ``count`` branches at a node, or samples; ``accept`` makes it the answer; ``pause`` holds
    the run until ``resume``.
    """
    node: str = ""
    """The id of the node, as the tree shows it."""
    text: str = ""
    """The new text of an edited trace, or the hint."""
    count: int = 0
    """Number of branches or samples to add."""
    by: str = ""
    """Who did it."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownName("steering action", self.kind, KINDS)
        if self.kind in AT_A_NODE and not self.node:
            raise UsageError(f"{self.kind} needs a node: give its id as the tree shows it.")
        if self.node and self.kind not in (*AT_A_NODE, "more"):
            raise UsageError(f"{self.kind} is about the whole run: leave the node out.")
        if bool(self.text.strip()) != (self.kind in WITH_TEXT):
            needs = "needs a text" if self.kind in WITH_TEXT else "takes no text"
            raise UsageError(f"{self.kind} {needs}.")
        if self.kind == "more" and not 1 <= self.count <= MOST:
            raise UsageError(f"more needs a count from 1 to {MOST}, not {self.count}.")
        if self.kind != "more" and self.count:
            raise UsageError(f"{self.kind} takes no count.")


class Accepted(Exception):
    """A person accepted this trace as the run's answer."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.id)
        self.trace = trace


@dataclass(slots=True)
class Steering:
    """What actions have done to a run so far; all of its sessions share one."""

    hints: list[str] = field(default_factory=list)
    """Remarks that every later step sees."""
    pruned: set[str] = field(default_factory=set)
    """Ids of nodes that were given up, with all beneath them."""
    pinned: set[str] = field(default_factory=set)
    """Ids of nodes that no selection may drop."""
    more: dict[str, int] = field(default_factory=dict)
    """Branches to add, by node; samples to add under the id ''."""
    forks: dict[str, Trace] = field(default_factory=dict)
    """The edited trace, by the id of the one whose place it takes."""

    @property
    def active(self) -> bool:
        """True if some nodes are gone, edited, or to be branched."""
        return bool(self.pruned or self.forks or self.more)

    def granted(self, node: str = "") -> int:
        """Take the branches or samples that were added and not taken yet."""
        return self.more.pop(node, 0)

    def hinted(self, content: str) -> str:
        """A question with all hints behind it."""
        remarks = "\n".join(f"- {hint}" for hint in self.hints)
        return f"{content}\n\nHints to follow:\n{remarks}" if self.hints else content
