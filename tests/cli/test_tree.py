"""A run's tree as it is shown: what equal branches become, what is left out, what is drawn."""

from __future__ import annotations

import functools
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from ponder.cli import tree_view
from ponder.cli.tree import Branch, Picture, leading, picture, rest
from ponder.cli.tree_view import CHARACTERS, EDGES, Drawing, mermaid
from ponder.core.events import Event, Forked, Judged, Revised, SampleFinished, Steered
from ponder.core.search import TWIN, Tree, apply, fold
from ponder.core.steering import Action
from ponder.core.trace import Finish, Score, Trace
from ponder.models.fakes.scripted import Scripted
from tests.support.commands import QUESTION, ponder
from tests.support.jobs import PROBLEM, ByText, go
from tests.support.trees import drop, end, grow, judge, name_of, planted, visit

ASKED = "What is six times seven ?"


def drawn(shown: Picture, width: int = 80, most: int | None = None) -> list[str]:
    """The lines of the terminal."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(Drawing(shown, most))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def branch(shown: Picture, path: str) -> Branch:
    return next(b for b in shown.branches if b.node.id == name_of(path))


def beam() -> Tree:
    """Two beginnings; of the first's continuations one was outranked, one became the answer."""
    tree = grow(planted("a", "b", "aa"), "ab", answer="42")
    tree = judge(judge(judge(judge(tree, "a", 0.9), "b", 0.2), "aa", 0.35), "ab", 0.8)
    return end(drop(drop(tree, "outranked", "b"), "outranked", "aa"), "ab")


# Branches -----------------------------------------------------------------------------------------


def test_a_branch_is_what_a_node_added() -> None:
    shown = picture(beam(), ASKED, "42")
    ab = branch(shown, "ab")
    assert (ab.added, ab.tokens, ab.depth, ab.continues) == ("b", 2, 2, True)
    assert (ab.answer, ab.outcome, ab.on_path, ab.chosen) == ("42", "the answer", True, True)
    assert (branch(shown, "a").on_path, branch(shown, "a").chosen) == (True, False)
    assert (branch(shown, "aa").outcome, branch(shown, "aa").on_path) == ("outranked", False)
    assert (shown.title, shown.answer, shown.nodes) == (ASKED, "42", 4)


def test_a_revision_adds_all_of_its_text() -> None:
    tree = grow(planted(), "a", answer="41", added="so 41")
    tree = apply(grow(tree, "b", answer="42", added="no, 42"), Revised(name_of("b"), name_of("a")))
    revision = branch(picture(tree, ASKED), "b")
    assert (revision.added, revision.tokens, revision.continues) == ("no, 42", 2, False)
    assert revision.depth == 2


def test_a_chain_that_was_made_to_answer_adds_what_follows_its_text() -> None:
    tree = grow(planted(), "a", added="so\n\n")
    trace = Trace(PROBLEM, "so The answer is 42", 9, "stop", None, None, "7", name_of("a"))
    tree = apply(tree, SampleFinished("7", trace, False))
    assert [b.added for b in picture(tree, ASKED).branches] == ["", "so\n\n", " The answer is 42"]


def ended(finish: Finish, answer: str | None) -> Tree:
    tree = grow(planted(), "a", done=True, answer=answer)
    [node] = [n for n in tree.nodes.values() if n.id]
    trace = replace(node.trace, finish=finish)
    return apply(planted(), SampleFinished(trace.id, trace, False))


@pytest.mark.parametrize(
    ("tree", "outcome"),
    [
        (planted("a"), "not continued"),
        (planted("a", "aa"), ""),
        (ended("stop", None), "ended without an answer"),
        (ended("length", None), "truncated"),
        (ended("stop", "42"), ""),
        (drop(planted("a"), "below 0.2", "a"), "below 0.2"),
        (drop(planted("a"), "", "a"), "dropped"),
        (end(planted("a"), "a"), "the best so far"),
        (end(ended("stop", "42"), "a"), "the answer"),
    ],
)
def test_each_end_has_its_words(tree: Tree, outcome: str) -> None:
    assert branch(picture(tree, ASKED), "a").outcome == outcome


def test_what_a_person_did_is_said() -> None:
    acts: list[Event] = [
        Steered(Action("pin", name_of("a"), by="ann")),
        Steered(Action("more", name_of("a"), count=2)),
        Steered(Action("edit", name_of("b"), text="better")),
        Forked("s0.0", "better", name_of("b")),
    ]
    tree = functools.reduce(apply, acts, planted("a", "b"))
    shown = picture(drop(tree, "edited", "b"), ASKED)
    assert branch(shown, "a").notes == ("pinned by ann", "continued further")
    assert branch(shown, "b").outcome == "edited"
    fork = next(b for b in shown.branches if b.node.id == "s0.0")
    assert (fork.notes, fork.added) == ((f"edit of {name_of('b')}",), "better")
    assert [b.steered for b in shown.branches] == [False, True, True, True]


# Equal branches -----------------------------------------------------------------------------------


def votes(*said: str) -> Tree:
    """Chains from the question that said these, and end with the last word as their answer."""
    tree = planted()
    for letter, text in zip("abcdefgh", said, strict=False):
        tree = grow(tree, letter, added=text, answer=text.split()[-1])
    return tree


def numbers(tree: Tree) -> list[tuple[str, int]]:
    return [(b.added, b.count) for b in picture(tree, ASKED).branches[1:]]


def test_equal_chains_are_one_branch() -> None:
    assert numbers(votes("so 1", "so 2", "so 1", "so 1")) == [("so 1", 3), ("so 2", 1)]
    assert numbers(votes("so 1", "hm 1")) == [("so 1", 1), ("hm 1", 1)]
    assert numbers(votes(*["so 1"] * 8)) == [("so 1", 8)]


def test_the_one_on_the_path_stands_for_its_equals() -> None:
    tree = end(votes("so 1", "so 1", "so 1"), "b")
    [_, stands] = picture(tree, ASKED).branches
    assert (stands.node.id, stands.chosen) == (name_of("b"), True)
    assert [node.id for node in stands.equals] == [name_of("a"), name_of("c")]


@pytest.mark.parametrize(
    "tree",
    [
        drop(votes("so 1", "so 1"), "outranked", "b"),
        drop(drop(votes("so 1", "so 1"), "outranked", "a"), "below 0.2", "b"),
        apply(votes("so 1", "so 1"), Steered(Action("pin", name_of("a")))),
        grow(grow(grow(planted(), "a", added="so"), "b", added="so"), "ba"),
    ],
    ids=["one was dropped", "for other reasons", "one is pinned", "one was continued"],
)
def test_branches_with_different_fates_are_not_equal(tree: Tree) -> None:
    assert [count for _, count in numbers(tree)][:2] == [1, 1]


def test_a_twin_counts_with_the_one_that_it_repeats() -> None:
    """The original went on; the twins were dropped before anybody judged them."""
    tree = planted()
    for letter in "abc":
        tree = grow(tree, letter, added="so")
    tree = grow(drop(tree, TWIN, "b", "c"), "aa")
    assert numbers(tree) == [("so", 3), ("a", 1)]
    alone = drop(grow(planted(), "a", added="so"), TWIN, "a")
    assert numbers(alone) == [("so", 1)]


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


_paths = st.lists(st.text("abc", min_size=1, max_size=4), max_size=30)


@given(_paths, st.sampled_from(["", "same"]), st.integers(0, 12))
def test_every_node_is_counted_once_and_every_bound_is_kept(
    paths: list[str], added: str, most: int
) -> None:
    wanted = dict.fromkeys(path[:n] for path in paths for n in range(1, len(path) + 1))
    tree = functools.reduce(lambda t, path: grow(t, path, added=added), wanted, planted())
    tree = end(tree, paths[-1]) if paths else tree
    shown = picture(tree, ASKED)
    ids = [node.id for b in shown.branches for node in (b.node, *b.equals)]
    assert sorted(ids) == sorted(tree.nodes)
    assert all(b.parent < place for place, b in enumerate(shown.branches))
    assert {b.node.id for b in shown.branches if b.on_path} == tree.path
    chosen = leading(shown, most)
    assert len(chosen) == min(most + 1, len(shown.branches))
    assert all(shown.branches[place].parent in chosen for place in chosen - {0})
    path = [place for place, b in enumerate(shown.branches) if b.on_path]
    assert len(path) > most or chosen.issuperset(path)
    lines = drawn(shown, 60, most)
    assert all(cell_len(line) <= 60 for line in lines)
    hidden = sum(
        int(m.group(2) or m.group(1))
        for line in lines
        if (m := re.search(r"and (\d+) more(?: \((\d+) with all beneath\))?:", line))
    )
    assert hidden + sum(shown.branches[place].count for place in chosen) == len(tree)


# Terminal -----------------------------------------------------------------------------------------


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


def test_what_is_left_out_is_counted_by_its_reasons() -> None:
    tree = drop(drop(planted(*"abcdef", "ea"), "outranked", *"abc"), "below 0.2", "d")
    shown = picture(tree, ASKED)
    said = "and 6 more (7 with all beneath): 3 outranked, 1 below 0.2, 1 continued"
    assert rest(shown, 0, frozenset({0})) == f"{said}, 1 for other reasons"
    assert rest(shown, 0, frozenset(range(len(shown.branches)))) == ""
    many = picture(votes("so 1", "hm 1", "ah 1", "so 2"), ASKED)
    assert rest(many, 0, leading(many, 2)) == "and 2 more: ended with 1"


# Mermaid ------------------------------------------------------------------------------------------


def test_a_search_in_mermaid() -> None:
    assert mermaid(picture(beam(), ASKED)) == (
        "flowchart TD\n"
        '  n0["What is six times seven ?"]\n'
        '  n0 ==> n1["a · 2 tokens · 0.90"]\n'
        '  n1 -.-> n2["a · 2 tokens · 0.35 · outranked"]\n'
        '  n1 ==> n3["b · 2 tokens · 0.80 · = 42 · the answer"]\n'
        "  style n3 stroke-width:4px\n"
        '  n0 -.-> n4["b · 2 tokens · 0.20 · outranked"]\n',
        0,
    )


def test_mermaid_obeys_nothing_that_was_written() -> None:
    tree = grow(planted(), "a", added='#1 & "x" <script>')
    text, _ = mermaid(picture(tree, 'say "x"'))
    assert 'n0["say #34;x#34;"]' in text
    assert 'n1["#35;1 #38; #34;x#34; #60;script> ·' in text


def test_mermaid_keeps_its_own_limits() -> None:
    tree = planted()
    for i in range(700):
        trace = Trace(PROBLEM, f"{i} " + "so we add " * 9, 3, "stop", None, None, str(i))
        tree = apply(tree, SampleFinished(trace.id, trace, False))
    text, left_out = mermaid(picture(tree, ASKED))
    lines = text.splitlines()
    assert len(text) <= CHARACTERS
    assert len(lines) <= EDGES
    drawn_nodes = sum(line.startswith("  n0 --> n") for line in lines)
    assert drawn_nodes + left_out == 700
    assert f"and {left_out} more: ended without an answer" in text
    assert drawn_nodes > 300


# The command --------------------------------------------------------------------------------------


def test_the_command_prints_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = ("--journal", str(tmp_path / "runs.sqlite"))
    mcts = ("-m", "simulated", "-s", "mcts", "--set", "expansions=1", "-q", *book)
    assert ponder(capsys, "solve", QUESTION, *mcts)[0] == 0
    _, out, _ = ponder(capsys, "runs", "list", "--json", *book)
    [run] = [row["run"] for row in json.loads(out)]
    code, out, _ = ponder(capsys, "runs", "show", run, "--tree", *book)
    assert code == 0
    assert out.splitlines()[0] == QUESTION
    assert out.count("· the answer") == 1
    assert ponder(capsys, "runs", "show", run, "--tree", "--all", *book)[:2] == (0, out)
    assert "give it with --tree" in ponder(capsys, "runs", "show", run, "--all", *book)[2]
    for suffix, begins in ((".html", "<!doctype html>"), (".mmd", "flowchart TD")):
        target = tmp_path / f"tree{suffix}"
        said = ("runs", "show", run, "--export", str(target), *book)
        assert ponder(capsys, *said) == (0, "", f"wrote {target}\n")
        assert target.read_text().startswith(begins)
        target.write_text("mine")
        refused = f"ponder: {target} exists: choose another name, or say --force.\n"
        assert ponder(capsys, *said) == (2, "", refused)
        assert target.read_text() == "mine"
        assert ponder(capsys, *said, "--force")[0] == 0
        assert target.read_text().startswith(begins)
    for bad, why in (("tree.txt", "writes FILE.html or FILE.mmd"), ("no/t.mmd", "cannot write")):
        code, _, err = ponder(capsys, "runs", "show", run, "--export", str(tmp_path / bad), *book)
        assert code == 2
        assert why in err


def test_the_command_says_what_mermaid_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_view, "EDGES", 9)
    book = ("--journal", str(tmp_path / "runs.sqlite"))
    wide = ("-m", "simulated", "-s", "mcts", "--set", "expansions=3", "-q", *book)
    assert ponder(capsys, "solve", QUESTION, *wide)[0] == 0
    _, out, _ = ponder(capsys, "runs", "list", "--json", *book)
    run, target = json.loads(out)[0]["run"], tmp_path / "wide.mmd"
    _, _, err = ponder(capsys, "runs", "show", run, "--export", str(target), *book)
    assert "Mermaid draws no more than 50,000 characters and 9 edges, so " in err
    assert len(target.read_text().splitlines()) <= 9
