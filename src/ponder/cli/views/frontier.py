"""The frontier of a search, as the live view shows it: the leaves of its tree, a line for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from rich.cells import cell_len
from rich.text import Text  # noqa: TID251 -- a type alone: texts are made by the sink

from ponder.cli.output import terminal
from ponder.cli.output.terminal import short
from ponder.cli.tree.picture import NOTHING, addition, notes
from ponder.cli.tree.terminal import fitted, scores, shade, visits, within
from ponder.core.record.search import ROOT, TWIN, Node, Status, Tree

_COLUMNS: dict[str, Callable[[Node], str]] = {
    "node": lambda node: node.id,
    "depth": lambda node: str(node.depth),
    "score": scores,
    "visits×mean": visits,
}
_STATUSES: tuple[Status, ...] = ("open", "ended", "dropped")


def leaves(tree: Tree) -> list[Node]:
    """Return the nodes without children: the open before the ended before the dropped; within
    these the best, then the deepest.

    Empty if the run is no search: if it grows no chain by steps and counts no visits.
    """
    nodes = [node for node in tree.nodes.values() if node.id != ROOT]
    if all(node.done and not node.visits for node in nodes):
        return []
    found = [node for node in nodes if not node.children and node.why != TWIN]
    return sorted(found, key=_rank)


def _rank(node: Node) -> tuple[object, ...]:
    value = -1.0 if node.value is None else node.value
    return _STATUSES.index(node.status), -value, -node.depth, node.trace.order


def rows(tree: Tree, width: int, room: int) -> list[Text]:
    """Return the frontier in at most ``room`` lines of at most ``width`` cells, headings included.

    Empty if there is no frontier, or no room for a heading and a node.
    """
    found = leaves(tree)
    if not found or room < 2:
        return []
    fits = len(found) < room
    nodes = found if fits else found[: max(1, room - 2)]
    columns = [
        (name, cell, max(len(name), longest))
        for name, cell in _COLUMNS.items()
        if (longest := min(width // 4, max(cell_len(cell(node)) for node in nodes)))
    ]
    head = "  " + "  ".join(fitted(name, size, right=True) for name, _, size in columns)
    lines = [within(terminal.text((f"{head}  {_counted(found)}", "dim")), width)]
    for node in nodes:
        lines.append(within(_row(tree, node, columns, width), width))
    if not fits and room > 2:
        lines.append(within(terminal.text((f"and {_counted(found[len(nodes) :])}", "dim")), width))
    return lines


def _row(
    tree: Tree, node: Node, columns: list[tuple[str, Callable[[Node], str], int]], width: int
) -> Text:
    style = "dim" if node.dropped else ""
    line = terminal.text(("✕" if node.dropped else "○", style))
    for name, cell, size in columns:
        look = shade(node) if name == "score" else style
        line.append("  " if name != next(iter(_COLUMNS)) else " ")
        line.append(fitted(cell(node), size, right=True), look)
    outcome = _outcome(node)
    left = width - line.cell_len - 2
    words = fitted(outcome, min(cell_len(outcome), left // 2))
    room = left - cell_len(words) - 3 if words else left
    added, _ = addition(node.trace, tree[node.parent].trace)
    line.append("  ")
    said = short(added, max(1, room)) or NOTHING
    line.append(fitted(said, room).rstrip() if cell_len(said) > room else said, style)
    if words:
        line.append(f" · {words}", "dim")
    return line


def _outcome(node: Node) -> str:
    """Return a person's actions on it, and the reason why it was dropped, or its answer."""
    answer = node.trace.answer
    ends = f"= {short(answer.text, 24)}" if answer else ""
    last = (node.why or "dropped") if node.dropped else ends
    return " · ".join(short(words) for words in (*notes(node), last) if words)


def _counted(nodes: list[Node]) -> str:
    counts = Counter(node.status for node in nodes)
    return ", ".join(f"{counts[status]:,} {status}" for status in _STATUSES if counts[status])
