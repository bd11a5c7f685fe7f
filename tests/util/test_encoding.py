"""JSON that is written fast reads as that of the standard library."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ponder.util.encoding import encode

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=10,
)  # fmt: skip


@given(PLAIN)
def test_every_plain_value_reads_back(value: object) -> None:
    assert json.loads(encode(value)) == value


def test_half_of_a_character_is_escaped() -> None:
    assert encode({"a": "\ud800"}) == b'{"a": "\\ud800"}'
    assert encode({"a": (1, "é")}) == '{"a":[1,"é"]}'.encode()
