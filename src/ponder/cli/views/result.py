"""A run's result: the answer with its reasons, and the receipt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import RenderableType
from rich.table import Table

from ponder.cli.output import terminal
from ponder.cli.output.terminal import say, say_text, short, text
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Item, Receipt
from ponder.core.text.visible import visible_line
from ponder.runtime.result import Candidate, Result

_SHOWN = 5


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
    if outcome.calibrated and outcome.answer is not None:
        _show(text((visible_line(f"calibrated on {outcome.calibrated}"), "dim")))
    for decision in outcome.decided:
        _show(text((visible_line(decision), "dim")))
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
        if stopped == "done" and outcome.refusal is not None:
            said = short(outcome.refusal, 200)
            return f"the model refused to answer{f': {said}' if said else '.'}"
        return f"no sample came to an answer: {hints.get(stopped, f'raise --max-{stopped}')}."
    if outcome.confidence is None or chosen is None:
        why = "only one sample answered" if answered == 1 else "all answers are of one chain"
        return f"confidence unknown: {why}{without}"
    score = f", best score {chosen.score:.3f}" if chosen.score is not None else ""
    kind = " (calibrated)" if outcome.calibrated else ""
    return (
        f"confidence {outcome.confidence:.2f}{kind}: {chosen.votes} of {answered} answers agree"
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
        if label in _RARE and not _RARE[label](statement.total):
            continue
        drawn.add_row(label, *(figure(item) for item in items))
    terminal.show(drawn, err=err, elsewhere=None if err else terminal.WIDE)
    for note in statement.notes:
        terminal.show(text((note, "dim")), err=err, elsewhere=None if err else terminal.WIDE)
    if statement.overcharged:
        charged = text((visible_line(statement.overcharged), "bold"))
        terminal.show(charged, err=err, elsewhere=None if err else terminal.WIDE)


_RARE: dict[str, Callable[[Item], int]] = {
    "of them thinking": lambda i: i.reasoning_tokens,
    "of that estimated": lambda i: i.estimated_tokens,
}
"""Figures that are shown only if there are any."""
_FIGURES: dict[str, Callable[[Item], str]] = {
    "role": lambda i: visible_line(i.role),
    "model": lambda i: visible_line(i.model),
    "calls": lambda i: f"{i.calls:,}",
    "failed": lambda i: f"{i.failed:,}",
    "prompt tokens": lambda i: f"{i.prompt_tokens:,}",
    "of them cached": lambda i: f"{i.cached_tokens:,}",
    "completion tokens": lambda i: f"{i.completion_tokens:,}",
    "of them thinking": lambda i: f"{i.reasoning_tokens:,}",
    "of that estimated": lambda i: f"{i.estimated_tokens:,}",
    "wasted tokens": lambda i: f"{i.wasted_tokens:,}",
    "dollars": lambda i: f"{i.picousd / PICO:.6f}",
    "FLOPs": lambda i: f"{i.flops:.3g}",
    "seconds": lambda i: f"{i.seconds:.1f}",
}


def _show(drawn: RenderableType) -> None:
    terminal.show(drawn, elsewhere=terminal.WIDE)
