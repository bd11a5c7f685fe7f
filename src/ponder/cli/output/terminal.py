"""The only way to the terminal: all output of commands goes through here, and comes out visible.

Questions, replies, names in files, paths and error texts are foreign. They reach stdout or stderr
only as ``ponder.core.text.visible`` shows them, on a terminal or in a pipe; a program that wants
the exact text reads ``--json``. Styles are Ponder's own. Ruff bans every other way
(``banned-api`` in pyproject.toml).
"""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress import Progress, ProgressColumn, Task, TextColumn
from rich.segment import Segment
from rich.text import Text

from ponder.core.text.visible import visible, visible_line

# Lines --------------------------------------------------------------------------------------------


def say(line: str = "", *, err: bool = False, end: str = "\n", bold: bool = False) -> None:
    """Print one line; newlines within it are shown escaped."""
    shown = visible_line(line)
    click.echo((click.style(shown, bold=True) if bold else shown) + end, nl=False, err=err)


def say_text(text: str, *, err: bool = False) -> None:
    """Print a text of any number of lines."""
    click.echo(visible(text), err=err)


def say_json(value: object, *, indent: int | None = None) -> None:
    """Print a value as JSON, in which everything but printable ASCII is escaped."""
    click.echo(json.dumps(value, indent=indent).replace("\x7f", r"\u007f"))


def confirm(question: str) -> None:
    """Ask on stderr for a yes.

    Raises:
        click.Abort: the answer is not yes.
    """
    click.confirm(visible_line(question), abort=True, err=True)


# What rich draws ----------------------------------------------------------------------------------


class VisibleConsole(Console):
    """A console that draws foreign text as text: nothing in it is markup, emoji or control."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **how: Any) -> Text:
        """Turn a string into a text, before it is measured."""
        return super().render_str(visible(text), **how)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, and remove all control characters that rich did not make itself."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)


WIDE = 160
"""Characters of a line where there is no terminal to fold it, as in a pipe."""


def console(*, err: bool = False, elsewhere: int | None = None) -> VisibleConsole:
    """Return a console on stdout, or on stderr; without a terminal it is ``elsewhere`` wide."""
    stream = sys.stderr if err else sys.stdout
    width = None if stream is not None and stream.isatty() else elsewhere
    return VisibleConsole(stderr=err, width=width)


def show(drawn: RenderableType, *, err: bool = False, elsewhere: int | None = None) -> None:
    """Print anything that rich can draw."""
    console(err=err, elsewhere=elsewhere).print(drawn)


def text(*parts: str | tuple[str, str]) -> Text:
    """Return a text of strings, each alone or with its style."""
    plain = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((visible(words), style) for words, style in plain))


def short(long: str, width: int = 60) -> str:
    """Return one line of a text, harmless to a terminal."""
    line = visible_line(" ".join(long.split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def live(draw: Callable[[], RenderableType]) -> Live:
    """Return a view on stderr that redraws itself and is removed at the end."""
    return Live(
        console=console(err=True), transient=True, refresh_per_second=8, get_renderable=draw
    )


class Words(TextColumn):
    """A column of a progress bar that shows text, such as '{task.description}'."""

    def render(self, task: Task) -> Text:
        """Render the template's text for the task, on one line."""
        return text(visible_line(self.text_format.format(task=task)))


def progress(*columns: ProgressColumn, shown: bool = True, transient: bool = False) -> Progress:
    """Return a progress bar on stderr."""
    return Progress(*columns, console=console(err=True), disable=not shown, transient=transient)


# What Python and libraries print ------------------------------------------------------------------


def prepare() -> None:
    """Make Python's own output visible: warnings, log lines and tracebacks.

    Characters missing in the terminal's encoding are escaped, too, instead of ending the command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.formatwarning = _warning
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Formatter())
    sys.excepthook = _crash


class _Formatter(logging.Formatter):
    """Formats log lines, with their traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    return visible_line(f"ponder: {category.__name__}: {message}") + "\n"


def _crash(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    say_text("".join(traceback.format_exception(kind, error, where)).rstrip("\n"), err=True)
