"""The traces being written, as the live view shows them: the end of each, in one line."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text  # noqa: TID251 -- a type alone: texts are made by the sink

from ponder.cli.output import terminal
from ponder.core.text.visible import visible_line

KEPT = 1024
"""Number of characters kept of a trace: more than the widest line has."""


@dataclass(slots=True)
class Chain:
    """A requested sample, and its text so far."""

    tokens: int = 0
    """Number of its tokens so far."""
    text: str = ""
    """The end of its text."""
    reasoning: str = ""
    """The end of its thinking, as long as it has no text."""
    running: bool = False
    """True if the model has started it."""

    def grow(self, text: str, reasoning: str, tokens: int) -> None:
        """Add new text; if the number of tokens falls, the sample starts anew."""
        if tokens < self.tokens:
            self.text = self.reasoning = ""
        self.text = (self.text + text)[-KEPT:]
        self.reasoning = (self.reasoning + reasoning)[-KEPT:]
        self.tokens, self.running = tokens, True


def line(chain: Chain, width: int) -> Text:
    """Return its number of tokens and the end of its text, in one line."""
    count = f"{chain.tokens:>6,}  "
    said = tail(chain.text or chain.reasoning, width - len(count))
    style = "" if chain.text else "dim italic"
    drawn = terminal.text((count, "cyan"), (said, style))
    drawn.no_wrap, drawn.overflow = True, "crop"
    return drawn


def tail(text: str, width: int) -> str:
    """Return the end of a text in one line of at most so many columns, harmless to a terminal."""
    line = visible_line(" ".join(text.split()))
    if cell_len(line) <= width:
        return line
    left, start = width - 1, len(line)
    while start and (left := left - cell_len(line[start - 1])) >= 0:
        start -= 1
    return f"…{line[start:]}"
