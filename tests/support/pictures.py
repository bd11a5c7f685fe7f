"""Search trees as they are drawn, for tests."""

from __future__ import annotations

import io

from rich.console import Console

from ponder.cli.tree.picture import Branch, Picture
from ponder.cli.tree.terminal import Drawing
from ponder.core.record.search import Tree
from tests.support.trees import drop, end, grow, judge, name_of, planted

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


def votes(*said: str) -> Tree:
    """Chains from the question that said these, and end with the last word as their answer."""
    tree = planted()
    for letter, text in zip("abcdefgh", said, strict=False):
        tree = grow(tree, letter, added=text, answer=text.split()[-1])
    return tree
