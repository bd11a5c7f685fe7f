"""A progress bar on stderr."""

from __future__ import annotations

import time

from rich.progress import BarColumn, TimeRemainingColumn

from ponder.cli.output.terminal import Words, console, progress, say


class Bar:
    """A progress bar on a terminal; elsewhere a line at every tenth of the way."""

    def __init__(self, what: str, quiet: bool) -> None:
        self._what, self._quiet = what, quiet
        self._watched = console(err=True).is_terminal and not quiet
        self._tenth, self._began = 0, time.monotonic()
        self._bar = progress(
            Words(what),
            BarColumn(),
            Words("{task.completed:,}/{task.total:,}"),
            TimeRemainingColumn(),
            Words("{task.fields[note]}"),
            shown=self._watched,
            transient=True,
        )
        self._task = self._bar.add_task(what, total=1, note="")

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, done: int, of: int, free: int = 0, note: str = "") -> None:
        """Show the progress; ``free`` of it was done before, and does not count for the speed."""
        if self._watched:
            self._bar.update(self._task, total=of, completed=done, note=note)
            return
        if self._quiet or not of or done * 10 // of <= self._tenth:
            return
        self._tenth = done * 10 // of
        passed = time.monotonic() - self._began
        left = passed / (done - free) * (of - done) if done > free else 0.0
        said = ", ".join(filter(None, [f"{done:,}/{of:,}", note, f"{left:,.0f} s left"]))
        say(f"{self._what}: {said}", err=True)


def spending(tokens: int, usd: float, *more: str) -> str:
    """Return the cost so far, as a bar's note."""
    dollars = f"${usd:.4f}" if usd else ""
    return ", ".join(filter(None, [f"{tokens:,} tokens", dollars, *more]))
