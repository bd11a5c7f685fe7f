"""Recorded runs: their list, and one run with its calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from ponder.cli.output import tables, terminal
from ponder.cli.output.terminal import short, text
from ponder.core.record.effects import PROGRAM
from ponder.core.text.visible import visible_line
from ponder.runtime.records import Row

_TEXTS = ("question", "answer")  # a run's fields of several lines


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
        if answer:
            return short(answer[0])
        if call.effect["effect"] == "execute":
            return f"no answer ({short(call.result['why'])})"
        if call.effect["role"] == PROGRAM:
            return "a program"
        return f"no answer ({call.result['finish'] or 'a step'})"
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


def _show(drawn: RenderableType) -> None:
    terminal.show(drawn, elsewhere=terminal.WIDE)
