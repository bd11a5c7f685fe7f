"""The chains of the live view."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ponder.cli.views.chains import Chain, Screen, tail


@given(st.text(), st.integers(2, 40))
def test_the_end_of_a_text_fits_its_line(text: str, width: int) -> None:
    shown = tail(text, width)
    line = " ".join(text.split())
    assert cell_len(shown) <= width
    assert "\n" not in shown
    assert shown == line or line.endswith(shown.removeprefix("…"))


def test_wide_characters_count_twice() -> None:
    assert tail("一二三四", 8) == "一二三四"
    assert tail("一二三四五", 8) == "…三四五"


def drawn(screen: Screen, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(screen)
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_as_many_chains_are_shown_as_the_screen_has_lines(width: int) -> None:
    chains = [Chain(i, f"{'word ' * 40}{i}", running=True) for i in range(9)]
    lines = drawn(Screen([Text("head")], chains), width, 7)
    assert len(lines) == 6
    assert [line.split()[-1] for line in lines[1:5]] == list("0123")
    assert lines[5] == "and 5 more"
    assert all(len(line) <= width for line in lines)
    assert drawn(Screen([Text("head")], chains), width, 11)[-1].endswith(" 8")


def test_reasoning_is_shown_until_there_is_text_and_a_new_attempt_begins_anew() -> None:
    chain = Chain()
    chain.grow("", "hm, let me see", 4)
    assert "hm, let me see" in drawn(Screen([], [chain]), 80, 9)[0]
    chain.grow("It is", "", 6)
    assert drawn(Screen([], [chain]), 80, 9)[0].split() == ["6", "It", "is"]
    chain.grow("", "", 0)
    assert (chain.text, chain.reasoning) == ("", "")
