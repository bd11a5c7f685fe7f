"""Output for a person: the live view, the answer with its receipt, tables of runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from ponder.cli import tables, terminal
from ponder.cli.chains import Chain, Screen
from ponder.cli.terminal import say, say_text, text
from ponder.core.budget import Budget
from ponder.core.cost import PICO
from ponder.core.events import (
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
from ponder.core.ledger import Item, Receipt
from ponder.core.visible import visible, visible_line
from ponder.runtime.records import Row
from ponder.runtime.result import Candidate, Result

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

    Below them it shows the traces as they are written.
    """

    def __init__(self) -> None:
        self._start: RunStarted | None = None
        self._began = time.monotonic()
        self._growing: dict[str, Chain] = {}
        self._finished = self._lost = 0
        self._vote: VoteChanged | None = None
        self._best: Proposed | None = None
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
        match event:
            case RunStarted():
                self._start, self._began = event, time.monotonic()
            case SampleStarted(path=path):
                self._growing[path] = Chain()
            case Grew(path=path, text=words, reasoning=reasoning, tokens=tokens):
                chain = self._growing.setdefault(path, Chain())
                chain.grow(visible(words), visible(reasoning), tokens)
            case SampleFinished(path=path):
                self._growing.pop(path, None)
                self._finished += 1
            case SampleLost(path=path):
                self._growing.pop(path, None)
                self._lost += 1
            case VoteChanged():
                self._vote = event
            case Proposed():
                self._best = event
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
        if self._vote and self._vote.tally:
            lines.append(_ballot(self._vote))
        return Screen(lines, running)


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


def result(outcome: Result, *, show_trace: bool, quiet: bool) -> None:
    """Print the answer, its confidence and reasons, and the receipt."""
    if show_trace and outcome.trace is not None:
        if thoughts := outcome.trace.reasoning.strip():
            terminal.show(text((thoughts + "\n", "dim")), elsewhere=terminal.WIDE)
        say_text(outcome.trace.text.strip() + "\n")
    if outcome.answer is not None:
        say_text(outcome.answer)
    elif quiet:
        say(f"ponder: {_sure(outcome)}", err=True)
    else:
        say("(no answer)")
    if quiet:
        if outcome.receipt.overcharged:
            say(f"ponder: {short(outcome.receipt.overcharged, 240)}", err=True)
        return
    say()
    _show(text((_sure(outcome), "dim")))
    _show(text((_ended(outcome), "dim")))
    if any(candidate.said for candidate in outcome.candidates):
        _show(_verdicts(outcome.candidates))
    receipt(outcome.receipt)


def _verdicts(candidates: Sequence[Candidate]) -> Table:
    """Return the verifiers' scores of the sample that stands for each answer."""
    drawn = Table(box=None, pad_edge=False, header_style="dim", style="dim")
    for column in ("answer", "votes", "verifier", "score", "says"):
        drawn.add_column(
            column,
            justify="right" if column in ("votes", "score") else "left",
            overflow="fold",
        )
    for candidate in candidates[:_SHOWN]:
        for i, said in enumerate(candidate.said):
            who = ("", "") if i else (short(candidate.answer or "none"), str(candidate.votes))
            value = "" if said.value is None else f"{said.value:.3f}"
            word = said.detail or ("" if said.verdict == "scored" else str(said.verdict))
            drawn.add_row(*map(text, (*who, short(said.verifier), value, short(word, 240))))
    if len(candidates) > _SHOWN:
        drawn.add_row(f"and {len(candidates) - _SHOWN} more")
    return drawn


def _sure(outcome: Result) -> str:
    answered = sum(c.votes for c in outcome.candidates)
    silent = outcome.silent
    without = f"; {silent} more without an answer, lost or cancelled" if silent else ""
    chosen = next((c for c in outcome.candidates if c.answer and c.answer == outcome.answer), None)
    if outcome.answer is None:
        hints = {
            "done": "try a longer --set length=..., or another --type",
            "interrupt": "it was interrupted too early",
            "accepted": "what was accepted has none",
            "usd": "raise --max-usd",
            "overcharged": "the endpoint charged more than it was allowed to",
        }
        stopped = outcome.stopped_by
        return f"no sample came to an answer: {hints.get(stopped, f'raise --max-{stopped}')}."
    if outcome.confidence is None or chosen is None:
        why = "only one sample answered" if answered == 1 else "all answers are of one chain"
        return f"confidence unknown: {why}{without}"
    score = f", best score {chosen.score:.3f}" if chosen.score is not None else ""
    return (
        f"confidence {outcome.confidence:.2f}: {chosen.votes} of {answered} answers agree"
        f"{score}{without}"
    )


def _ended(outcome: Result) -> str:
    ends = {
        "done": "finished",
        "interrupt": "interrupted: the best so far",
        "tokens": "stopped by the budget of tokens",
        "usd": "stopped by the budget of dollars",
        "flops": "stopped by the budget of FLOPs",
        "seconds": "stopped by the budget of seconds",
        "lost": "a request failed for good: the best so far",
        "accepted": "a person accepted this answer",
        "overcharged": "stopped, since more was charged than allowed: the best so far",
    }
    recorded = f"; run {outcome.run}" if outcome.run else ""
    ended = ends[outcome.stopped_by]
    if outcome.answer is None:
        ended = ended.removesuffix(": the best so far")
    return visible_line(f"{outcome.strategy} on {outcome.model}: {ended}{recorded}")


def receipt(statement: Receipt, *, err: bool = False) -> None:
    """Print an itemised receipt: a column per role and model, and their total."""
    items = statement.items if len(statement.items) == 1 else (*statement.items, statement.total)
    drawn = Table(box=None, pad_edge=False, show_header=False, style="dim")
    drawn.add_column()
    for _ in items:
        drawn.add_column(justify="right", overflow="fold")
    for label, figure in _FIGURES.items():
        if label == _THOUGHT and not statement.total.reasoning_tokens:
            continue
        drawn.add_row(label, *(figure(item) for item in items))
    terminal.show(drawn, err=err, elsewhere=None if err else terminal.WIDE)
    for note in statement.notes:
        terminal.show(text((note, "dim")), err=err, elsewhere=None if err else terminal.WIDE)
    if statement.overcharged:
        charged = text((visible_line(statement.overcharged), "bold"))
        terminal.show(charged, err=err, elsewhere=None if err else terminal.WIDE)


_THOUGHT = "of them thinking"
_FIGURES: dict[str, Callable[[Item], str]] = {
    "role": lambda i: visible_line(i.role),
    "model": lambda i: visible_line(i.model),
    "calls": lambda i: f"{i.calls:,}",
    "failed": lambda i: f"{i.failed:,}",
    "prompt tokens": lambda i: f"{i.prompt_tokens:,}",
    "of them cached": lambda i: f"{i.cached_tokens:,}",
    "completion tokens": lambda i: f"{i.completion_tokens:,}",
    _THOUGHT: lambda i: f"{i.reasoning_tokens:,}",
    "wasted tokens": lambda i: f"{i.wasted_tokens:,}",
    "dollars": lambda i: f"{i.picousd / PICO:.6f}",
    "FLOPs": lambda i: f"{i.flops:.3g}",
    "seconds": lambda i: f"{i.seconds:.1f}",
}


def _show(drawn: RenderableType) -> None:
    terminal.show(drawn, elsewhere=terminal.WIDE)


def table(rows: Sequence[dict[str, Any]]) -> None:
    """Print the list of runs."""
    shown = [
        {name: short("" if value is None else str(value)) for name, value in row.items()}
        for row in rows
    ]
    _show(tables.table(shown, whole=("run",)))


def run(summary: dict[str, Any], calls: Sequence[Row], outcome: dict[str, Any] | None) -> None:
    """Print one run: its request, each recorded call, and the result."""
    for name, value in summary.items():
        shown = "none" if value is None else str(value)
        if name not in _TEXTS:
            shown = visible_line(shown)
        _show(text((f"{name:<9} ", "dim"), shown))
    if calls:
        drawn = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("path", "effect", "tokens", "outcome"):
            drawn.add_column(column, overflow="fold")
        for call in calls:
            spent = (
                str(call.spent.completion_tokens + call.spent.wasted_tokens) if call.spent else ""
            )
            drawn.add_row(call.path, call.effect["effect"], spent, text(_outcome(call)))
        _show(drawn)
    if outcome is not None:
        total = outcome["receipt"]["total"]
        _show(
            f"stopped by {outcome['stopped_by']}, confidence {_value(outcome['confidence'])}, "
            f"{total['prompt_tokens']:,} prompt and {total['completion_tokens']:,} completion "
            "tokens"
        )


def _outcome(call: Row) -> str:
    if call.lost is not None:
        return visible_line(call.lost)
    if isinstance(call.result, dict):
        answer = call.result["answer"]
        ended = call.result["finish"] or "a step"
        return short(answer[0]) if answer else f"no answer ({ended})"
    if call.effect["effect"] == "steer":
        return "; ".join(short(action(one)) for one in call.result)
    return ", ".join(_value(score.get("value"), "abstains") for score in call.result)


def action(taken: Mapping[str, Any]) -> str:
    """Describe in a few words what a person did to a run."""
    words = [taken["kind"], taken["node"], str(taken["count"] or ""), taken["text"]]
    said = " ".join(filter(None, words))
    return f"{said} (by {taken['by']})" if taken["by"] else said


def _value(value: float | None, none: str = "unknown") -> str:
    return none if value is None else f"{value:.3f}"


def short(long: str, width: int = 60) -> str:
    """Return one line of a text, harmless to a terminal."""
    line = visible_line(" ".join(long.split()))
    return line if len(line) <= width else line[: width - 1] + "…"
