"""Replies of an endpoint that means no good, and what reads them, without a network.

``reply`` and ``stream`` take the bytes of a body and return what came of each sample that was asked
for. They are the entry points of a fuzz: whatever the bytes, an outcome is a ``Completion`` or a
``ModelError``, and ``check`` holds for it.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import strategies as st

from ponder.core.errors import ModelError
from ponder.core.problem import Message
from ponder.models.base import Completion, Request, silent
from ponder.models.http.callers import Caller
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.links import Link
from ponder.models.http.wire import Wire
from ponder.models.openai.chat import Chat
from ponder.models.sound import MOST_TOKENS

Outcome = Completion | ModelError
PLAIN = Request((Message("user", "What is 6 x 7?"),), max_tokens=20)
RICH = Request(PLAIN.messages, 20, stop=("\n",), logprobs=True, top_logprobs=2)
UNSTOPPED = Request(PLAIN.messages, 20, logprobs=True, top_logprobs=2)
"""For an API without stop strings."""
BOUND = 14 + 16 + 128


class Canned:
    """Stands in for a session of the HTTP client: every request gets these pieces of a body."""

    content_length = None

    def __init__(self, pieces: Sequence[bytes], status: int, headers: dict[str, str]) -> None:
        self.pieces, self.status, self.headers = pieces, status, headers
        self.content = self
        self._rest: Iterator[bytes] = iter(())
        self.taken = self.asked = 0

    @asynccontextmanager
    async def post(self, *arguments: Any, **options: Any) -> AsyncIterator[Canned]:
        self.asked += 1
        self._rest = iter(self.pieces)
        yield self

    async def iter_any(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.taken += len(piece)
            yield piece

    async def readany(self) -> bytes:
        for piece in self._rest:
            self.taken += len(piece)
            if piece:
                return piece
        return b""


async def _no_pause(seconds: float) -> None:
    """Nobody waits between attempts."""


async def _outcomes(
    canned: Canned,
    request: Request,
    samples: int,
    stream: bool,
    wire: Callable[[Endpoint], Wire] = Chat,
) -> list[Outcome]:
    endpoint = Endpoint(name="hostile", base_url="http://h/v1", model="m", stream=stream, retries=1)
    client = HttpModel(endpoint, wire, sleep=_no_pause)
    link = Link(canned, asyncio.Semaphore(1))  # type: ignore[arg-type]
    callers = [Caller(silent) for _ in range(samples)]
    outcomes = await client._run(link, request, callers)
    return [outcome for _, outcome in outcomes]


def reply(
    body: bytes | Canned,
    request: Request = RICH,
    *,
    samples: int = 1,
    status: int = 200,
    headers: dict[str, str] | None = None,
    wire: Callable[[Endpoint], Wire] = Chat,
) -> list[Outcome]:
    """What a body that is not streamed comes to, sample by sample."""
    canned = body if isinstance(body, Canned) else Canned([body], status, headers or {})
    return asyncio.run(_outcomes(canned, request, samples, False, wire))


def stream(
    pieces: Sequence[bytes] | Canned,
    request: Request = RICH,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    wire: Callable[[Endpoint], Wire] = Chat,
) -> Outcome:
    """What a stream that arrives in these pieces comes to."""
    canned = pieces if isinstance(pieces, Canned) else Canned(pieces, status, headers or {})
    [outcome] = asyncio.run(_outcomes(canned, request, 1, True, wire))
    return outcome


def check(outcome: Outcome, request: Request = RICH) -> None:
    """Assert what holds for every outcome, whatever was sent."""
    counts = [outcome.prompt_tokens, outcome.completion_tokens]
    if isinstance(outcome, Completion):
        counts += [outcome.cached_tokens, outcome.wasted_tokens, outcome.reasoning_tokens]
        assert outcome.cached_tokens <= outcome.prompt_tokens
        assert outcome.reasoning_tokens <= outcome.completion_tokens
        outcome.reasoning.encode()
        assert not outcome.blocks or isinstance(json.loads(outcome.blocks)["turn"], list)
        assert outcome.finish in ("stop", "length", "refusal", "error")
        assert outcome.stopped_at in (None, "", *request.stop)
        outcome.text.encode()
        assert len(outcome.text) <= 128 * request.max_tokens
        assert outcome.prompt_tokens + outcome.completion_tokens >= len(outcome.text) / 128
        values = list(outcome.logprobs or ())
        for place in outcome.top or ():
            assert len(place) <= request.top_logprobs
            values += place.values()
        assert all(math.isfinite(value) and value <= 0 for value in values)
        written = [outcome.text, outcome.logprobs, outcome.top and [dict(p) for p in outcome.top]]
        assert json.loads(json.dumps(written, allow_nan=False))[0] == outcome.text
    else:
        assert isinstance(outcome, ModelError)
        str(outcome).encode()
        assert len(str(outcome)) <= 400
    assert all(type(count) is int and 0 <= count <= MOST_TOKENS for count in counts)


# Inputs -------------------------------------------------------------------------------------------

NUMBERS: st.SearchStrategy[Any] = st.one_of(
    st.integers(-3, 50),
    st.sampled_from([-(10**400), 10**400, 2**53, 2**63, 40_000, 1.5, -0.5, 1e308, -1e308]),
    st.sampled_from([math.nan, math.inf, -math.inf, -9999.0, -3.4028235e38, 0.0, 1e-7, 148.0]),
)
TEXTS = st.one_of(
    st.sampled_from(["", "42", "stop", "length", "\n", "\ud83d", "\ude00", "\x1b[2J", " " * 5000]),
    st.text(max_size=8),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def fields(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of these fields; each, and the object itself, may be anything instead."""
    likely = {name: st.one_of(value, value, value, ANY) for name, value in known.items()}
    either = st.one_of(*[st.fixed_dictionaries({}, optional=likely)] * 4, ANY)

    @st.composite
    def objects(draw: st.DrawFn) -> Any:
        return draw(either)

    return objects()  # its repr is short, however deep they are nested


ALTERNATIVE = fields(token=TEXTS, logprob=NUMBERS)
TOKEN = fields(token=TEXTS, logprob=NUMBERS, top_logprobs=st.lists(ALTERNATIVE, max_size=4))
LOGPROBS = fields(content=st.lists(TOKEN, max_size=4))
PIECES = st.lists(fields(type=TEXTS, text=TEXTS, thinking=TEXTS), max_size=3)
SAID = {
    "content": st.one_of(TEXTS, TEXTS, PIECES),
    "reasoning_content": TEXTS,
    "reasoning": TEXTS,
    "reasoning_details": PIECES,
    "refusal": st.one_of(st.none(), TEXTS),
    "tool_calls": ANY,
}
PART = {"index": NUMBERS, "finish_reason": TEXTS, "logprobs": LOGPROBS, "stop_reason": TEXTS}
CHOICE = fields(message=fields(**SAID), **PART)
DELTA = fields(delta=fields(**SAID), **PART)
USAGE = fields(
    prompt_tokens=NUMBERS,
    completion_tokens=NUMBERS,
    total_tokens=NUMBERS,
    prompt_tokens_details=fields(cached_tokens=NUMBERS),
    completion_tokens_details=fields(reasoning_tokens=NUMBERS),
)
ERROR = fields(message=TEXTS, code=NUMBERS, detail=ANY)
REST = {"usage": USAGE, "timings": fields(predicted_n=NUMBERS)}
REPLY = st.one_of(
    fields(choices=st.lists(CHOICE, max_size=3), **REST),
    fields(choices=st.lists(CHOICE, max_size=3), error=ERROR, **REST),
)
CHUNK = st.one_of(
    fields(choices=st.lists(DELTA, max_size=2), **REST),
    fields(choices=st.lists(DELTA, max_size=2), error=ERROR, **REST),
)


WORDS = st.sampled_from(["message", "reasoning", "output_text", "refusal", "summary_text"])
PIECE = fields(type=WORDS, text=TEXTS, refusal=TEXTS, logprobs=st.lists(TOKEN, max_size=3))
ITEM = fields(
    type=WORDS,
    phase=st.sampled_from(["commentary", "final_answer"]),
    content=st.lists(PIECE, max_size=3),
    summary=st.lists(PIECE, max_size=3),
    encrypted_content=TEXTS,
)
RESPONSE = fields(
    status=st.sampled_from(["completed", "incomplete", "failed", "cancelled", "in_progress"]),
    incomplete_details=fields(reason=TEXTS),
    error=st.one_of(st.none(), ERROR),
    output=st.lists(ITEM, max_size=3),
    usage=fields(
        input_tokens=NUMBERS,
        output_tokens=NUMBERS,
        total_tokens=NUMBERS,
        input_tokens_details=fields(cached_tokens=NUMBERS),
        output_tokens_details=fields(reasoning_tokens=NUMBERS),
    ),
)
STEPS = [
    f"response.{name}"
    for name in (
        "created", "output_item.added", "output_text.delta", "refusal.delta", "completed",
        "reasoning_summary_text.delta", "reasoning_text.delta", "incomplete", "failed",
    )
]  # fmt: skip
EVENT = fields(
    type=st.sampled_from([*STEPS, "error"]),
    sequence_number=NUMBERS,
    output_index=NUMBERS,
    summary_index=NUMBERS,
    delta=TEXTS,
    item=ITEM,
    response=RESPONSE,
    message=TEXTS,
    logprobs=st.lists(TOKEN, max_size=3),
)


@st.composite
def mutated(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """A body with a few bytes replaced, taken out or put in."""
    body = bytearray(draw(bodies))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


BODIES = st.one_of(*[REPLY.map(lambda value: json.dumps(value).encode())] * 3)
REPLIES = st.one_of(BODIES, BODIES, mutated(BODIES), st.binary(max_size=50))
LINES = st.one_of(
    CHUNK.map(lambda value: b"data: " + json.dumps(value).encode()),
    st.sampled_from([b"data: [DONE]", b": ping", b"", b"data:", b"event: x", b"\xef\xbb\xbf"]),
)


RESPONSES = st.one_of(*[RESPONSE.map(lambda value: json.dumps(value).encode())] * 3)
EVENTS = st.one_of(EVENT.map(lambda value: b"data: " + json.dumps(value).encode()), LINES)


@st.composite
def streams(draw: st.DrawFn, lines: st.SearchStrategy[bytes] = LINES) -> list[bytes]:
    """Events in pieces of any size."""
    end = draw(st.sampled_from([b"\n\n", b"\r\n\r\n", b"\n", b"\r"]))
    body = b"".join(line + end for line in draw(st.lists(lines, max_size=6)))
    if draw(st.booleans()):
        body = draw(mutated(st.just(body)))
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=6)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
