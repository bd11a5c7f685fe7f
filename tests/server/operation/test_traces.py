"""Spans of requests, runs and samples, as an exporter in memory receives them."""

from __future__ import annotations

import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode

from ponder.core.errors import MissingExtra, ModelError
from ponder.server import serve
from ponder.server.operation.traces import Traces
from ponder.server.settings import Settings
from tests.support.serving import NUMBER, USER, Gate, answering, scripted, serving

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(spans: InMemorySpanExporter) -> Traces:
    return Traces(SimpleSpanProcessor(spans))


def sorted_out(
    spans: InMemorySpanExporter,
) -> tuple[ReadableSpan, ReadableSpan, list[ReadableSpan]]:
    """The request, the run, and the samples; each in the one before."""
    found = spans.get_finished_spans()
    [request] = [span for span in found if span.kind is SpanKind.SERVER]
    [run] = [span for span in found if span.kind is SpanKind.INTERNAL]
    samples = [span for span in found if span.kind is SpanKind.CLIENT]
    assert len(found) == 2 + len(samples)
    assert run.parent is not None
    assert run.parent.span_id == request.context.span_id
    for sample in samples:
        assert sample.parent is not None
        assert sample.parent.span_id == run.context.span_id
    return request, run, samples


def told(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_a_search_is_a_span_with_one_for_each_sample(
    traces: Traces, spans: InMemorySpanExporter
) -> None:
    async with serving(answering("so \\boxed{42}"), traces=traces) as server:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "abc"}
        done = await server.chat(NUMBER, reasoning_effort="low", extra_headers=headers)
    request, run, samples = sorted_out(spans)
    assert request.name == "POST /v1/chat/completions"
    assert format(request.context.trace_id, "032x") == TRACE
    assert request.parent is not None
    assert format(request.parent.span_id, "016x") == PARENT
    assert told(request)["http.response.status_code"] == 200
    assert told(request)["ponder.request.id"] == "abc"
    strategy, total = done.ponder["strategy"], done.ponder["receipt"]["total"]
    assert run.name == f"invoke_workflow {strategy}"
    assert told(run)["ponder.ended"] == "done"
    assert told(run)["ponder.tokens"] == done.usage.total_tokens
    assert len(samples) == total["calls"] > 1
    for sample in samples:
        facts = told(sample)
        assert sample.name == "chat scripted"
        assert facts["gen_ai.operation.name"] == "chat"
        assert facts["gen_ai.response.finish_reasons"] == ("stop",)
        assert facts["gen_ai.request.temperature"] == done.ponder["knobs"]["temperature"]
    for kind, figure in (
        ("input", total["prompt_tokens"]),
        ("output", done.usage.completion_tokens),
    ):
        assert sum(told(s)[f"gen_ai.usage.{kind}_tokens"] for s in samples) == figure  # type: ignore[misc]
    known = {v for n, v in vars(gen_ai_attributes).items() if n.startswith("GEN_AI_")}
    named = {name for span in (run, *samples) for name in told(span) if name.startswith("gen_ai.")}
    assert named <= known
    assert "six times seven" not in str([told(span) for span in (request, run, *samples)])
    assert "boxed" not in str([told(span) for span in samples])


async def test_samples_that_fail_or_are_cancelled_say_so(
    traces: Traces, spans: InMemorySpanExporter
) -> None:
    model = scripted(lambda request: ModelError("private"))
    async with serving(model, traces=traces) as server:
        await server.post(model="scripted", messages=USER)
    request, run, [sample] = sorted_out(spans)
    assert told(sample)["error.type"] == "failed"
    assert told(run)["error.type"] == "RunFailed"
    assert told(request)["error.type"] == "502"
    assert {span.status.status_code for span in (request, run, sample)} == {StatusCode.ERROR}
    assert not any(span.events for span in (request, run, sample)), "an error's text is content"


async def test_who_hangs_up_leaves_no_span_open(
    traces: Traces, spans: InMemorySpanExporter
) -> None:
    gate = Gate()
    async with serving(scripted(lambda request: "late", gate=gate), traces=traces) as server:
        stream = await server.chat(NUMBER, stream=True)
        await gate.reached()
        await stream.close()
        await gate.left()
    _, run, samples = sorted_out(spans)
    assert told(run)["ponder.ended"] == "interrupt"
    assert {told(sample)["error.type"] for sample in samples} == {"cancelled"}


def test_the_extra_is_named_where_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert serve._traces(Settings()) is None
    monkeypatch.delitem(sys.modules, "ponder.server.operation.traces")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtra, match=r"ponder\[otel\]"):
        serve._traces(Settings(traced=True))
