"""A prefix that a reply says again is taken out, however it comes; nothing else is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ponder.models.http.echo import LEAST, Echo

TEXT = st.text("ab \n", max_size=40)
CUTS = st.lists(st.integers(0, 60), max_size=8)


def fed(echo: Echo, text: str, cuts: list[int]) -> str:
    """What comes out of a text that comes in pieces."""
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(places)]
    return "".join(map(echo.feed, pieces)) + echo.held


@given(st.text("ab \n", min_size=LEAST, max_size=40), TEXT, CUTS)
def test_a_prefix_said_again_is_taken_out(prefix: str, rest: str, cuts: list[int]) -> None:
    bare, blank = prefix.rstrip(), prefix[len(prefix.rstrip()) :]
    echo, least = Echo(prefix), len(bare) >= LEAST
    out = fed(echo, bare + rest, cuts)
    assert echo.met is least
    shared = next(n for n in range(len(blank), -1, -1) if rest.startswith(blank[:n]))
    assert out == (rest[shared:] if least else bare + rest)


@given(TEXT, TEXT, CUTS, st.integers(1, LEAST))
def test_any_other_text_stays(prefix: str, text: str, cuts: list[int], least: int) -> None:
    echo = Echo(prefix, least)
    out = fed(echo, text, cuts)
    if not echo.met:
        assert out == text
    bare = prefix.rstrip()
    assert echo.met is (len(bare) >= least and text.startswith(bare))


def test_a_text_that_may_still_become_the_prefix_is_held() -> None:
    echo = Echo("Six times seven is")
    assert [echo.feed("Six "), echo.held] == ["", "Six "]
    assert [echo.feed("times six"), echo.held] == ["Six times six", ""]
    assert echo.feed("Six times seven is") == "Six times seven is"  # later on it may say so
    assert not echo.met
