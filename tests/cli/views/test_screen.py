"""The live view's screen: golden frames of a search with its chains, and what fits."""

from __future__ import annotations

import functools
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ponder.cli.views.chains import Chain
from ponder.cli.views.screen import Screen, body
from ponder.core.record.events import Steered
from ponder.core.record.search import TWIN, Tree, apply
from ponder.core.record.steering import Action
from tests.support.trees import drop, grow, judge, name_of, planted, visit

LONG = "so we multiply the two numbers step by step and check the result"


def searching() -> Tree:
    """Three beginnings: one is continued, one waits and is visited, one was pruned by ann."""
    tree = grow(grow(grow(planted(), "a", added="first"), "b", added=LONG), "c", added="hm")
    tree = judge(judge(judge(tree, "a", 0.9), "b", 0.75), "c", 0.125)
    tree = visit(visit(tree, "a", 0.9), "b", 0.75)
    tree = drop(tree, "pruned by ann", "c")
    tree = grow(grow(tree, "aa", added=", then"), "ab", added="\n\nso 42", answer="42")
    tree = drop(grow(tree, "ac", added=", then"), TWIN, "ac")
    tree = judge(judge(tree, "aa", 0.5), "ab", 1.0)
    return apply(tree, Steered(Action("hint", text="be brief", by="ann"), (name_of("aa"),)))


CHAINS = [Chain(12, "and thus", running=True), Chain(3, "", "let me see", running=True)]


def frame(width: int, room: int) -> list[str]:
    return [line.plain for line in body(searching(), CHAINS, width, room)]


def test_a_frame_of_80_columns() -> None:
    assert frame(80, 18) == [
        "  node  depth   score  visits×mean  2 open, 1 ended, 1 dropped",
        "○    1      1  0.75 ▆     1 × 0.75  so we multiply the two numbers step by step…",
        "○  0.0      2  0.50 ▅               , then · hint by ann: be brief",
        "○  0.1      2  1.00 █               so 42 · = 42",
        "✕    2      1  0.12 ▂               hm · pruned by ann",
        "    12  and thus",
        "     3  let me see",
    ]


def test_a_frame_of_120_columns() -> None:
    assert frame(120, 18) == [
        "  node  depth   score  visits×mean  2 open, 1 ended, 1 dropped",
        f"○    1      1  0.75 ▆     1 × 0.75  {LONG}",
        "○  0.0      2  0.50 ▅               , then · hint by ann: be brief",
        "○  0.1      2  1.00 █               so 42 · = 42",
        "✕    2      1  0.12 ▂               hm · pruned by ann",
        "    12  and thus",
        "     3  let me see",
    ]


def test_what_does_not_fit_is_counted() -> None:
    assert frame(80, 6) == [
        "  node  depth   score  visits×mean  2 open, 1 ended, 1 dropped",
        "○    1      1  0.75 ▆     1 × 0.75  so we multiply the two numbers step by step…",
        "○  0.0      2  0.50 ▅               , then · hint by ann: be brief",
        "and 1 ended, 1 dropped",
        "    12  and thus",
        "     3  let me see",
    ]


@pytest.mark.parametrize("tree", [None, planted(), grow(planted(), "a", done=True)])
def test_a_run_that_is_no_search_has_no_frontier(tree: Tree | None) -> None:
    """Whole chains have a vote instead."""
    assert [line.plain for line in body(tree, CHAINS, 80, 9)] == [
        "    12  and thus",
        "     3  let me see",
    ]


_paths = st.lists(st.text("abc", min_size=1, max_size=4), max_size=20)


@given(_paths, st.text(max_size=80), st.integers(0, 9), st.integers(40, 120), st.integers(0, 30))
def test_no_frame_is_larger_than_its_screen(
    paths: list[str], added: str, chains: int, width: int, room: int
) -> None:
    wanted = dict.fromkeys(path[:n] for path in paths for n in range(1, len(path) + 1))
    tree = functools.reduce(lambda t, path: grow(t, path, added=added), wanted, planted())
    lines = body(tree, [Chain(1, added, running=True)] * chains, width, room)
    assert len(lines) <= room
    assert all(cell_len(line.plain) <= width for line in lines)


def drawn(chains: list[Chain], width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(Screen([Text("head")], None, chains))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_as_many_chains_are_shown_as_the_screen_has_lines(width: int) -> None:
    chains = [Chain(i, f"{'word ' * 40}{i}", running=True) for i in range(9)]
    lines = drawn(chains, width, 7)
    assert len(lines) == 6
    assert [line.split()[-1] for line in lines[1:5]] == list("0123")
    assert lines[5] == "and 5 more"
    assert all(len(line) <= width for line in lines)
    assert drawn(chains, width, 11)[-1].endswith(" 8")
