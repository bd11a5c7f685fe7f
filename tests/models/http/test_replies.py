"""A reply's JSON, strict or not."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.models.http.received import Malformed
from ponder.models.http.replies import parse


@given(st.dictionaries(st.text(), st.floats() | st.integers() | st.text(st.characters())))
def test_a_reply_reads_as_by_the_standard_library(reply: dict[str, object]) -> None:
    body = json.dumps(reply)
    assert repr(parse(body.encode())) == repr(parse(body)) == repr(json.loads(body))


def test_json_that_is_not_strict_is_read_too() -> None:
    reply = parse(b'{"a": NaN, "b": "\\ud800", "c": 1e999}')
    assert math.isnan(reply["a"])
    assert (reply["b"], reply["c"]) == ("\ud800", math.inf)
    for body in (b"[]", b"{", b"\xff", b'{"a": 1} 2'):
        with pytest.raises(Malformed, match="not a JSON object"):
            parse(body)
