"""A run's tree in the terminal."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from ponder.cli.tree.picture import picture
from ponder.core.record.events import Event, Judged, Steered
from ponder.core.record.search import Tree, apply, fold
from ponder.core.record.steering import Action
from ponder.core.trace import Score
from ponder.models.fakes.scripted import Scripted
from tests.support.jobs import PROBLEM, ByText, go
from tests.support.pictures import ASKED, beam, drawn
from tests.support.trees import drop, end, grow, judge, name_of, planted, visit


def test_a_search_in_the_terminal() -> None:
    assert drawn(picture(beam(), ASKED, "42")) == [
        "What is six times seven ?",
        "           node   score  tokens",
        "├─ ● a        0  0.90 ▇       2",
        "│  ├─ ✕ a   0.0  0.35 ▃       2  outranked",
        "│  └─ ★ b   0.1  0.80 ▇       2  = 42 · the answer",
        "└─ ✕ b        1  0.20 ▂       2  outranked",
        "★ the answer  ● its path  ✕ dropped",
    ]


def test_visits_in_the_terminal() -> None:
    tree = visit(visit(planted("a", "b", "aa"), "aa", 0.5), "a", 0.9)
    assert drawn(picture(tree, ASKED)) == [
        "What is six times seven ?",
        "           node  visits×mean  tokens",
        "├─ ○ a        0     2 × 0.70       2",
        "│  └─ ○ a   0.0     1 × 0.50       2  not continued",
        "└─ ○ b        1                    2  not continued",
        "○ other branches",
    ]


def hinted() -> Tree:
    """The search of ``beam``, with a hint at its beginning and one behind a."""
    tree = apply(beam(), Steered(Action("hint", text="use 6 * 7")))
    return apply(tree, Steered(Action("hint", text="be brief", by="ann"), (name_of("a"),)))


def test_hints_in_the_terminal() -> None:
    lines = drawn(picture(hinted(), ASKED, "42"))
    assert lines[:2] == [ASKED, "hint: use 6 * 7"]
    assert lines[3:5] == [
        "├─ ● a        0  0.90 ▇       2  hint by ann: be brief",
        "│  ├─ ✕ a   0.0  0.35 ▃       2  outranked",
    ]


def test_scores_in_words_and_numbers() -> None:
    tree = planted("a", "b")
    scores = (Score(1.0, "t", verdict="pass"), Score(None, "t"))
    tree = apply(tree, Judged((name_of("a"), name_of("b")), scores))
    lines = drawn(picture(judge(tree, "a", 0.25), ASKED))
    assert "pass 1.00 0.25 ▃" in lines[2]
    assert "abstains" in lines[3]


def test_an_empty_tree_is_its_question() -> None:
    assert drawn(picture(planted(), ASKED)) == [ASKED, ""]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize(
    "said", ["so " * 90, "六乘以七是四十二。" * 20, "a\n\tb\x1b[31m\u202e" * 9]
)
def test_no_line_is_wider_than_the_terminal(said: str, width: int) -> None:
    tree = planted()
    for depth in range(1, 31):
        tree = grow(tree, "a" * depth, added=said)
    tree = end(grow(tree, "b", added=said, answer=said), "a" * 30)
    lines = drawn(picture(tree, said, said), width)
    assert all(cell_len(line) <= width for line in lines)
    assert len(lines) == 31 + 3
    assert not any(c in "".join(lines) for c in "\x1b\u202e\t")
    assert sum("● " in line or "★ " in line for line in lines) == 30 + 1  # and the key


async def test_twelve_equal_samples_are_one_line() -> None:
    events: list[Event] = []
    model = Scripted(lambda request: "so \\boxed{42}")
    verifiers = {"v": ByText({"42": 0.5})}
    knobs = {"n": 12}
    await go(
        model, "best_of_n", publish=events.append, verifiers=verifiers, verifier="v", knobs=knobs
    )
    lines = drawn(picture(fold(PROBLEM, events), ASKED, "42"))
    assert len(lines) == 4
    assert lines[2].startswith("└─ ★ so \\boxed{42} x 12")
    assert lines[2].endswith("= 42 · the answer")


def bushy(width: int, deep: int) -> Tree:
    """Each level of ``width`` nodes, of which the first goes on."""
    tree = planted()
    for depth in range(1, deep + 1):
        above = "a" * (depth - 1)
        for letter in "abcdefgh"[:width]:
            tree = grow(tree, above + letter, added=f"{depth}{letter}")
        left = [above + letter for letter in "bcdefgh"[: width - 1]]
        tree = drop(tree, "outranked", *left)
    return end(tree, "a" * deep)


def test_a_long_tree_is_bounded_and_its_path_is_not() -> None:
    shown = picture(bushy(8, 12), ASKED)
    lines = drawn(shown, 80, 20)
    assert sum("●" in line for line in lines) == 11 + 1
    assert lines[-1] == "20 of 96 branches: --all prints all"
    assert sum(line.endswith("and 7 more: outranked") for line in lines) == 10
    assert len(drawn(shown, 80, None)) == 8 * 12 + 3
    assert not any(" more" in line for line in drawn(shown, 80, None))
