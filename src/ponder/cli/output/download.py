"""The progress of a download, on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn

from ponder.cli.output.terminal import Words, console, progress, say
from ponder.models.fetch import Report


@contextmanager
def pull_progress(name: str) -> Iterator[Report]:
    """Show a bar on a terminal; elsewhere a line per stage and tenth. Both on stderr."""
    if not console(err=True).is_terminal:
        said: tuple[str, int] | None = None

        def line(stage: str, done: int, total: int) -> None:
            nonlocal said
            tenth = 10 * done // total if total else 0
            if said != (stage, tenth):
                said = (stage, tenth)
                say(f"{name}: {stage}{f', {10 * tenth}%' if total else ''}", err=True)

        yield line
        return
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with progress(Words("{task.description}"), *columns) as drawn:
        task = drawn.add_task(name, total=None)

        def bar(stage: str, done: int, total: int) -> None:
            text = f"{name}: {stage}"
            drawn.update(task, description=text, completed=done, total=total or None)

        yield bar
