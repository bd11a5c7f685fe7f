"""A run as a tree, from its journal alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.cli.tree import Branch, branches, mermaid, page
from ponder.core.errors import ModelTimeout
from ponder.models.base import Request
from ponder.models.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.runner import Runner
from tests.cli.test_solve import QUESTION, ponder
from tests.strategies.test_beams import VALUES, ByPath, Tree
from tests.support.jobs import job


async def searched(folder: Path, lose: str = "") -> list[str]:
    """The outline of a beam search of two, as lines with their depth."""
    tree = Tree()

    def reply(request: Request) -> str | ModelTimeout:
        said = tree(request)
        return ModelTimeout("gone") if lose and said.startswith(lose) else said

    journal = Journal(folder / "runs.sqlite")
    run = journal.create({})
    asked = job(
        Scripted(reply),
        "beam_search",
        knobs={"width": 2, "fan": 2},
        verifiers={"v": ByPath(VALUES.get)},
        verifier="v",
    )
    await Runner(asked, journal=journal, run=run).go()
    roots = branches(journal.calls(run))
    journal.close()
    lines: list[str] = []

    def walk(branch: Branch, depth: int) -> None:
        lines.append("  " * depth + branch.label)
        for child in branch.children:
            walk(child, depth + 1)

    for root in roots:
        walk(root, 0)
    assert all(label.split(" ·")[0].strip() in mermaid("q", roots) for label in lines)
    return lines


async def test_a_beam_search_by_hand(tmp_path: Path) -> None:
    assert await searched(tmp_path) == [
        "a · 1 tokens · 0.900",
        "  a · 1 tokens · 0.300 · not continued",
        "  b · 1 tokens · 0.400",
        "    a \\boxed{aba} · 2 tokens · 0.350 · = aba",
        "    b \\boxed{abb} · 2 tokens · 0.300 · = abb",
        "b · 1 tokens · 0.200",
        "  a · 1 tokens · 0.100 · not continued",
        "  b · 1 tokens · 0.500",
        "    a \\boxed{bba} · 2 tokens · 0.700 · = bba",
        "    b \\boxed{bbb} · 2 tokens · 0.800 · = bbb",
        "a · 1 tokens · not continued",
        "b · 1 tokens · not continued",
    ]


async def test_what_was_lost_is_not_there(tmp_path: Path) -> None:
    assert not any(line.startswith("b") for line in await searched(tmp_path, lose="b\n"))


def test_a_page_shows_what_a_model_wrote_and_obeys_nothing(tmp_path: Path) -> None:
    root = Branch("0", "", "<script>alert(1)</script>", 3, "stop", "<b>")
    made = page("a & b", [root])
    assert "<script" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made
    assert "a &amp; b" in made
    assert "http" not in made
    assert '"<' not in mermaid('say "x"', [root])


def test_the_command_prints_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = ("--journal", str(tmp_path / "runs.sqlite"))
    solve = ("-m", "simulated", "-s", "best_of_n", "--set", "n=2", "-q", *book)
    assert ponder(capsys, "solve", QUESTION, *solve)[0] == 0
    code, out, _ = ponder(capsys, "runs", "show", "2", "--tree", *book)
    assert code == 0
    assert out.splitlines()[0] == QUESTION
    assert out.count("tokens") == 2
    for suffix, begins in ((".html", "<!doctype html>"), (".mmd", "flowchart TD")):
        target = tmp_path / f"tree{suffix}"
        code, _, err = ponder(capsys, "runs", "show", "2", "--export", str(target), *book)
        assert (code, err) == (0, f"wrote {target}\n")
        assert target.read_text().startswith(begins)
    for bad, why in (("tree.txt", "writes FILE.html or FILE.mmd"), ("no/t.mmd", "cannot write")):
        code, _, err = ponder(capsys, "runs", "show", "2", "--export", str(tmp_path / bad), *book)
        assert code == 2
        assert why in err
