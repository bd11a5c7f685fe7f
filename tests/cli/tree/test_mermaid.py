"""A run's tree as Mermaid."""

from __future__ import annotations

from ponder.cli.tree.mermaid import CHARACTERS, EDGES, flowchart
from ponder.cli.tree.picture import picture
from ponder.core.record.events import SampleFinished, Steered
from ponder.core.record.search import apply
from ponder.core.record.steering import Action
from ponder.core.trace import Trace
from tests.support.jobs import PROBLEM
from tests.support.pictures import ASKED, beam
from tests.support.trees import grow, name_of, planted


def test_a_search_in_mermaid() -> None:
    assert flowchart(picture(beam(), ASKED)) == (
        "flowchart TD\n"
        '  n0["What is six times seven ?"]\n'
        '  n0 ==> n1["a · 2 tokens · 0.90"]\n'
        '  n1 -.-> n2["a · 2 tokens · 0.35 · outranked"]\n'
        '  n1 ==> n3["b · 2 tokens · 0.80 · = 42 · the answer"]\n'
        "  style n3 stroke-width:4px\n"
        '  n0 -.-> n4["b · 2 tokens · 0.20 · outranked"]\n',
        0,
    )


def test_hints_in_mermaid() -> None:
    tree = apply(planted("a"), Steered(Action("hint", text='say "so"', by="ann"), (name_of("a"),)))
    text, _ = flowchart(picture(apply(tree, Steered(Action("hint", text="use 6 * 7"))), ASKED))
    assert 'n0["What is six times seven ? · hint: use 6 * 7"]' in text
    assert 'n1["a · 2 tokens · hint by ann: say #34;so#34; · not continued"]' in text


def test_mermaid_obeys_nothing_that_was_written() -> None:
    tree = grow(planted(), "a", added='#1 & "x" <script>')
    text, _ = flowchart(picture(tree, 'say "x"'))
    assert 'n0["say #34;x#34;"]' in text
    assert 'n1["#35;1 #38; #34;x#34; #60;script> ·' in text


def test_mermaid_keeps_its_own_limits() -> None:
    tree = planted()
    for i in range(700):
        trace = Trace(PROBLEM, f"{i} " + "so we add " * 9, 3, "stop", None, None, str(i))
        tree = apply(tree, SampleFinished(trace.id, trace, False))
    text, left_out = flowchart(picture(tree, ASKED))
    lines = text.splitlines()
    assert len(text) <= CHARACTERS
    assert len(lines) <= EDGES
    drawn_nodes = sum(line.startswith("  n0 --> n") for line in lines)
    assert drawn_nodes + left_out == 700
    assert f"and {left_out} more: ended without an answer" in text
    assert drawn_nodes > 300
