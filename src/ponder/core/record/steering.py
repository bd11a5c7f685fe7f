"""Steering: interventions of a person or a program in a run.

An action takes effect at the next point where the strategy offers its frontier or its traces. It is
recorded there as the result of the effect ``Steer``, so that a steered run is resumed and replayed
to the same end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from ponder.core.errors import UnknownName, UsageError
from ponder.core.trace import Trace

Kind = Literal["prune", "pin", "edit", "hint", "more", "accept", "pause", "resume"]
KINDS: tuple[Kind, ...] = get_args(Kind)
AT_A_NODE = ("prune", "pin", "edit", "accept")
"""The kinds that refer to one node. ``more`` may do so; the others refer to the whole run."""
WITH_TEXT = ("edit", "hint")
MOST = 256
"""Most branches that one action may add."""


@dataclass(frozen=True, slots=True)
class Action:
    """One intervention.

    Raises:
        UnknownName: there is no action of that kind.
        UsageError: the node, text or count that it needs is missing, or does not belong to it.
    """

    kind: Kind
    """``prune`` drops a node and its descendants; ``pin`` keeps it whatever its score; ``edit``
    replaces it by a trace with ``text``; ``hint`` is a remark shown to all later steps; ``more``
    adds ``count`` branches at a node, or samples; ``accept`` makes it the answer; ``pause`` holds
    the run until ``resume``.
    """
    node: str = ""
    """Id of the node, as the tree shows it."""
    text: str = ""
    """The new text of an edited trace, or the hint."""
    count: int = 0
    """Number of branches or samples to add."""
    by: str = ""
    """The person or program that acted."""

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
    """The effect of all actions on a run so far, shared by all of its sessions."""

    hints: list[str] = field(default_factory=list)
    """Remarks shown to every later step."""
    pruned: set[str] = field(default_factory=set)
    """Ids of pruned nodes; their descendants are pruned with them."""
    pinned: set[str] = field(default_factory=set)
    """Ids of nodes that no selection may drop."""
    more: dict[str, int] = field(default_factory=dict)
    """Branches to add, by node; samples to add under the id ''."""
    forks: dict[str, Trace] = field(default_factory=dict)
    """The edited trace, by the id of the one whose place it takes."""

    @property
    def active(self) -> bool:
        """True if any nodes are pruned, edited, or due to be branched."""
        return bool(self.pruned or self.forks or self.more)

    def granted(self, node: str = "") -> int:
        """Take the added branches or samples that were not taken yet, and return their number."""
        return self.more.pop(node, 0)

    def hinted(self, content: str) -> str:
        """Return a question with all hints appended."""
        remarks = "\n".join(f"- {hint}" for hint in self.hints)
        return f"{content}\n\nHints to follow:\n{remarks}" if self.hints else content
