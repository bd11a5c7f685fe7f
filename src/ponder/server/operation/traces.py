"""Traces for OpenTelemetry, by its conventions for generative AI: request, run, and each sample.

They carry no content. The package is imported here alone, and this file only if traces are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ponder._version import __version__
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Item
from ponder.core.record.effects import GENERATE, PROGRAM
from ponder.core.record.events import (
    Event,
    SampleFinished,
    SampleLost,
    SampleStarted,
    Spent,
)
from ponder.planning.spec import Spec

PROVIDER = "ponder"
"""The provider's name: the models behind are named by each sample."""


class Traces:
    """Makes the spans of one application; nothing of it is global.

    ``processor`` is given the spans; by default they go to an OTLP collector, as the variables
    ``OTEL_*`` of the environment say.
    """

    def __init__(self, processor: SpanProcessor | None = None) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.version": __version__}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("ponder", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Callable[..., None]]:
        """Trace a request, within the trace that its client tells of. Yields a function that takes
        the endpoint, the status and the request's ID at its end.
        """
        parent = self._propagator.extract(headers)
        span = self._tracer.start_span(method, parent, SpanKind.SERVER)

        def told(endpoint: str, status: int, id: str) -> None:
            span.update_name(f"{method} {endpoint}")
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": endpoint,
                    "http.response.status_code": status,
                    "ponder.request.id": id,
                }
            )
            if status >= 500:
                _fail(span, str(status))

        with _current(span):
            yield told

    @contextmanager
    def run(self, spec: Spec) -> Iterator[RunSpan]:
        """Trace a run, within the current request if there is one."""
        span = self._tracer.start_span(
            f"invoke_workflow {spec.strategy}",
            attributes={
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.provider.name": PROVIDER,
                "gen_ai.workflow.name": spec.strategy,
                "gen_ai.request.model": spec.model,
                "gen_ai.request.seed": spec.seed,
            },
        )
        with _current(span):
            run = RunSpan(self._tracer.start_span, span, spec)
            try:
                yield run
            finally:
                run.end()


@contextmanager
def _current(span: Span) -> Iterator[None]:
    token = contexts.attach(set_span_in_context(span))
    try:
        yield
    except BaseException as error:
        _fail(span, type(error).__name__)
        raise
    finally:
        contexts.detach(token)
        span.end()


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


class RunSpan:
    """The span of a run, and those of its samples."""

    def __init__(self, start: Callable[..., Span], span: Span, spec: Spec) -> None:
        self._start, self._span, self._spec = start, span, spec
        self._within = set_span_in_context(span)
        self._open: dict[str, Span] = {}
        self._spent: Item | None = None
        self._last: Span | None = None
        """The sample whose cost is told next."""

    def hear(self, event: Event) -> None:
        """Follow an event of the run. What a sample has cost is told just before it is told to have
        finished, or just after it is told to be cancelled or lost.
        """
        last, self._last = self._last, None
        spent, self._spent = self._spent, None
        if isinstance(event, Spent) and last is None:
            self._spent = event.item
        elif isinstance(event, Spent) and last is not None:
            _usage(last, event.item)
        if last is not None:
            last.end()
        match event:
            case SampleStarted(path=path, role=role):
                self._open[path] = self._sample(role)
            case SampleFinished(path=path, trace=trace, replayed=replayed) if path in self._open:
                span = self._open.pop(path)
                span.set_attribute("gen_ai.response.finish_reasons", [trace.finish])
                self._cost(span, spent, waits=not replayed)
            case SampleLost(path=path, role=role, failed=failed) if path in self._open:
                span = self._open.pop(path)
                _fail(span, "failed" if failed else "cancelled")
                self._cost(span, None, waits=bool(role))

    def _cost(self, span: Span, spent: Item | None, *, waits: bool) -> None:
        if spent is None and waits:
            self._last = span
            return
        if spent is not None:
            _usage(span, spent)
        span.end()

    def _sample(self, role: str) -> Span:
        drawn = self._spec.sampling
        known: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": self._spec.model,
            "ponder.role": role,
        }
        if role in (GENERATE, PROGRAM):
            known["gen_ai.request.temperature"] = drawn.temperature
            known["gen_ai.request.top_p"] = drawn.top_p
            known["gen_ai.request.max_tokens"] = drawn.length
        return self._start(
            f"chat {self._spec.model}", self._within, SpanKind.CLIENT, attributes=known
        )

    def told(self, run: str, ended: str, total: Item) -> None:
        """Note how the run ended, and what it has cost: under names of our own, since sums over the
        samples would count it twice.
        """
        self._span.set_attributes(
            {
                "ponder.run": run,
                "ponder.ended": ended,
                "ponder.tokens": total.cost.tokens,
                "ponder.usd": total.picousd / PICO,
            }
        )

    def end(self) -> None:
        """End the spans of samples whose end was not told."""
        if self._last is not None:
            self._last.end()
        while self._open:
            self._open.popitem()[1].end()


def _usage(span: Span, item: Item) -> None:
    span.set_attributes(
        {
            "gen_ai.response.model": item.model,
            "gen_ai.usage.input_tokens": item.prompt_tokens,
            "gen_ai.usage.cache_read.input_tokens": item.cached_tokens,
            "gen_ai.usage.output_tokens": item.completion_tokens + item.wasted_tokens,
            "gen_ai.usage.reasoning.output_tokens": item.reasoning_tokens,
        }
    )
