"""Output of ``ponder eval``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ponder.cli.output.tables import table
from ponder.cli.output.terminal import say, say_json, short, show
from ponder.experiments.evals.store import Outcome, Stored

if TYPE_CHECKING:
    from ponder.experiments.evals.figures import Comparison, Summary

_FIGURES = {"tokens": "{:,.0f}", "flops": "{:.2e}", "seconds": "{:.1f}", "usd": "{:.5f}"}
_WORDS = ("id", "name", "model", "suite", "created", "stopped by", "problem", "answer", "state")


def when(created: float) -> str:
    """Return a moment, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created))


def summaries(rows: Sequence[Summary], of: Sequence[Stored] = ()) -> None:
    """Print a line per configuration; with ``of``, also its suite and date."""
    models = {row.model for row in rows}
    shown = []
    for i, row in enumerate(rows):
        cells = {"id": row.id, "name": row.name}
        if of or len(models) > 1:
            cells["model"] = row.model
        if of:
            cells |= {"suite": of[i].suite, "created": when(of[i].created)}
        cells["problems"] = str(row.problems)
        if row.accuracy is not None:
            cells["accuracy"] = f"{row.accuracy:.4f}"
            cells["95 % interval"] = f"{row.low:.4f} to {row.high:.4f}"
        cells |= {
            unit: f.format(row.cost[unit]) for unit, f in _FIGURES.items() if unit in row.cost
        }
        counts = {"failed": row.failed, "refused": row.refused, "ungraded": row.ungraded}
        cells |= {name: str(count) for name, count in counts.items() if count}
        limits = {limit: n for limit, n in row.stopped_by.items() if limit != "done"}
        cells["stopped by"] = ", ".join(f"{limit} {n}" for limit, n in limits.items())
        shown.append(cells)
    _print(shown)


def differences(rows: Sequence[Summary], found: Sequence[Comparison]) -> None:
    """Print each configuration against the first."""
    for row, one in zip(rows[1:], found, strict=False):
        verdict = "" if one.decided else ": the data do not decide"
        names = f"{short(row.name)} - {short(rows[0].name)}"
        say(f"{names}: {_difference(one)}, McNemar's p = {one.p:.2g}{verdict}")


def comparison(found: Comparison, a: str, b: str) -> None:
    """Print two configurations, and the better one if that is decided."""
    say(f"A  {found.a}  {short(a)}: {found.accuracy_a:.4f}")
    say(f"B  {found.b}  {short(b)}: {found.accuracy_b:.4f}")
    say(f"B - A: {_difference(found)}, on {found.problems:,} problems")
    say(f"only A right: {found.only_a:,}, only B right: {found.only_b:,}; "
               f"McNemar's exact p = {found.p:.2g}")  # fmt: skip
    ratios = ", ".join(f"{ratio:.3g} times the {unit}" for unit, ratio in found.cost.items())
    if ratios:
        say(f"B takes {ratios}")
    say(found.verdict)


def problems(held: tuple[Stored, Sequence[Outcome]], row: Summary, *, as_json: bool) -> None:
    """Print one configuration: its settings, and its outcome on each problem."""
    one, outcomes = held
    if as_json:
        told = {**row.to_json(), "suite": one.suite, "created": when(one.created)}
        told |= {"resolved": one.resolved, "outcomes": [asdict(o) for o in outcomes]}
        say_json(told)
        return
    summaries([row], [one])
    _print([
        {
            "problem": o.problem_id,
            "answer": "" if o.answer is None else o.answer,
            "right": "" if o.correct is None else "yes" if o.correct else "no",
            "tokens": f"{o.tokens:,}",
            "seconds": f"{o.seconds:.1f}",
            "state": o.state if o.stopped_by in (None, "done") else f"{o.state}, {o.stopped_by}",
        }
        for o in outcomes
    ])  # fmt: skip


def _difference(found: Comparison) -> str:
    return f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def _print(rows: Sequence[Mapping[str, str]]) -> None:
    """Print a table of the columns that are not empty."""
    every = dict.fromkeys(name for row in rows for name in row)
    columns = [name for name in every if any(row.get(name) for row in rows)]
    shown = [{name: short(row.get(name, "")) for name in columns} for row in rows]
    drawn = table(shown, right=every.keys() - set(_WORDS), whole=("id",))
    show(drawn, elsewhere=200)  # a file is as wide as it needs to be
