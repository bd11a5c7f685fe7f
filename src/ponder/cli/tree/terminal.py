"""A run's tree in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult  # noqa: TID251 -- types alone
from rich.text import Text  # noqa: TID251 -- a type alone: texts are made by the sink

from ponder.cli.output import terminal
from ponder.cli.output.terminal import short
from ponder.cli.tree.picture import NOTHING, Branch, Picture, leading, rest, spoken
from ponder.core.record.search import Node

MOST = 100
"""Most branches that the terminal shows unless asked for all."""
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Column:
    """A column to the right of the tree."""

    name: str
    cell: Callable[[Branch], str]
    right: bool = True


@dataclass(frozen=True, slots=True)
class Drawing:
    """The tree as lines of text: the branches, with their details to the right."""

    picture: Picture
    most: int | None = MOST
    """Number of branches to show at most; None for all."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines, none of them wider than the console."""
        yield from self._lines(options.max_width)

    def _lines(self, width: int) -> Iterator[Text]:
        whole = self.picture.branches
        most = len(whole) if self.most is None else self.most
        chosen = leading(self.picture, most)
        lines = list(_outline(self.picture, chosen))
        seen = [line.branch for line in lines if line.branch]
        columns = [
            (column, min(longest, max(12, width // 4 if column.right else width * 3 // 10)))
            for column in _COLUMNS
            if (longest := max((cell_len(column.cell(b)) for b in seen), default=0))
        ]
        columns = [(c, max(n, len(c.name)) if c.right else n) for c, n in columns]
        most_left = max(24, width - sum(n + 2 for _, n in columns))
        left = min(most_left, max((line.longest(most_left) for line in lines), default=0))
        yield within(terminal.text((short(self.picture.title, width), "bold")), width)
        for note in whole[0].notes:
            yield within(terminal.text((short(note, width), "")), width)
        names = ["  " + fitted(column.name, room, column.right) for column, room in columns]
        if any(name.strip() for name in names):
            yield within(terminal.text((" " * left + "".join(names), "dim")), width)
        for line in lines:
            yield within(line.drawn(left, columns), width)
        yield within(terminal.text((_key(seen), "dim")), width)
        if left_out := len(whole) - len(chosen):
            said = f"{len(whole) - left_out - 1:,} of {len(whole) - 1:,} branches: --all prints all"
            yield within(terminal.text((said, "dim")), width)


@dataclass(frozen=True, slots=True)
class _Line:
    guides: str
    branch: Branch | None
    words: str = ""

    def longest(self, room: int) -> int:
        """Return the number of cells that it would take."""
        if self.branch is None:
            return 0
        words = cell_len(short(self.branch.added, room) or NOTHING)
        return len(self.guides) + 2 + words + len(_times(self.branch))

    def drawn(self, left: int, columns: Sequence[tuple[Column, int]]) -> Text:
        """Return the line, with the given number of cells for the tree."""
        room = max(9, left // 6 * 3)  # deeper than that, the outermost levels are left out
        guides = self.guides if len(self.guides) <= room else "…  " + self.guides[3 - room :]
        if self.branch is None:
            return terminal.text((guides + self.words, "dim"))
        branch, style = self.branch, _style(self.branch)
        times = _times(branch)
        words = left - len(guides) - 2 - len(times)
        said = fitted(short(branch.added, words) or NOTHING, words).rstrip()
        text = terminal.text((guides, "dim"), (f"{_mark(branch)} ", style), (said, style), times)
        text.append(" " * max(0, left - text.cell_len))
        for column, room in columns:
            look = shade(branch.node) if column.name == "score" else style
            text.append("  ")
            text.append(fitted(column.cell(branch), room, column.right), look)
        return text


def _times(branch: Branch) -> str:
    return f" x {branch.count}" if branch.count > 1 else ""


def _outline(picture: Picture, chosen: frozenset[int]) -> Iterator[_Line]:
    waiting: list[tuple[str, int, bool, str]] = []

    def add(place: int, guides: str) -> None:
        below = [child for child in picture.branches[place].children if child in chosen]
        left = rest(picture, place, chosen)
        ends = [False] * len(below)
        if left:
            waiting.append((guides, -1, True, left))
        elif ends:
            ends[-1] = True
        found = [(guides, child, end, "") for child, end in zip(below, ends, strict=True)]
        waiting.extend(reversed(found))

    add(0, "")
    while waiting:
        guides, place, end, words = waiting.pop()
        here = guides + ("└─ " if end else "├─ ")
        yield _Line(here, None if place < 0 else picture.branches[place], words)
        if place >= 0:
            add(place, guides + ("   " if end else "│  "))


def _mark(branch: Branch) -> str:
    if branch.chosen:
        return "★"
    if branch.on_path:
        return "●"
    return "✕" if branch.node.dropped else "○"


def _style(branch: Branch) -> str:
    if branch.on_path:
        return "bold"
    return "dim" if branch.node.dropped else ""


def shade(node: Node) -> str:
    """Return the style of a node's score."""
    value = node.value
    if value is None or node.dropped:
        return "dim"
    return "blue" if value >= 0.6 else "yellow" if value < 0.4 else ""


def _key(seen: Sequence[Branch]) -> str:
    marks = {_mark(branch) for branch in seen}
    names = {"★": "the answer", "●": "its path", "○": "other branches", "✕": "dropped"}
    return "  ".join(f"{mark} {name}" for mark, name in names.items() if mark in marks)


def scores(node: Node) -> str:
    """Return a node's last scores, and a bar."""
    words = [spoken(score) for score in node.scores]
    bar = "" if node.value is None else f" {_BARS[round(node.value * 7)]}"
    return " ".join(words[-3:]) + bar


def visits(node: Node) -> str:
    """Return the number of a node's visits and their mean; '' if there are none."""
    return f"{node.visits:,} × {node.mean:.2f}" if node.visits else ""


def _outcome(branch: Branch) -> str:
    answer = "" if branch.answer is None else f"= {short(branch.answer, 24)}"
    return " · ".join(short(w, 80) for w in (answer, *branch.notes, branch.outcome) if w)


_COLUMNS = (
    Column("node", lambda branch: branch.node.id),
    Column("score", lambda branch: scores(branch.node)),
    Column("visits×mean", lambda branch: visits(branch.node)),
    Column("tokens", lambda branch: f"{branch.tokens:,}" if branch.tokens else ""),
    Column("", _outcome, right=False),
)


def fitted(text: str, room: int, right: bool = False) -> str:
    """Return the text in exactly so many cells."""
    if cell_len(text) > room:
        return set_cell_size(text, max(0, room - 1)) + "…"
    space = " " * (room - cell_len(text))
    return space + text if right else text + space


def within(text: Text, width: int) -> Text:
    """Return the text on one line of at most so many cells; changes it."""
    text.rstrip()
    text.truncate(width, overflow="ellipsis")
    text.no_wrap = True
    return text
