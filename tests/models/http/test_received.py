"""How much of a reply is read, unpacked and kept, against a real server and without one."""

from __future__ import annotations

import dataclasses
import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ponder.core.errors import MalformedReply, ModelError, RequestRefused
from ponder.models.base import Completion, Request
from ponder.models.http import received
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.received import ERROR, FIXED, PIECE, Malformed, Unpacker, most_bytes
from ponder.models.openai.client import OpenAICompat
from tests.support.hostile_replies import BOUND, PLAIN, RICH, Canned, check, reply, stream
from tests.support.loopback import Loopback, Step, answer, choice, delta, sse, usage

MIB = 1 << 20
KEY = "sk-very-secret-key"


def events(*values: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "samples", "streamed", "limit"),
    [
        ({}, 1, False, MIB + 20 * 64),
        ({}, 128, False, MIB + 128 * 20 * 64),
        ({"max_tokens": 4096}, 1, False, MIB + 4096 * 64),
        ({}, 1, True, MIB + 20 * (64 + 1024)),
        ({"logprobs": True}, 1, False, MIB + 20 * (64 + 2 * 256)),
        ({"top_logprobs": 20}, 1, True, MIB + 20 * (64 + 1024 + 21 * 256)),
    ],
)
def test_the_limit_follows_from_what_was_asked_for(
    changes: Any, samples: int, streamed: bool, limit: int
) -> None:
    request = dataclasses.replace(PLAIN, **changes)
    assert most_bytes(request, samples, streamed=streamed) == limit


def test_the_limit_has_room_for_what_honest_servers_send() -> None:
    """Twenty alternatives per token, with bytes and numbers, as llama.cpp sends them."""
    row = {"id": 151643, "token": "\u00e9" * 4, "bytes": [195, 169] * 4, "logprob": -12.345678901}
    rows = [{**row, "top_logprobs": [row] * 20}] * 512
    said = choice("word " * 512, logprobs={"content": rows})
    body = json.dumps({"choices": [said], "usage": usage(10, 512)}).encode()
    asked = dataclasses.replace(PLAIN, max_tokens=512, logprobs=True, top_logprobs=20)
    [outcome] = reply(body, asked)
    assert isinstance(outcome, Completion)
    assert len(body) < most_bytes(asked, 1, streamed=False)
    assert outcome.logprobs == (-12.345678901,) * 512


# -- compression -----------------------------------------------------------------------------------

TEXT = random.Random(0).randbytes(50_000) + bytes(200_000)


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "x-gzip": gzip.compress(TEXT[:7], mtime=0) + gzip.compress(TEXT[7:], mtime=0),
    "deflate": zlib.compress(TEXT),
    "Deflate ": raw(TEXT),
    "identity": TEXT,
    "": TEXT,
}


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize("encoding", PACKED)
def test_what_is_packed_is_unpacked_in_any_pieces(encoding: str, size: int) -> None:
    data = PACKED[encoding]
    unpacker = Unpacker(encoding)
    found: list[bytes] = []
    for start in range(0, len(data), size):
        found += unpacker.feed(data[start : start + size])
    assert b"".join(found) == TEXT
    if encoding not in ("identity", ""):
        assert max(map(len, found)) <= PIECE


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "\x1b[2J"])
def test_what_was_not_asked_for_is_not_unpacked(encoding: str) -> None:
    with pytest.raises(Malformed, match="it is compressed as"):
        Unpacker(encoding)
    [outcome] = reply(answer().body, headers={"Content-Encoding": encoding})
    assert type(outcome) is MalformedReply
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (BOUND, 20)


@pytest.mark.parametrize("data", [b"not packed", PACKED["gzip"][:50] + b"xxx", b"\x1f\x8b\x08" * 9])
def test_what_cannot_be_unpacked_is_a_lost_sample(data: bytes) -> None:
    for encoding in ("gzip", "deflate"):
        for outcome in (
            *reply(data, headers={"Content-Encoding": encoding}),
            stream([data], headers={"Content-Encoding": encoding}),
        ):
            assert type(outcome) is MalformedReply


def bomb(size: int = 300 * MIB) -> bytes:
    """After a full flush equal input packs equally, so one piece is packed and repeated. The
    checksum at the end is wrong, which nobody may come to read.
    """
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(b'{"choices": "') + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(b" " * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + piece * (size // MIB) + packer.flush()


BOMB = bomb()


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_bomb_is_not_unpacked(streamed: bool) -> None:
    assert len(BOMB) < 400_000
    step = Step(headers=(("Content-Encoding", "gzip"),), body=BOMB)
    async with Loopback(step) as server:
        client = OpenAICompat(
            Endpoint(name="test", base_url=server.url, model="m", stream=streamed)
        )
        with memory_below(16 * MIB), pytest.raises(MalformedReply) as caught:
            await client.generate(PLAIN)
        await client.close()
        assert len(server.requests) == 1
        assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"
    assert "bytes" in str(caught.value)
    spent = caught.value.prompt_tokens, caught.value.completion_tokens
    assert spent == (BOUND, 20)  # a whole reply, even where a stream was asked for


async def test_a_packed_reply_of_a_real_server_is_read() -> None:
    step = Step(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(answer().body))
    async with Loopback(step) as server:
        client = OpenAICompat(Endpoint(name="test", base_url=server.url, model="m"))
        assert (await client.generate(PLAIN)).text == "42"
        await client.close()


# -- replies without an end ------------------------------------------------------------------------


def endless(piece: bytes, size: int = 64 * MIB, *, head: bytes = b"", status: int = 200) -> Canned:
    return Canned(_Repeated(head, piece, size // len(piece)), status, {})


class _Repeated(list[bytes]):
    """One piece so many times, without the memory of a list."""

    def __init__(self, head: bytes, piece: bytes, count: int) -> None:
        super().__init__()
        self.head, self.piece, self.times = head, piece, count

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        for _ in range(self.times):
            yield self.piece


@pytest.mark.parametrize(
    "piece",
    [b" " * 65536, b"[" * 65536, b'{"a": ' * 9999, b'"x"' * 9999, b"\x00" * 65536],
    ids=["blanks", "lists", "objects", "texts", "zeros"],
)
def test_an_endless_reply_is_left_at_the_limit(piece: bytes) -> None:
    canned = endless(piece)
    with memory_below(8 * MIB):
        [outcome] = reply(canned, PLAIN)
    assert type(outcome) is MalformedReply
    assert "has more than 1,049,856 bytes" in str(outcome)
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (BOUND, 20)
    assert canned.taken <= FIXED + 20 * 64 + len(piece)


ENDLESS = {
    "one line": b"x" * 65536,
    "one event": b"data: " + b"x" * 65530,
    "keep-alives": b": ping\n\n" * 8192,
    "empty lines": b"\n" * 65536,
    "carriage returns": b"\r" * 65536,
    "nothing said": events({"choices": []}) * 3000,
    "pings with counts of 0": events({"choices": [], "timings": {"predicted_n": 0}}) * 1500,
    "other fields": b"event: x\nid: 7\nretry: 1\n" * 3000,
}


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that even single bytes reach soon."""
    monkeypatch.setattr(received, "FIXED", MIB >> 3)


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize("kind", ENDLESS)
def test_an_endless_stream_without_a_sample_is_lost_at_the_limit(kind: str) -> None:
    canned = endless(ENDLESS[kind])
    with memory_below(16 * MIB):
        outcome = stream(canned, PLAIN)
    assert type(outcome) is MalformedReply
    assert "no sample yet" in str(outcome)
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (BOUND, 0)
    assert canned.taken <= most_bytes(PLAIN, 1, streamed=True) + len(ENDLESS[kind])


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize("kind", ENDLESS)
def test_what_came_before_it_is_a_truncated_sample(kind: str) -> None:
    outcome = stream(endless(ENDLESS[kind], head=events(delta("4"), delta("2"))), PLAIN)
    assert isinstance(outcome, Completion)
    assert (outcome.text, outcome.finish) == ("42", "length")
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (BOUND, 20)


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize("kind", ENDLESS)
def test_what_had_ended_before_it_is_whole(kind: str) -> None:
    head = events(delta("42", "stop"), {"choices": [], "usage": usage(10, 2)})
    outcome = stream(endless(ENDLESS[kind], head=head), PLAIN)
    assert isinstance(outcome, Completion)
    assert (outcome.text, outcome.finish) == ("42", "stop")
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (10, 2)


@pytest.mark.usefixtures("tight")
def test_a_line_that_comes_byte_by_byte_is_read_in_linear_time() -> None:
    """Quadratic, this would copy 2**33 bytes."""
    outcome = stream(endless(b"x", MIB), PLAIN)
    assert type(outcome) is MalformedReply


@pytest.mark.parametrize("status", [200, 302, 400, 429, 500])
@pytest.mark.parametrize("packed", [False, True])
def test_an_endless_error_keeps_its_status(status: int, packed: bool) -> None:
    headers = {"Content-Encoding": "gzip"} if packed else {}
    with memory_below(16 * MIB):
        if packed:
            canned = Canned([BOMB], status, headers)
        else:
            canned = endless(b"no " * 9999, status=status)
        outcome = stream(canned, PLAIN)
    assert isinstance(outcome, ModelError)
    if status != 200:
        assert f"answered {status}" in str(outcome)
        assert packed or canned.taken <= 2 * (ERROR + 3 * 9999)
        assert outcome.prompt_tokens == 0
    assert len(str(outcome)) <= 240


@pytest.mark.parametrize("shown", range(1, len(KEY) + 1))
async def test_an_error_that_is_cut_within_the_key_shows_no_part_of_it(shown: int) -> None:
    body = b" " * (ERROR - shown) + KEY.encode() + b" " * 999
    async with Loopback(Step(400, body=body)) as server:
        client = OpenAICompat(Endpoint(name="test", base_url=server.url, model="m", key=KEY))
        with pytest.raises(RequestRefused) as caught:
            await client.generate(PLAIN)
        await client.close()
    assert not any(KEY[: i + 3] in str(caught.value) for i in range(len(KEY)))


# -- a floor under the count -----------------------------------------------------------------------

WORDS = "word " * 20_000


@pytest.mark.parametrize("counted", [0, 1, 100, 781])
def test_a_count_below_what_the_text_takes_is_none(counted: int) -> None:
    request = dataclasses.replace(PLAIN, max_tokens=30_000)
    body = answer(choice(WORDS), usage=usage(10, counted)).body
    [outcome] = reply(body, request)
    assert isinstance(outcome, Completion)
    assert outcome.text == WORDS
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (BOUND, 30_000)


@pytest.mark.parametrize("counted", [782, 20_000, 30_000])
def test_a_count_that_may_be_true_is_taken(counted: int) -> None:
    request = dataclasses.replace(PLAIN, max_tokens=30_000)
    [outcome] = reply(answer(choice(WORDS), usage=usage(10, counted)).body, request)
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (10, counted)


def test_one_false_count_of_several_samples_books_all_of_them() -> None:
    body = answer(*[choice("x" * 200)] * 3, usage=usage(10, 5)).body
    outcomes = reply(body, PLAIN, samples=3)
    assert [o.completion_tokens for o in outcomes] == [20, 20, 20]
    assert [o.prompt_tokens for o in outcomes] == [BOUND, 0, 0]


@pytest.mark.parametrize(
    "zero",
    [
        {"usage": usage(0, 0)},
        {"usage": usage(10, 0)},
        {"timings": {"predicted_n": 0}},
        {"usage": usage(0, 0), "timings": {"predicted_n": 0}},
    ],
    ids=str,
)
def test_counts_of_zero_in_every_chunk_do_not_hide_20_000_words(zero: Any) -> None:
    request = dataclasses.replace(PLAIN, max_tokens=1024)
    chunks = [{**delta("word "), **zero} for _ in range(20_000)]
    outcome = stream([events(*chunks)], request)
    assert isinstance(outcome, Completion)
    assert (outcome.finish, outcome.text) == ("length", "word " * 1024)
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (BOUND, 1024)


def test_a_lost_stream_with_counts_of_zero_is_booked_as_seen() -> None:
    chunks = [{**delta("word "), "usage": usage(0, 0)} for _ in range(15)]
    outcome = stream([events(*chunks)], PLAIN)
    assert type(outcome) is MalformedReply
    assert (outcome.prompt_tokens, outcome.completion_tokens) == (BOUND, 15)


def test_one_chunk_with_all_of_it_is_not_one_token() -> None:
    outcome = stream([events(delta("x" * 1280))], PLAIN)
    assert type(outcome) is MalformedReply
    assert outcome.completion_tokens == 10


@pytest.mark.parametrize("counted", [0, None, -1, 10**400, True])
def test_a_prompt_counted_below_what_it_takes_is_not_believed(counted: Any) -> None:
    long = Request((dataclasses.replace(PLAIN.messages[0], content="x" * 1280),), 20)
    body = answer(usage=usage(counted, 5)).body
    [outcome] = reply(body, long)
    assert outcome.prompt_tokens == (10 if counted == 0 and counted is not False else 1280 + 144)


@pytest.mark.parametrize("length", [2561, 5000, 10**6])
def test_a_text_longer_than_any_of_so_many_tokens_is_cut_and_booked_whole(length: int) -> None:
    for sent in (usage(10, 5), None):
        [outcome] = reply(answer(choice("x" * length), usage=sent).body, PLAIN)
        assert isinstance(outcome, Completion)
        assert (outcome.text, outcome.finish) == ("x" * 2560, "length")
        assert outcome.completion_tokens == 20


# -- what nobody asked for -------------------------------------------------------------------------


@pytest.mark.parametrize("index", [1, -1, 10**30, 2**63])
def test_other_choices_of_a_stream_count_and_are_not_text(index: int) -> None:
    own, other = delta("42"), delta("no")
    other["choices"][0]["index"] = index
    outcome = stream([events(own, other, other, delta("", "stop"))], PLAIN)
    assert isinstance(outcome, Completion)
    assert outcome.text == "42"
    lost = stream([events(own, other, other)], PLAIN)
    assert (type(lost), lost.completion_tokens) == (MalformedReply, 3)


def test_the_own_choice_is_found_among_others() -> None:
    many = [{"index": i, "delta": {"content": "no"}} for i in range(1, 3000)]
    own = {"index": 0, "delta": {"content": "42"}, "finish_reason": "stop"}
    outcome = stream([events({"choices": [*many, own]})], PLAIN)
    assert isinstance(outcome, Completion)
    assert outcome.text == "42"


def test_choices_never_asked_for_are_not_read() -> None:
    [outcome] = reply(answer(choice("42"), *[choice("no")] * 5000).body, PLAIN)
    assert isinstance(outcome, Completion)
    assert (outcome.text, outcome.completion_tokens) == ("42", 5)


def test_what_follows_the_end_of_a_choice_is_not_its_text() -> None:
    late = [delta("42", "stop"), delta(" no"), delta("no", "length")]
    outcome = stream([events(*late, {"choices": [], "usage": usage(10, 4)})], PLAIN)
    assert isinstance(outcome, Completion)
    assert (outcome.text, outcome.finish, outcome.completion_tokens) == ("42", "stop", 4)
    for_ever = stream([events(late[0], *[delta(" no")] * 5000)], PLAIN)
    assert isinstance(for_ever, Completion)
    assert (for_ever.text, for_ever.finish, for_ever.completion_tokens) == ("42", "stop", 20)


def test_calls_of_tools_are_counted() -> None:
    call = {"index": 0, "delta": {"tool_calls": [{"function": {"arguments": "{}"}}]}}
    outcome = stream([events(*[{"choices": [call]}] * 7)], PLAIN)
    assert (type(outcome), outcome.completion_tokens) == (MalformedReply, 7)
    outcome = stream([events(*[{"choices": [call]}] * 5000)], PLAIN)
    assert (type(outcome), outcome.completion_tokens) == (Completion, 20)


@pytest.mark.parametrize("reason", ["banana", "\x1b[2J", "x" * 10**5, "\ud800", 7])
def test_a_stop_string_never_asked_for_is_none(reason: Any) -> None:
    [outcome] = reply(answer(choice(stop_reason=reason)).body, RICH)
    assert isinstance(outcome, Completion)
    assert outcome.stopped_at == ""


def listed(count: int, width: int) -> dict[str, Any]:
    row = {"token": "x", "logprob": -1.0}
    places = [{"token": f"t{i}", "logprob": -1.0} for i in range(width)]
    return {"content": [{**row, "top_logprobs": places}] * count}


def test_no_more_alternatives_are_kept_than_were_asked_for() -> None:
    [outcome] = reply(answer(choice(logprobs=listed(5, 300))).body, RICH)
    assert isinstance(outcome, Completion)
    assert outcome.top == ({"t0": -1.0, "t1": -1.0},) * 5
    assert outcome.logprobs == (-1.0,) * 5


@pytest.mark.parametrize("count", [21, 500, 2000])
def test_more_log_probabilities_than_tokens_are_none(count: int) -> None:
    [outcome] = reply(answer(choice(logprobs=listed(count, 1))).body, RICH)
    assert isinstance(outcome, Completion)
    assert (outcome.logprobs, outcome.top, outcome.completion_tokens) == (None, None, 5)


def test_log_probabilities_never_asked_for_are_not_kept() -> None:
    [outcome] = reply(answer(choice(logprobs=listed(5, 3))).body, PLAIN)
    assert isinstance(outcome, Completion)
    assert (outcome.logprobs, outcome.top) == (None, None)


DEEP = b"[" * 900 + b"]" * 900


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": ' + DEEP + b"}",
        b'{"error": {"message": ' + DEEP + b"}}",
        b'{"choices": ' + DEEP + b"}",
        b'{"choices": [{"message": {"content": ' + DEEP + b"}}]}",
        b'{"choices": [{"message": {"content": "42"}, "finish_reason": "stop", "logprobs": '
        b'{"content": [{"token": ' + DEEP + b', "top_logprobs": [{"token": ' + DEEP + b"}]}]}}]}",
        b"[" * 10**5,
        b'{"a":' * 10**5,
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_what_is_nested_deep_is_no_traceback(body: bytes, status: int) -> None:
    for outcome in (
        *reply(body, RICH, status=status),
        stream([b"data: " + body + b"\n\n"], RICH, status=status),
    ):
        check(outcome)


@pytest.mark.parametrize("streamed", [False, True])
async def test_headers_without_an_end_are_a_lost_sample(streamed: bool) -> None:
    headers = tuple((f"X-{i}", "x" * 8000) for i in range(500))
    body = Step(headers=headers, body=answer().body)
    long = Step(headers=(("X", "x" * 10**6),), chunks=sse(delta("42", "stop")).chunks)
    for step in (body, long):
        async with Loopback(step) as server:
            endpoint = Endpoint(name="test", base_url=server.url, model="m", stream=streamed)
            client = OpenAICompat(endpoint)
            with memory_below(16 * MIB):
                try:
                    check(await client.generate(PLAIN), PLAIN)
                except ModelError as error:
                    check(error)
            await client.close()
