"""The live view of a run."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import RenderableType
from rich.table import Table

from ponder.cli.output import terminal
from ponder.cli.output.terminal import short, text
from ponder.cli.views.chains import Chain
from ponder.cli.views.screen import Screen
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Item
from ponder.core.record.events import (
    Decided,
    Event,
    Grew,
    Proposed,
    RunStarted,
    SampleFinished,
    SampleLost,
    SampleStarted,
    Spent,
    VoteChanged,
)
from ponder.core.record.search import Tree, apply
from ponder.core.text.visible import visible, visible_line

_SHOWN = 5
_TEXTS = ("question", "answer")  # a run's fields of several lines


class Watcher(AbstractContextManager["Watcher"]):
    """Takes events and shows nothing."""

    def update(self, event: Event) -> None:
        """Take an event."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Stop showing."""


def watcher(quiet: bool) -> Watcher:
    """Return a live view if stderr is a terminal, else one that shows nothing."""
    return LiveView() if terminal.console(err=True).is_terminal and not quiet else Watcher()


class LiveView(Watcher):
    """Shows a run: samples, the best answer or the vote so far, tokens, speed, cost and the rest.

    Below them it shows the frontier of the search, read off its tree, and the chains as they are
    written.
    """

    def __init__(self) -> None:
        self._start: RunStarted | None = None
        self._began = time.monotonic()
        self._tree: Tree | None = None
        self._growing: dict[str, Chain] = {}
        self._finished = self._lost = 0
        self._vote: VoteChanged | None = None
        self._best: Proposed | None = None
        self._decided: Decided | None = None
        self._total = Item("total", "")
        self._live = terminal.live(self._draw)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._live.stop()

    def update(self, event: Event) -> None:
        """Take an event; drawing happens on its own clock."""
        if self._tree is not None:
            self._tree = apply(self._tree, event)
        match event:
            case RunStarted(problem=problem):
                self._start, self._began = event, time.monotonic()
                self._tree = Tree.of(problem)
            case SampleStarted(path=path):
                self._growing[path] = Chain()
            case Grew(path=path, text=words, reasoning=reasoning, tokens=tokens):
                chain = self._growing.setdefault(path, Chain())
                chain.grow(visible(words), visible(reasoning), tokens)
            case SampleFinished(path=path):
                self._finished += self._growing.pop(path, None) is not None  # else its output
            case SampleLost(path=path):
                self._growing.pop(path, None)
                self._lost += 1
            case VoteChanged():
                self._vote = event
            case Proposed():
                self._best = event
            case Decided():
                self._decided = event
            case Spent(total=total):
                self._total = total
            case _:
                pass

    def _draw(self) -> RenderableType:
        if self._start is None:
            return text()
        seconds = time.monotonic() - self._began
        running = [chain for chain in self._growing.values() if chain.running]
        tokens = self._total.cost.tokens + sum(chain.tokens for chain in running)
        generated = tokens - self._total.prompt_tokens
        waiting = len(self._growing) - len(running)
        lines: list[RenderableType] = [
            text(
                (f"{self._start.strategy}", "bold"),
                visible_line(f" on {self._start.model}   "),
                f"{seconds:.0f} s",
            ),
            text(
                f"samples {self._finished} done, {len(running)} running, {waiting} waiting"
                + (f", {self._lost} lost or cancelled" if self._lost else "")
            ),
            text(
                f"tokens {tokens:,}  {generated / seconds if seconds else 0:.0f}/s  "
                f"${self._total.picousd / PICO:.6f}"
                + _left(self._start.budget, self._total, tokens, seconds)
            ),
        ]
        if self._best and self._best.trace.answer:
            lines.append(text(f"best so far: {short(self._best.trace.answer.text)}"))
        if self._decided:
            lines.append(text(short(f"{self._decided.what}: {self._decided.why}", 240)))
        if self._vote and self._vote.tally:
            lines.append(_ballot(self._vote))
        return Screen(lines, self._tree, running)


def _left(budget: Budget, total: Item, tokens: int, seconds: float) -> str:
    left = []
    if budget.tokens is not None:
        left.append(f"{max(0, budget.tokens - tokens):,} tokens")
    if budget.usd is not None:
        left.append(f"${max(0.0, budget.usd - total.picousd / PICO):.4f}")
    if budget.flops is not None:
        left.append(f"{max(0.0, budget.flops - total.flops):.2g} FLOPs")
    if budget.seconds is not None:
        left.append(f"{max(0.0, budget.seconds - seconds):.0f} s")
    return f"  left: {', '.join(left)}" if left else ""


def _ballot(vote: VoteChanged) -> Table:
    table = Table.grid(padding=(0, 1))
    most = max(weight for _, weight in vote.tally) or 1.0
    for answer, weight in vote.tally[:_SHOWN]:
        bar = "█" * max(1, round(24 * weight / most))
        table.add_row(f"{weight:.3g}", text((bar, "green")), text(short(answer)))
    if len(vote.tally) > _SHOWN:
        table.add_row("", f"and {len(vote.tally) - _SHOWN} more answers", "")
    return table
