"""The events of a recorded run, rebuilt from its rows and its decisions.

Their ``fold`` is the search tree, also of a run that is still in progress or was interrupted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ponder.core.problem import Problem
from ponder.core.record.effects import Execute
from ponder.core.record.events import Decision, Event, SampleFinished, SampleLost, Scored
from ponder.core.record.search import Tree, fold
from ponder.core.trace import Score, Trace
from ponder.runtime.records import Row, unpack_ran, unpack_trace


def events(
    problem: Problem, rows: Iterable[Row], decisions: Iterable[tuple[int, Decision]]
) -> Iterator[Event]:
    """Yield the events of a run in their order.

    Each decision comes with the number of the row that it follows, counted from 1; 0 precedes all
    rows.
    """
    traces: dict[str, Trace] = {}
    waiting = deque(sorted(decisions, key=lambda pair: pair[0]))
    for row in rows:
        while waiting and waiting[0][0] <= row.seq:
            yield waiting.popleft()[1]
        event = _event(problem, row, traces)
        if event is not None:
            yield event
    yield from (decision for _, decision in waiting)


def _event(problem: Problem, row: Row, traces: dict[str, Trace]) -> Event | None:
    """Return the event of one row; ``traces`` are those of earlier rows, by id."""
    kind, role = row.effect["effect"], row.effect.get("role", "")
    if row.lost is not None:
        return SampleLost(row.path, row.lost, role) if kind == "generate" else None
    if kind == "generate":
        trace = traces[row.path] = unpack_trace(row.result, problem)
        return SampleFinished(row.path, trace, True, role)
    if kind == "execute":
        name = row.effect["trace"]
        effect = Execute(traces.get(name) or Trace(problem, id=name), role)
        trace = traces[row.path] = effect.concluded(row.path, unpack_ran(row.result))
        return SampleFinished(row.path, trace, True, role)
    if kind == "verify":
        judged = [traces.get(name) or Trace(problem, id=name) for name in row.effect["traces"]]
        scores = tuple(Score(**score) for score in row.result)
        return Scored(row.path, tuple(judged), scores)
    return None


def tree(problem: Problem, rows: Iterable[Row], decisions: Iterable[tuple[int, Decision]]) -> Tree:
    """Return the search tree of a recorded run."""
    return fold(problem, events(problem, rows, decisions))
