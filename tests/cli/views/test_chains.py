"""The chains of the live view."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ponder.cli.views.chains import Chain, line, tail
from ponder.core.text.visible import visible_line


@given(st.text(), st.integers(2, 40))
def test_the_end_of_a_text_fits_its_line(text: str, width: int) -> None:
    shown = tail(text, width)
    line = visible_line(" ".join(text.split()))
    assert cell_len(shown) <= width
    assert "\n" not in shown
    assert shown == line or line.endswith(shown.removeprefix("…"))


def test_wide_characters_count_twice() -> None:
    assert tail("一二三四", 8) == "一二三四"
    assert tail("一二三四五", 8) == "…三四五"


def shown(chain: Chain) -> str:
    return line(chain, 80).plain


def test_reasoning_is_shown_until_there_is_text_and_a_new_attempt_begins_anew() -> None:
    chain = Chain()
    chain.grow("", "hm, let me see", 4)
    assert shown(chain) == "     4  hm, let me see"
    chain.grow("It is", "", 6)
    assert shown(chain) == "     6  It is"
    chain.grow("", "", 0)
    assert (chain.text, chain.reasoning) == ("", "")


def test_what_is_made_visible_still_fits() -> None:
    assert cell_len(line(Chain(1, "a" + "\x1b" * 30, running=True), 40).plain) == 40
