"""What of a growing text is certain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ponder.models.openvino.told import Told

TEXTS = st.text("ab\n", max_size=12)


@given(st.lists(TEXTS), st.lists(TEXTS, max_size=3))
def test_nothing_is_told_that_a_stop_string_takes_back(pieces: list[str], stops: list[str]) -> None:
    told, text, said = Told(stops), "", ""
    for piece in pieces:
        text += piece
        said += told.add(piece)
        ends = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
        whole = text[: min(ends, default=len(text))]
        assert whole.startswith(said)
        if ends:  # the engine ends there
            break
    else:
        whole = text
    assert said + told.rest(whole) == whole


def test_only_what_may_be_the_beginning_of_a_stop_string_is_held_back() -> None:
    told = Told(["\n\n", "END"])
    assert [told.add(piece) for piece in ("so\n", "E", "Nx", "EN", "D more")] == [
        "so", "\n", "ENx", "", "",
    ]  # fmt: skip
