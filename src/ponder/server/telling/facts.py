"""Events as JSON, for readers that asked for them."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from ponder.core.record.events import (
    Event,
    Proposed,
    RunStarted,
    SampleFinished,
    Scored,
    Spent,
)
from ponder.core.trace import Trace

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def fact(event: Event) -> dict[str, Any]:
    """Return an event as JSON: its ``type`` and its fields; of traces their ids and answers, since
    their texts came with ``grew``.
    """
    name = _WORD.sub("_", type(event).__name__).lower()
    return {"type": name, **_fields(event)}


def _fields(event: Event) -> dict[str, Any]:
    match event:
        case RunStarted():
            budget = {k: v for k, v in asdict(event.budget).items() if v is not None}
            named = {"run": event.run, "strategy": event.strategy, "knobs": event.knobs}
            return {**named, "model": event.model, "budget": budget, "seed": event.seed}
        case SampleFinished(path=path, trace=trace, replayed=replayed, role=role):
            return {"path": path, "role": role, "replayed": replayed, **_trace(trace)}
        case Scored(path=path, traces=traces, scores=scores):
            pairs = zip(traces, scores, strict=True)
            told = [{"trace": trace.id, **asdict(score)} for trace, score in pairs]
            return {"path": path, "scores": told}
        case Proposed(trace=trace, score=score):
            return {**_trace(trace), "score": score}
        case Spent(item=item, total=total):
            return {"item": item.to_json(), "total": total.to_json()}
    return asdict(event)


def _trace(trace: Trace) -> dict[str, Any]:
    return {
        "trace": trace.id,
        "parent": trace.parent,
        "answer": trace.answer.text if trace.answer else None,
        "tokens": trace.tokens,
        "finish": trace.finish,
    }
