"""What of a growing text is certain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ponder.models.openvino.told import Told

TEXTS = st.text("ab\n", max_size=12)


@given(st.lists(TEXTS), st.lists(TEXTS, max_size=3))
def test_nothing_is_told_that_a_stop_string_takes_back(pieces: list[str], stops: list[str]) -> None:
    told, text, said = Told(stops), "".join(pieces), ""
    whole = text[: min((at for s in stops if s and (at := text.find(s)) >= 0), default=len(text))]
    for piece in pieces:
        said += told.add(piece)
        assert whole.startswith(said)
    assert said + told.rest(whole) == whole


def test_only_what_may_be_the_beginning_of_a_stop_string_is_held_back() -> None:
    told = Told(["\n\n", "END"])
    assert [told.add(piece) for piece in ("so\n", "E", "Nx", "EN", "D more")] == [
        "so", "\n", "ENx", "", "",
    ]  # fmt: skip
