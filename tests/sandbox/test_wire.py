"""Bytes of every kind are read, and make plain data or an error."""

from __future__ import annotations

import builtins
import os
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.sandbox import wire
from ponder.sandbox.peers import Asker, Died, Remote, Uncrossable
from ponder.sandbox.wire import LONGEST_FRAME, no_other, pack, read_frame, unpack
from tests.support.crossing import DATA, KINDS, is_plain


@pytest.mark.parametrize(
    "data",
    [
        b"", b"N" * 2, b"i", b"i;", b"i1", b"i-1;", b"i+1;", b"i 1;", b"i1 ;", b"i1_0;", b"i0x1;",
        b"iF;", b"i00;", b"i01;", b"j0;", b"j-1;", "i\u0661;".encode(), b"i\n1;", b"s-1;", b"s2;a",
        b"s1;\xff", b"s_1;a", b"b5;abcd", b"l-1;", b"l1;", b"l2;N", b"l3b9aca00;N", b"d1;N",
        b"d3b9aca00;NN", b"t-0;", b"f1;", b"f 0x1p+0;", b"f0x1p+99999;", b"fnan ;", b"finfinity;",
        b"f" + b"0" * 10**6 + b";", b"c0x1p+0;", b"c;", b"z1;l0;", b"S1;d0;", b"d1;l0;N", b"rN",
        b"rt2;i1;i2;", b"rt3;i1;i2;i0;", b"rt3;i1;i2;s1;a", b"rl3;i1;i2;i3;", b"qt2;i1;i0;",
        b"qt2;i1;j1;", b"qt1;i1;", b"D3;abc", b"D2; 1", b"m4;math", b"h1;", b"x1;", b"T1;",
    ],
)  # fmt: skip
def test_what_pack_did_not_make_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack(data, no_other)


def mutated(data: bytes, changes: list[tuple[int, int, int]]) -> bytes:
    """The bytes, some of them replaced, taken out or put in."""
    out = bytearray(data)
    for at, what, byte in changes:
        at %= len(out) + 1
        out[at : at + (what != 1)] = bytes([byte]) if what else b""
    return bytes(out)


FRAMES = st.binary(max_size=80) | st.builds(
    mutated,
    DATA.map(lambda value: pack(value, no_other)),
    st.lists(
        st.tuples(
            st.integers(0, 10**4), st.integers(0, 2), st.sampled_from(b"NTFrqijfcsbalztSdDhm;0-_f9")
        ),
        max_size=4,
    ),
)


@settings(max_examples=200, deadline=None)
@given(FRAMES)
def test_no_bytes_break_the_reader_or_make_more_than_data(data: bytes) -> None:
    try:
        value = unpack(data, lambda number: Remote(None, number))  # type: ignore[arg-type]
    except (ValueError, RecursionError):
        return
    assert is_plain(value, Remote)


@pytest.mark.parametrize(
    "data",
    [b"l3b9aca00;N", b"d3b9aca00;", b"s3b9aca00;a", b"l5;l3b9aca00;NNNNN", b"b" + b"f" * 40 + b";",
     b"l1;" * 50_000, b"t1;" * 50_000 + b"N", b"d1;N" * 50_000, b"r" * 50_000, b"q" * 50_000],
)  # fmt: skip
def test_a_frame_takes_no_more_memory_than_its_length_allows(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, RecursionError)):
            unpack(data, no_other)
        assert tracemalloc.get_traced_memory()[1] < 2**20 + 8 * len(data)
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=40), st.integers(0, 2**64 - 1))
def test_a_frame_that_is_none_ends_the_channel(data: bytes, size: int) -> None:
    one, other = os.pipe()
    os.write(other, size.to_bytes(8, "big") + data)
    os.close(other)
    found = read_frame(one)
    os.close(one)
    assert found == (data[:size] if size <= min(len(data), LONGEST_FRAME) else None)


ALLOWED = {type(None), Died, Uncrossable, *(getattr(builtins, name) for name in KINDS)}
ALLOWED -= {StopIteration, StopAsyncIteration}
REPLIES = st.one_of(
    st.binary(max_size=40),
    DATA.map(lambda value: pack(value, no_other)),
    st.tuples(st.sampled_from(["ok", "raise", ""]), DATA, DATA).map(
        lambda value: pack(value, no_other)
    ),
    st.tuples(st.just("raise"), st.lists(st.sampled_from(KINDS)).map(tuple), st.text()).map(
        lambda value: pack(value, no_other)
    ),
)


@settings(max_examples=100, deadline=None)
@given(REPLIES)
def test_a_reply_of_any_bytes_is_a_result_a_failure_or_an_exception(data: bytes) -> None:
    one, other = os.pipe()
    wire.write_frame(other, data)
    os.close(other)
    ask = Asker(os.open(os.devnull, os.O_WRONLY), one)
    caught: BaseException | None = None
    try:
        assert is_plain(ask("call", None, args=([1], {2: 3})), Remote)
    except BaseException as error:
        caught = error
    os.close(ask.requests)
    os.close(one)
    assert caught is ask.failure if isinstance(caught, Died | Uncrossable) else caught is ask.raised
    assert type(caught) in ALLOWED
