"""Values are made sound where they enter, whichever model sent them."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import MalformedReply
from ponder.models import sound
from ponder.models.base import Completion
from ponder.models.http.failures import retry_after
from ponder.models.reward.formats import score_of, usage_of
from tests.support.hostile_replies import check, reply, stream
from tests.support.loopback import answer, choice, delta, usage

NONE = [math.nan, math.inf, -math.inf, 148.0, 0.01, 1e308, -1e308]


def listed(*values: Any) -> dict[str, Any]:
    place = [{"token": "a", "logprob": -1.0}]
    return {"content": [{"token": "x", "logprob": v, "top_logprobs": place} for v in values]}


@pytest.mark.parametrize("value", [*NONE, None, "-1", True, [], {}, 10**400, -(10**400)])
def test_one_log_probability_that_is_none_takes_all_of_the_sample(value: Any) -> None:
    chunks = [delta("4", logprobs=listed(-1.0)), delta("2", "stop", logprobs=listed(value, -1.0))]
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    whole = answer(choice(logprobs=listed(-1.0, value))).body
    for outcome in (*reply(whole), stream([body])):
        assert isinstance(outcome, Completion)
        assert outcome.text == "42"
        assert outcome.logprobs is None
        check(outcome)


@pytest.mark.parametrize("value", [*NONE, None, "-1", True, 10**400])
def test_one_alternative_that_is_none_takes_all_of_the_sample(value: Any) -> None:
    rows = listed(-1.0, -1.0)
    rows["content"][1]["top_logprobs"] = [{"token": "a", "logprob": value}]
    [outcome] = reply(answer(choice(logprobs=rows)).body)
    assert isinstance(outcome, Completion)
    assert (outcome.logprobs, outcome.top) == ((-1.0, -1.0), None)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(0, 0.0), (-0.0, 0.0), (1e-7, 0.0), (1e-3, 0.0), (-9999.0, -9999.0), (-3.4e38, -3.4e38)],
)
def test_what_is_at_the_edge_is_kept(value: float, kept: float) -> None:
    [outcome] = reply(answer(choice(logprobs=listed(value, -1))).body)
    assert isinstance(outcome, Completion)
    assert outcome.logprobs == (kept, -1.0)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("\ud83d\ude00", "\U0001f600"),
        ("4\ud83d2", "4\ufffd2"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\udcff", "\ufffd"),
        ("\ufffe\x00", "\ufffe\x00"),
    ],
)
def test_lone_surrogates_are_replaced_and_pairs_joined(sent: str, text: str) -> None:
    body = answer(choice(sent)).body
    pieces = [delta(c) for c in sent] + [delta("", "stop")]
    chunks = b"".join(b"data: " + json.dumps(p).encode() + b"\n\n" for p in pieces)
    for outcome in (*reply(body), stream([chunks])):
        assert isinstance(outcome, Completion)
        assert outcome.text == text


@pytest.mark.parametrize("text", ["\ud800", "no \udfff!", "\ud83d" * 300])
def test_an_error_with_lone_surrogates_can_be_written(text: str) -> None:
    body = json.dumps({"error": {"message": text}}).encode()
    for status in (200, 400):
        for outcome in (*reply(body, status=status), stream([b"data: " + body + b"\n\n"])):
            check(outcome)


COUNTS = [-1, 10**400, 2**53 + 1, True, 2.0, math.nan, "7", None, [], {}]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_a_usage_that_is_no_count_books_the_worst_case(count: Any, name: str) -> None:
    body = answer(usage={**usage(), name: count}).body
    [outcome] = reply(body)
    assert isinstance(outcome, Completion)
    expected = {"prompt_tokens": 10, "completion_tokens": 5}
    expected[name] = 2 if count == 2.0 else {"prompt_tokens": 158, "completion_tokens": 20}[name]
    counts = {"prompt_tokens": outcome.prompt_tokens}
    assert {**counts, "completion_tokens": outcome.completion_tokens} == expected


@pytest.mark.parametrize("count", COUNTS)
def test_cached_tokens_that_are_no_count_are_none(count: Any) -> None:
    [outcome] = reply(answer(usage=usage(prompt_tokens_details={"cached_tokens": count})).body)
    assert isinstance(outcome, Completion)
    assert outcome.cached_tokens == (2 if count == 2.0 else 0)


@pytest.mark.parametrize("count", COUNTS)
def test_counts_of_a_stream_that_are_none_are_not_believed(count: Any) -> None:
    pieces = [{**delta(c), "timings": {"predicted_n": count}} for c in "abcde"]
    chunks = b"".join(b"data: " + json.dumps(p).encode() + b"\n\n" for p in pieces)
    assert stream([chunks]).completion_tokens == (2 if count == 2.0 else 5)


# -- any model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [-1, 10**400, 2**53 + 1, True, 2.0, "7", None])
@pytest.mark.parametrize("name", ["prompt", "completion", "cached", "wasted"])
def test_a_completion_has_sound_counts(count: Any, name: str) -> None:
    counts: Any = {"prompt_tokens": 1, "completion_tokens": 1, f"{name}_tokens": count}
    with pytest.raises(MalformedReply, match="token counts that are not whole numbers"):
        Completion("42", "stop", **counts)


@given(st.text(), st.lists(st.floats(), max_size=5), st.lists(st.floats(), max_size=3))
def test_a_completion_is_sound_whatever_it_is_made_of(
    text: str, logprobs: list[float], place: list[float]
) -> None:
    top = ({str(i): value for i, value in enumerate(place)},)
    done = Completion(text, "stop", 1, 1, logprobs=tuple(logprobs), top=top)
    json.dumps([done.logprobs, [dict(p) for p in done.top or ()]], allow_nan=False)
    assert all(value <= 0 for value in done.logprobs or ())
    assert done.text == text  # no surrogates are drawn
    if all(-1e100 <= value <= 0 for value in logprobs):
        assert done.logprobs == tuple(logprobs)


@given(st.text(max_size=20))
def test_any_text_can_be_written_and_is_kept_where_it_could(text: str) -> None:
    found = sound.whole(text)
    assert found.encode().decode() == found
    assert found == text


@given(st.lists(st.integers(0xD7F0, 0xE010), max_size=9).map(lambda cs: "".join(map(chr, cs))))
def test_any_surrogates_can_be_written(text: str) -> None:
    found = sound.whole(text)
    assert found.encode().decode() == found
    assert sound.whole(found) == found
    assert len(found) <= len(text)


# -- dates, reward models --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, 99 Nov 2026 99:99:99 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 2026 08:49:37 +99999999999999",
        "Sun, 06 Nov -5 08:49:37 GMT",
        "Sun, 31 Feb 10000 00:00:00 GMT",
        "nan",
        "-inf",
        "9" * 5000,
        ", , , ,",
    ],
)
def test_a_date_beyond_the_calendar_is_no_reason_to_fail(date: str) -> None:
    assert retry_after({"Retry-After": date}) >= 0
    assert retry_after({"Retry-After": "Sun, 06 Nov 1994 08:49:49", "Date": date}) >= 0


@given(st.text(max_size=40))
def test_any_header_is_a_number_of_seconds(text: str) -> None:
    assert retry_after({"Retry-After": text, "Date": text}) >= 0


@pytest.mark.parametrize(
    "row",
    [math.nan, [math.nan, 1.0], [math.inf], "0.5", True, None, [], [10**400], [[0.5]], [{}], 148.0],
)
@pytest.mark.parametrize("format", ["qwen", "math_shepherd", "skywork", "classify"])
def test_what_is_no_score_of_a_reward_model_is_refused(row: Any, format: Any) -> None:
    if format == "skywork" and row == 148.0:
        assert score_of(row, format) == 1.0  # a logit
        return
    with pytest.raises((ValueError, TypeError)):
        score_of(row, format)


@given(st.lists(st.floats(), min_size=1, max_size=4), st.booleans())
def test_a_score_of_a_reward_model_is_within_0_and_1(row: list[float], logits: bool) -> None:
    for format in ("qwen", "math_shepherd", "skywork", "classify"):
        with suppress(ValueError):
            assert 0 <= score_of(row, format, logits=logits) <= 1


@pytest.mark.parametrize("count", COUNTS)
def test_usage_of_a_reward_model_that_is_no_count_is_none(count: Any) -> None:
    assert usage_of({"usage": {"prompt_tokens": count}}) is None


@pytest.mark.parametrize(
    ("rows", "pieces"),
    [
        ([], ()),
        ([{"token": "a", "bytes": [97]}, {"token": " é"}], (b"a", " é".encode())),
        ([{"token": "\ufffd", "bytes": [0xE6]}, {"token": "b", "bytes": None}], (b"\xe6", b"b")),
        ([{"token": "a", "bytes": [256]}], (b"a",)),
        ([{"token": "a", "bytes": [True, -1, "x"]}], (b"a",)),
        ([{"token": "\ud83d\ude00"}, {"token": "\ud83d"}], ("😀".encode(), "\ufffd".encode())),
        ([{"token": "a"}, {"token": None}], None),
        ([{"bytes": "ab"}], None),
        ([{}], None),
    ],
)
def test_the_bytes_of_listed_tokens(rows: list[dict[str, Any]], pieces: Any) -> None:
    assert sound.pieces(rows) == pieces


def test_pieces_without_a_log_probability_each_are_dropped() -> None:
    def made(logprobs: Any, pieces: Any) -> Any:
        return Completion("a", "stop", 1, 1, logprobs=logprobs, pieces=pieces).pieces

    assert made((-1.0,), (b"a",)) == (b"a",)
    for logprobs in (None, (), (-1.0, -1.0), (math.nan,)):
        assert made(logprobs, (b"a",)) is None
