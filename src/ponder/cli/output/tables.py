"""Tables for a terminal: wide cells are folded, so that nothing is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rich.table import Table

from ponder.cli.output.terminal import text
from ponder.core.text.visible import visible_line


def table(
    rows: Sequence[Mapping[str, str]], *, right: Collection[str] = (), whole: Collection[str] = ()
) -> Table:
    """Return a table with a line per row, its cells by column.

    Columns in ``right`` are right-aligned. Those in ``whole`` are not folded, since their cells
    are copied into other commands.
    """
    drawn = Table(box=None, pad_edge=False, header_style="dim")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns:
        drawn.add_column(
            name,
            justify="right" if name in right else "left",
            overflow="fold",
            no_wrap=name in whole,
        )
    for row in rows:
        drawn.add_row(*(text(visible_line(row.get(name, ""))) for name in columns))
    return drawn
