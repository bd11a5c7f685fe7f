"""A recorded run as JSON: its plan, its result, its candidates and its search tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from ponder._version import __version__
from ponder.core.costs.ledger import Ledger
from ponder.core.errors import UsageError
from ponder.core.record.effects import GENERATE
from ponder.core.record.events import Event, RunStarted, SampleFinished, Scored
from ponder.core.record.search import ROOT, Node, Tree, fold
from ponder.core.trace import Score, Trace
from ponder.planning.spec import Spec
from ponder.runtime import history
from ponder.runtime.journal import Journal
from ponder.runtime.records import GOING_ON, RunRow
from ponder.runtime.result import candidates

STATES = ("running", "paused", "done", "interrupted", "incomplete", "failed", "cut_off")
"""States of a run. One that is ``cut_off`` was going on when its server died."""


def state(row: RunRow) -> str:
    """Return the state of a run, as one word."""
    return row.state.replace(" ", "_")


def spec(row: RunRow) -> Spec:
    """Return the plan of a run, whatever version recorded it."""
    return Spec.from_json({**row.spec, "version": __version__})


def summary(row: RunRow) -> dict[str, Any]:
    """Return a run without its samples. One whose plan cannot be read does not hide the others."""
    result, question = row.result or {}, None
    with suppress(UsageError):
        question = spec(row).problem.messages[-1].content
    return {
        "id": row.id,
        "object": "run",
        "created": int(row.created),
        "state": state(row),
        "model": row.spec.get("model"),
        "strategy": row.spec.get("strategy"),
        "question": question,
        "answer": result.get("answer"),
        "confidence": result.get("confidence"),
        "stopped_by": result.get("stopped_by"),
    }


def whole(journal: Journal, row: RunRow) -> dict[str, Any]:
    """Return a run with all that is recorded of it so far."""
    asked = spec(row)
    told = list(events(journal, row))
    ledger = Ledger()
    for call in journal.calls(row.id):
        if call.spent is not None:
            ledger.book(call.spent)
    result = row.result or {"receipt": ledger.receipt().to_json(), "candidates": _candidates(told)}
    return {
        **summary(row),
        "messages": [asdict(message) for message in asked.problem.messages],
        "answer_type": asked.problem.answer_type,
        "knobs": asked.shown_knobs,
        "verifier": asked.verifier or None,
        "budget": {unit: limit for unit, limit in asdict(asked.budget).items() if limit},
        "seed": asked.seed,
        "decided": result.get("decided", []),
        "receipt": result["receipt"],
        "candidates": result.get("candidates", []),
        "tree": tree(fold(asked.problem, told)),
    }


def events(journal: Journal, row: RunRow) -> Iterator[Event]:
    """Yield the recorded events of a run, from its start."""
    asked = spec(row)
    yield RunStarted(
        row.id, asked.strategy, asked.shown_knobs, asked.model, asked.budget, asked.seed,
        asked.problem,
    )  # fmt: skip
    yield from history.events(asked.problem, journal.calls(row.id), journal.decisions(row.id))


def going_on(row: RunRow) -> bool:
    """Return True if a run has not ended."""
    return row.state in GOING_ON


def _candidates(told: Sequence[Event]) -> list[dict[str, Any]]:
    traces: list[Trace] = []
    scores: dict[str, list[Score]] = {}
    for event in told:
        if isinstance(event, SampleFinished) and event.role == GENERATE:
            traces.append(event.trace)
        elif isinstance(event, Scored):
            for trace, score in zip(event.traces, event.scores, strict=True):
                scores.setdefault(trace.id, []).append(score)
    return [one.to_json() for one in candidates(traces, scores)]


def tree(found: Tree) -> dict[str, Any]:
    """Return a search tree: its nodes, parents first, and the id of the one that was chosen."""
    path = found.path
    nodes = [_node(found, node, on_path=node.id in path) for node in found.below(ROOT)]
    return {"chosen": found.chosen, "nodes": nodes}


def _node(found: Tree, node: Node, *, on_path: bool) -> dict[str, Any]:
    before = "" if node.id == ROOT else found[node.parent].trace.text
    text = node.trace.text
    continues = text.startswith(before)
    known: Mapping[str, Any] = {
        "id": node.id,
        "parent": None if node.id == ROOT else node.parent,
        "depth": node.depth,
        "children": list(node.children),
        "status": node.status,
        "why": node.why,
        "added": text[len(before) :] if continues else text,
        "continues": continues,
        "answer": node.trace.answer.text if node.trace.answer else None,
        "tokens": node.trace.tokens,
        "scores": [
            {"verifier": s.verifier, "score": s.value, "verdict": s.verdict, "detail": s.detail}
            for s in node.scores
        ],
        "visits": node.visits,
        "mean": node.mean,
        "on_path": on_path,
        "origin": node.origin or None,
        "actions": [asdict(action) for action in node.actions],
    }
    return dict(known)
