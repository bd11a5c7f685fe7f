"""Figures for Prometheus: ``GET /metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Item
from ponder.core.record.effects import GENERATE, PROGRAM
from ponder.server.operation.gate import Gate

WHOLE = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
"""Bounds in seconds of the time that a request takes."""
FIRST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Bounds in seconds of the time to a response's first byte."""
KINDS: dict[str, Callable[[Item], int]] = {
    "prompt": attrgetter("prompt_tokens"),
    "cached": attrgetter("cached_tokens"),
    "completion": attrgetter("completion_tokens"),
    "wasted": attrgetter("wasted_tokens"),
    "reasoning": attrgetter("reasoning_tokens"),
}
"""Kinds of tokens; cached ones are a part of the prompt's, reasoning a part of the completion's."""


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self, gate: Gate) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests.", "endpoint", "status")
        self._seconds = self._histogram("request_seconds", "Time of requests.", WHOLE)
        self._first = self._histogram("first_byte_seconds", "Time to the first byte.", FIRST)
        self._hung_up = self._counter(
            "cancellations", "Requests whose client hung up before the end.", "endpoint"
        )
        self._runs = self._counter("runs", "Runs that ended.", "model", "strategy", "ended")
        self._tokens = self._counter("tokens", "Tokens of ended runs.", "model", "role", "kind")
        self._usd = self._counter("usd", "Dollars of ended runs.", "model", "role")
        self._saved = self._counter(
            "samples_saved", "Samples that runs could have drawn, and ended without.", "strategy"
        )
        going = Gauge("ponder_runs_in_progress", "Runs in progress.", registry=self._registry)
        going.set_function(lambda: gate.inside)
        waiting = Gauge("ponder_queue_length", "Runs that wait.", registry=self._registry)
        waiting.set_function(lambda: gate.waiting)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"ponder_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...]) -> Histogram:
        return Histogram(
            f"ponder_{name}", text, ("endpoint",), buckets=bounds, registry=self._registry
        )

    def asked(
        self, endpoint: str, status: int, seconds: float, first: float | None, *, hung_up: bool
    ) -> None:
        """Count a request; ``first`` are the seconds to its first byte, if it had one."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)
        if first is not None:
            self._first.labels(endpoint).observe(first)
        if hung_up:
            self._hung_up.labels(endpoint).inc()

    def ran(
        self,
        model: str,
        strategy: str,
        ended: str,
        items: Iterable[Item],
        saved: int,
    ) -> None:
        """Count a run, its costs, and the samples that it ended without."""
        self._runs.labels(model, strategy, ended).inc()
        self._saved.labels(strategy).inc(saved)
        for item in items:
            for kind, count in KINDS.items():
                self._tokens.labels(item.model, item.role, kind).inc(count(item))
            self._usd.labels(item.model, item.role).inc(item.picousd / PICO)

    def response(self) -> Response:
        """Return all figures."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


def saved(knobs: Mapping[str, Any], items: Iterable[Item]) -> int:
    """Return how many of the samples that were asked for a run has not drawn: ``n`` without its
    requests. Of strategies without ``n`` nothing is known.
    """
    asked = knobs.get("n")
    if type(asked) is not int:
        return 0
    return max(0, asked - sum(item.calls for item in items if item.role in (GENERATE, PROGRAM)))
