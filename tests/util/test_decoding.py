"""Values of dataclasses out of JSON: what is read, and how what is wrong is named."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import UsageError
from ponder.util.decoding import DEPTH, DIGITS, Malformed, decode, parse


@dataclass(frozen=True, slots=True)
class Inner:
    word: Literal["a", "b"]
    more: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    count: int
    share: float | None = None
    sure: bool = False
    parts: tuple[Inner, ...] = ()
    one: Inner | None = None
    rest: Any = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise UsageError("the count must not be below zero.")


finite = st.floats(allow_nan=False, allow_infinity=False)
inner = st.builds(Inner, st.sampled_from(["a", "b"]), st.dictionaries(st.text(), finite))
outer = st.builds(
    Outer, st.text(), st.integers(0), st.none() | finite, st.booleans(),
    st.lists(inner, max_size=3).map(tuple), st.none() | inner, st.none() | st.text(),
)  # fmt: skip


@given(outer)
def test_what_is_written_is_read(value: Outer) -> None:
    found = decode(Outer, parse(json.dumps(asdict(value))))
    assert found == value
    assert all(type(part.word) is str for part in found.parts)


def test_defaults_are_those_of_the_dataclass() -> None:
    assert decode(Outer, {"name": "x", "count": 1}) == Outer("x", 1)
    assert decode(tuple[str, ...], ["a"]) == ("a",)
    assert decode(float, 10**299) == 1e299


LEAST = {"name": "x", "count": 1}
WRONG: list[tuple[Any, Any, str]] = [
    (Outer, [], "it must be an object"),
    (Outer, {"name": "x"}, "it has no 'count'"),
    (Outer, {**LEAST, "odd": 1}, "it has the unknown field 'odd'"),
    (Outer, {**LEAST, "o" * 99: 1}, f"it has the unknown field {'o' * 40!r}"),
    (Outer, {**LEAST, "name": 3}, "name must be a text"),
    (Outer, {**LEAST, "count": True}, "count must be a whole number"),
    (Outer, {**LEAST, "count": 1.0}, "count must be a whole number"),
    (Outer, {**LEAST, "share": math.nan}, "share must be a finite number"),
    (Outer, {**LEAST, "share": math.inf}, "share must be a finite number"),
    (Outer, {**LEAST, "share": True}, "share must be a finite number or null"),
    (Outer, {**LEAST, "sure": 1}, "sure must be true or false"),
    (Outer, {**LEAST, "parts": {}}, "parts must be a list"),
    (Outer, {**LEAST, "parts": [{"word": "a"}, {"word": "c"}]},
     "parts[1].word must be one of those that are known, not 'c'"),
    (Outer, {**LEAST, "parts": [{"word": None}]}, "parts[0].word must be a text"),
    (Outer, {**LEAST, "one": {"word": "a", "x": 1}}, "one has the unknown field 'x'"),
    (Outer, {**LEAST, "one": {"word": "a", "more": {"k": "v"}}},
     "one.more[...] must be a finite number"),
    (None, 5, "it must be null"),
    (str, b"x", "it must be a text"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "complaint"), WRONG)
def test_what_is_wrong_is_named_with_its_place(kind: Any, value: Any, complaint: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode(kind, value)
    assert str(caught.value) == complaint


def test_a_value_has_the_name_that_it_is_given() -> None:
    with pytest.raises(Malformed, match=r"^a run\.count must be a whole number$"):
        decode(Outer, {**LEAST, "count": "1"}, "a run")


def test_a_dataclass_refuses_in_its_own_words() -> None:
    with pytest.raises(UsageError, match="the count must not be below zero"):
        decode(Outer, {**LEAST, "count": -1})


DEEP = "[" * (DEPTH + 2) + "]" * (DEPTH + 2)


@pytest.mark.parametrize("text", ["NaN", "1e999", "9" * (DIGITS + 1), DEEP, "{", "[" * 10**5])
def test_what_no_float_or_reader_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


@pytest.mark.parametrize("kind", [int, Literal["a", "b"], Inner])
def test_half_a_character_where_no_text_belongs_is_malformed(kind: Any) -> None:
    with pytest.raises(Malformed, match=r"^it has half of a character"):
        decode(kind, "\ud800")
    with pytest.raises(Malformed, match=r"^it has half of a character"):
        decode(Inner, {"word": "a", "\ud800": 1})
    assert decode(Mapping[str, str], {"\ud800": "\ud800"}) == {"\ud800": "\ud800"}
