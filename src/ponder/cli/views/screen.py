"""The live view's screen: a head, the frontier of the search, and the chains being written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import (
    Console,  # noqa: TID251 -- a type alone
    ConsoleOptions,
    Group,
    RenderableType,
    RenderResult,
)
from rich.text import Text  # noqa: TID251 -- a type alone: texts are made by the sink

from ponder.cli.output import terminal
from ponder.cli.views import frontier
from ponder.cli.views.chains import Chain, line
from ponder.core.record.search import Tree


@dataclass(frozen=True, slots=True)
class Screen:
    """A head, and below it as much of the search and its chains as the screen has lines for."""

    head: Sequence[RenderableType]
    """The lines above, from the top down."""
    tree: Tree | None
    """The search tree so far; None before the run has begun."""
    chains: Sequence[Chain]
    """The running chains, in the order in which they were requested."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        head = Group(*self.head)
        yield head
        used = len(console.render_lines(head, options, pad=False))
        room = max(0, console.height - used - 1)
        yield from body(self.tree, self.chains, options.max_width, room)


def body(tree: Tree | None, chains: Sequence[Chain], width: int, room: int) -> list[Text]:
    """Return at most ``room`` lines of at most ``width`` cells: the frontier, then the chains.

    The frontier may take half of them, and whatever the chains leave.
    """
    most = max(room // 2, room - len(chains))
    lines = [] if tree is None else frontier.rows(tree, width, most)
    left = room - len(lines)
    shown = chains if len(chains) <= left else chains[: max(0, left - 1)]
    lines += [line(chain, width) for chain in shown]
    if left and len(shown) < len(chains):
        lines.append(terminal.text((f"and {len(chains) - len(shown)} more", "dim")))
    return lines
