"""A run as a tree, from its journal alone: branches, scores, visits, what was pruned and why."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ponder.cli.tree import Branch, branches
from ponder.cli.tree_view import mermaid, page
from ponder.core.budget import Budget
from ponder.core.effects import Sampling
from ponder.core.errors import ModelTimeout
from ponder.models.base import Completion, Request
from ponder.models.fakes.scripted import Scripted
from ponder.planning.spec import Spec
from ponder.policies.tree import Node
from ponder.runtime.journal import Journal
from ponder.runtime.runner import Runner
from ponder.strategies import registry
from ponder.strategies.knobs import read
from tests.cli.test_solve import QUESTION, ponder
from tests.strategies.test_all_resume import KNOBS, Opinion, reply
from tests.strategies.test_beams import VALUES, ByPath, Tree
from tests.strategies.test_trees import thinker
from tests.support.jobs import PROBLEM, job


async def run(
    folder: Path, strategy: str, model: Scripted, *, verifier: Any = None, **knobs: Any
) -> list[Branch]:
    """The branches of one run; unless told, chains are scored by the path they have taken."""
    journal = Journal(folder / "runs.sqlite")
    name = journal.create({})
    asked = job(
        model,
        strategy,
        knobs=knobs,
        verifiers={"v": verifier or ByPath(VALUES.get)},
        verifier="v",
    )
    await Runner(asked, journal=journal, run=name).go()
    known = read(registry.find(strategy).knobs, knobs)
    spec = Spec(PROBLEM, "m", strategy, known, Sampling(100), Budget(), "v")
    roots = branches(journal.calls(name), spec)
    journal.close()
    return roots


def outline(roots: Sequence[Branch]) -> list[str]:
    """A line for each branch, indented as deep as it is. The exports say the same."""
    lines: list[str] = []

    def add(branch: Branch, depth: int) -> None:
        assert branch.label in page("q", roots)
        assert branch.label in mermaid("q", roots)
        lines.append("  " * depth + branch.label)
        for child in branch.children:
            add(child, depth + 1)

    for root in roots:
        add(root, 0)
    return lines


def of_all(roots: Sequence[Branch]) -> list[Branch]:
    return [branch for root in roots for branch in root.walk()]


async def test_a_beam_search_by_hand(tmp_path: Path) -> None:
    assert outline(await run(tmp_path, "beam_search", Scripted(Tree()), width=2, fan=2)) == [
        "a · 1 tokens · 0.900",
        "  a · 1 tokens · 0.300 · pruned: 2 ranked higher",
        "  b · 1 tokens · 0.400",
        "    a \\boxed{aba} · 2 tokens · 0.350 · = aba",
        "    b \\boxed{abb} · 2 tokens · 0.300 · = abb",
        "b · 1 tokens · 0.200",
        "  a · 1 tokens · 0.100 · pruned: 3 ranked higher",
        "  b · 1 tokens · 0.500",
        "    a \\boxed{bba} · 2 tokens · 0.700 · = bba",
        "    b \\boxed{bbb} · 2 tokens · 0.800 · = bbb",
        "a · 1 tokens · pruned: says the same as another",
        "b · 1 tokens · pruned: says the same as another",
    ]


async def test_without_a_specification_nobody_says_why(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    name = journal.create({})
    asked = job(
        Scripted(Tree()),
        "dvts",
        knobs={"trees": 1, "fan": 2},
        verifiers={"v": ByPath(VALUES.get)},
        verifier="v",
    )
    await Runner(asked, journal=journal, run=name).go()
    labels = [branch.label for branch in of_all(branches(journal.calls(name)))]
    assert labels[-1].endswith("not continued")
    assert not any("pruned" in label for label in labels)
    journal.close()


async def test_what_was_only_looked_at_ahead_says_so(tmp_path: Path) -> None:
    """What a beginning was judged by stands below it."""
    knobs = {"width": 1, "fan": 2, "lookahead": 1}
    assert outline(await run(tmp_path, "beam_search", Scripted(Tree()), **knobs))[:4] == [
        "a · 1 tokens",
        "  a · 1 tokens · 0.300 · looked ahead",
        "  b · 1 tokens",
        "    a \\boxed{aba} · 2 tokens · 0.350 · = aba · looked ahead",
    ]


async def test_dvts_keeps_the_best_of_each_tree(tmp_path: Path) -> None:
    assert outline(await run(tmp_path, "dvts", Scripted(Tree()), trees=1, fan=2)) == [
        "a · 1 tokens · 0.900",
        "  a · 1 tokens · 0.300 · pruned: 1 ranked higher",
        "  b · 1 tokens · 0.400",
        "    a \\boxed{aba} · 2 tokens · 0.350 · = aba",
        "    b \\boxed{abb} · 2 tokens · 0.300 · = abb",
        "b · 1 tokens · 0.200 · pruned: 1 ranked higher",
    ]


VALUED = {"a": "impossible.", "b": "Likely", "ba": "impossible", "bb": "sure!", "aa": "sure"}


async def test_a_tree_of_thoughts_shows_what_the_model_said_of_its_thoughts(tmp_path: Path) -> None:
    broad = await run(tmp_path, "tree_of_thoughts", Scripted(thinker(VALUED)), width=1, fan=2)
    assert outline(broad) == [
        "a · 1 tokens · 0.000 · pruned: 1 ranked higher",
        "b · 1 tokens · 0.500",
        "  a \\boxed{ba} · 2 tokens · 0.000 · = ba",
        "  b \\boxed{bb} · 2 tokens · 1.000 · = bb",
    ]
    (tmp_path / "deep").mkdir()
    knobs = {"search": "dfs", "fan": 2, "votes": 2}
    deep = await run(tmp_path / "deep", "tree_of_thoughts", Scripted(thinker(VALUED)), **knobs)
    assert outline(deep)[0] == "a · 1 tokens · 0.000 · pruned: below 0.2"


async def test_particles_that_were_not_drawn(tmp_path: Path) -> None:
    """Of 'a' and 'b', both drawn twice, only 'b' is likely."""
    likely = ByPath(lambda path: float(path.startswith("b")))
    knobs = {"n": 4, "threshold": 1.0}
    roots = await run(tmp_path, "particle_filter", Scripted(Tree()), verifier=likely, **knobs)
    left = "1 tokens · 0.000 · pruned: not drawn when chains were resampled"
    assert [label for label in outline(roots) if label.startswith("a")] == [f"a · {left}"] * 2
    assert sum(len(root.children) for root in roots) == 4


async def test_steps_that_did_not_hold(tmp_path: Path) -> None:
    """Nothing holds after 'a', so it goes, and 'b' comes after the question."""
    holds = ByPath(lambda path: float(path in ("a", "b", "ba", "baa", "bab")))
    roots = await run(
        tmp_path, "verify_and_backtrack", Scripted(Tree()), verifier=holds, tries=2, most=9
    )
    assert outline(roots) == [
        "a · 1 tokens · 1.000 · pruned: nothing held after it in 2 tries",
        "  a · 1 tokens · 0.000 · pruned: below 0.5",
        "  b · 1 tokens · 0.000 · pruned: below 0.5",
        "b · 1 tokens · 1.000",
        "  a · 1 tokens · 1.000",
        "    a \\boxed{baa} · 2 tokens · 1.000 · = baa",
    ]


async def test_chains_that_became_unsure(tmp_path: Path) -> None:
    """Drawn whole at p = 0.9; of the next two, one goes on at that, one falls to 0.5."""
    replies = iter(
        [
            Completion("so \\boxed{1}", "stop", 3, 4, logprobs=(math.log(0.9),) * 4),
            Completion("so \\boxed{2}", "stop", 3, 4, logprobs=(math.log(0.9),) * 4),
            Completion("hm", "length", 3, 4, logprobs=(math.log(0.5),) * 4),
            Completion("so \\boxed{2}", "stop", 3, 4, logprobs=(math.log(0.9),) * 4),
        ]
    )
    model = Scripted(lambda request: next(replies))
    knobs = {"n": 4, "warmup": 2, "window": 4}
    roots = await run(tmp_path, "confident", model, **knobs)
    assert "hm · 4 tokens · pruned: its confidence fell below 0.900" in outline(roots)


# Visits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [
        ("mcts", {"expansions": 5, "fan": 2}),
        ("mcts", {"expansions": 4, "fan": 2, "rollout": True}),
        ("mcts", {"expansions": 6, "fan": 1, "alpha": 0.5}),
        ("ab_mcts", {"n": 12}),
        ("ab_mcts", {"n": 12, "batch": 4}),
    ],
)
async def test_visits_are_those_that_the_search_counted(
    strategy: str, knobs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Node[Any]] = []

    def node(state: Any) -> Node[Any]:
        made.append(Node(state))
        return made[-1]

    monkeypatch.setattr(f"ponder.strategies.{strategy}.Node", node)
    if strategy == "mcts":
        roots = await run(tmp_path, strategy, Scripted(Tree()), **knobs)
    else:
        unlike = Scripted(lambda request: f"by {request.seed} \\boxed{{1}}")
        roots = await run(tmp_path, strategy, unlike, verifier=Opinion(), **knobs)
    found = {branch.id: branch for branch in of_all(roots)}
    nodes = list(made[0].walk())[1:]
    assert len(nodes) >= 6
    assert max(node.visits for node in nodes) > 1
    for below in nodes:
        trace = below.state if strategy == "mcts" else below.state[0]
        branch = found[trace.id]
        assert branch.visits == below.visits
        assert branch.total == pytest.approx(below.total)
        seen = f"{below.visits} visit{'s' * (below.visits > 1)}, mean {below.mean:.3f}"
        assert seen in branch.label
        parent = below.parent
        assert parent is not None
        above = parent.state if strategy == "mcts" else parent.state[0]
        assert branch.parent == above.id


async def test_mcts_by_hand(tmp_path: Path) -> None:
    """tests/policies/test_tree.py, after two expansions: the root, then 'a'; then to the end."""
    assert outline(await run(tmp_path, "mcts", Scripted(Tree()), expansions=2, fan=2)) == [
        "a · 1 tokens · 0.900 · 3 visits, mean 0.533",
        "  a · 1 tokens · 0.300 · 1 visit, mean 0.300 · never expanded",
        "  b · 1 tokens · 0.400 · 1 visit, mean 0.400",
        "    a \\boxed{aba} · 2 tokens · = aba",
        "b · 1 tokens · 0.200 · 1 visit, mean 0.200 · never expanded",
    ]


async def test_attempts_stand_below_those_that_they_were_made_of(tmp_path: Path) -> None:
    def attempt(request: Request) -> str:
        before = sum(m.role == "assistant" for m in request.messages)
        return f"\\boxed{{{before}}}"

    two = await run(tmp_path, "sequential_parallel", Scripted(attempt), n=5, chains=2, memory=9)
    assert [len(list(root.walk())) for root in two] == [3, 2]
    assert outline(two[:1]) == [
        "\\boxed{0} · 1 tokens · = 0",
        "  \\boxed{1} · 1 tokens · = 1",
        "    \\boxed{2} · 1 tokens · = 2",
    ]
    scored = ByPath(dict.fromkeys("01", 0.5).get)
    (tmp_path / "refine").mkdir()
    [root] = await run(tmp_path / "refine", "refine", Scripted(attempt), verifier=scored, rounds=3)
    assert [branch.answer for branch in root.walk()] == ["0", "1", "1"]


async def test_visits_are_shown_only_where_a_search_counts_them(tmp_path: Path) -> None:
    roots = await run(tmp_path, "beam_search", Scripted(Tree()), width=2, fan=2)
    assert not any("visit" in line for line in outline(roots))


@pytest.mark.parametrize("strategy", KNOBS)
async def test_any_strategy_is_a_tree_of_all_that_may_become_its_answer(
    strategy: str, tmp_path: Path
) -> None:
    """Every branch stands in it once, and what is open and was left says so."""
    model = Scripted(reply)
    roots = await run(tmp_path, strategy, model, verifier=Opinion(), **KNOBS[strategy])
    found = of_all(roots)
    assert len({branch.id for branch in found}) == len(found) > 0
    assert len(found) <= len(model.requests)
    assert outline(roots)


@pytest.mark.parametrize(("lost", "left"), [("b\n", 0), ("b \\boxed{bbb", 4)])
async def test_what_was_lost_is_not_there(lost: str, left: int, tmp_path: Path) -> None:
    tree = Tree()

    def losing(request: Request) -> str | ModelTimeout:
        said = tree(request)
        return ModelTimeout("gone") if said.startswith(lost) else said

    lines = outline(await run(tmp_path, "beam_search", Scripted(losing), width=2, fan=2))
    assert sum("b · 1" in line for line in lines) == left
    assert not any(line.strip().startswith(lost) for line in lines)


async def test_a_beginning_whose_continuation_was_lost_says_so(tmp_path: Path) -> None:
    tree = Tree()

    def losing(request: Request) -> str | ModelTimeout:
        said = tree(request)
        return ModelTimeout("gone", prompt_tokens=3) if request.prefix.startswith("b") else said

    lines = outline(await run(tmp_path, "dvts", Scripted(losing), trees=2, fan=1))
    assert "b · 1 tokens · 0.200 · its continuation was lost: gone" in lines


def test_a_page_shows_what_a_model_wrote_and_obeys_nothing(tmp_path: Path) -> None:
    root = Branch("0", "", "<script>alert(1)</script>", 3, "stop", "<b>")
    made = page("a & b", [root])
    assert "<script" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made
    assert "a &amp; b" in made
    assert "http" not in made
    assert '"<' not in mermaid('say "x"', [root])
    assert '["#35;1 #38; #34;x#34;"]' in mermaid('#1 & "x"', [root])


async def test_the_branch_that_the_answer_came_from_is_marked(tmp_path: Path) -> None:
    roots = [Branch(i, "", "so", 3, "stop", "42", chosen=i == "1") for i in "01"]
    assert [root.label.endswith("= 42 · the answer") for root in roots] == [False, True]
    assert "style n1 " in mermaid("?", roots)
    assert "style n0 " not in mermaid("?", roots)
    assert page("?", roots).count('class="chosen"') == 1
    begun = Branch("0", "", "so", 3, None, None, why="pruned", chosen=True)
    assert begun.label == "so · 3 tokens · the best so far"


def test_the_command_prints_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = ("--journal", str(tmp_path / "runs.sqlite"))
    solve = ("-m", "simulated", "-s", "best_of_n", "--set", "n=2", "-q", *book)
    assert ponder(capsys, "solve", QUESTION, *solve)[0] == 0
    code, out, _ = ponder(capsys, "runs", "show", "2", "--tree", *book)
    assert code == 0
    assert out.splitlines()[0] == QUESTION
    assert out.count("tokens") == 2
    mcts = ("-m", "simulated", "-s", "mcts", "--set", "expansions=1", "-q", *book)
    assert ponder(capsys, "solve", QUESTION, *mcts)[0] == 0
    _, out, _ = ponder(capsys, "runs", "list", "--json", *book)
    [run, _] = [row["run"] for row in json.loads(out)]
    _, out, _ = ponder(capsys, "runs", "show", run, "--tree", *book)
    assert out.count("1 visit, mean") == 4
    assert out.count("· the answer") == 1
    for suffix, begins in ((".html", "<!doctype html>"), (".mmd", "flowchart TD")):
        target = tmp_path / f"tree{suffix}"
        code, _, err = ponder(capsys, "runs", "show", run, "--export", str(target), *book)
        assert (code, err) == (0, f"wrote {target}\n")
        assert target.read_text().startswith(begins)
        target.write_text("mine")
        code, _, err = ponder(capsys, "runs", "show", run, "--export", str(target), *book)
        assert (code, err) == (
            2, f"ponder: {target} exists: choose another name, or say --force.\n",
        )  # fmt: skip
        assert target.read_text() == "mine"
        said = ("runs", "show", run, "--export", str(target), "--force", *book)
        assert ponder(capsys, *said)[0] == 0
        assert target.read_text().startswith(begins)
    wide = ("-m", "simulated", "-s", "best_of_n", "--set", "n=600", "-q", *book)
    assert ponder(capsys, "solve", QUESTION, *wide)[0] == 0
    _, out, _ = ponder(capsys, "runs", "list", "--json", *book)
    run, target = json.loads(out)[0]["run"], tmp_path / "wide.mmd"
    _, _, err = ponder(capsys, "runs", "show", run, "--export", str(target), *book)
    assert "Mermaid draws no more than 50,000 characters" in err
    for bad, why in (("tree.txt", "writes FILE.html or FILE.mmd"), ("no/t.mmd", "cannot write")):
        code, _, err = ponder(capsys, "runs", "show", run, "--export", str(tmp_path / bad), *book)
        assert code == 2
        assert why in err
