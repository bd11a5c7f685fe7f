"""MCTS and AB-MCTS: golden runs on a tree of known values, and what they are to avoid."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.problem import Problem
from ponder.core.trace import Score, Trace
from ponder.models.base import Request
from ponder.models.scripted import Scripted
from ponder.policies.tree import Node
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies.ab_mcts import descend
from tests.strategies.test_beams import VALUES, search
from tests.support.jobs import PROBLEM, job


async def test_mcts_visits_as_the_table_by_hand_says() -> None:
    """The order of tests/policies/test_tree.py."""
    knobs = {"expansions": 5, "fan": 2, "choose": "value"}
    result, verifier, model = await search("mcts", knobs)
    assert verifier.seen == ["a", "b", "aa", "ab", "ba", "bb", "aba", "abb", "bba", "bbb"]
    assert result.answer == "bbb"
    assert len(model.requests) == 10


async def test_mcts_finds_the_best_path_when_it_may_see_all() -> None:
    knobs = {"expansions": 99, "fan": 2, "choose": "value"}
    result, verifier, _ = await search("mcts", knobs)
    assert result.answer == "bab"
    assert len(verifier.seen) == len(VALUES)  # then all is closed, and it ends


async def test_the_most_visited_branch_is_finished_if_it_is_not() -> None:
    result, _, model = await search("mcts", {"expansions": 1, "fan": 2})
    assert result.answer is not None
    assert result.answer.startswith("a")
    assert len(model.requests) == 3


async def test_a_rollout_judges_a_beginning_by_its_end() -> None:
    knobs = {"expansions": 1, "fan": 2, "rollout": True, "choose": "value"}
    result, verifier, model = await search("mcts", knobs)
    assert sorted(verifier.seen) == ["aaa", "baa"]
    assert len(model.requests) == 4
    assert result.answer == "baa"


async def test_puct_prefers_what_is_likely() -> None:
    knobs = {"expansions": 3, "fan": 2, "rule": "puct", "c": 0.0, "choose": "value"}
    _, verifier, _ = await search("mcts", knobs)
    assert verifier.seen == ["a", "b", "aa", "ab", "aba", "abb"]  # c = 0 is greedy


async def test_progressive_widening_comes_back_to_a_node() -> None:
    """By hand: 1 visit allows 1 branch; the root has one, then two after its second visit."""
    knobs = {"expansions": 4, "fan": 1, "alpha": 0.5, "c": 0.0, "choose": "value"}
    _, verifier, _ = await search("mcts", knobs)
    assert verifier.seen == ["a", "aa", "b", "ab"]


@pytest.mark.parametrize("tokens", [20, 60, 150])
@pytest.mark.parametrize("strategy", ["mcts", "ab_mcts"])
async def test_budgets_are_kept(strategy: str, tokens: int) -> None:
    result, _, _ = await search(strategy, {}, budget=Budget(tokens=tokens))
    assert result.receipt.total.cost.tokens <= tokens


# AB-MCTS ------------------------------------------------------------------------------------------


class Grader:
    """Half a point for a fresh attempt; a revision is worth what its chain says."""

    name = "grader"
    needs_logprobs = False
    joint = False
    models: tuple[str, ...] = ()

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        return [Score(float(t.answer.text) if t.answer else 0.0, self.name) for t in traces]


async def attempts(reply: Any, n: int, **knobs: Any) -> tuple[Result, Scripted]:
    model = Scripted(reply)
    asked = job(
        model, "ab_mcts", knobs={"n": n, **knobs}, verifiers={"grader": Grader()}, verifier="grader"
    )
    return await Runner(asked).go(), model


def depth(request: Request) -> int:
    return sum(m.role == "assistant" for m in request.messages)


async def test_it_goes_deeper_where_revisions_help() -> None:
    def improving(request: Request) -> str:
        return f"\\boxed{{{0.9 if depth(request) else 0.1}}}"

    result, model = await attempts(improving, 24)
    assert result.answer == "0.9"
    assert len(model.requests) == 24
    assert sum(depth(r) > 0 for r in model.requests) > 16


async def test_it_goes_wider_where_they_do_not() -> None:
    def spoiling(request: Request) -> str:
        return f"\\boxed{{{0.0 if depth(request) else 0.9}}}"

    result, model = await attempts(spoiling, 24)
    assert result.answer == "0.9"
    assert sum(depth(r) == 0 for r in model.requests) > 16


async def test_a_revision_hears_what_was_said_of_its_parent() -> None:
    _, model = await attempts(lambda r: f"\\boxed{{{0.9 if depth(r) else 0.1}}}", 12)
    revised = [r.messages[-1].content for r in model.requests if depth(r)]
    assert any("This attempt was judged: 0.10 of 1." in text for text in revised)


async def test_batches_are_attempts_at_once() -> None:
    _, model = await attempts(lambda r: "\\boxed{0.5}", 10, batch=4)
    assert len(model.requests) == 10
    assert all(depth(r) == 0 for r in model.requests[:4])


def test_the_root_is_expanded_first() -> None:
    root = Node((Trace.empty(PROBLEM), Score(None, "")))
    assert descend(root, random.Random(0)) is root


def test_descent_follows_the_better_child() -> None:
    """With 200 good scores below one child and 200 bad ones below the other."""
    root = Node((Trace.empty(PROBLEM), Score(None, "")))
    poor = root.add((Trace.empty(PROBLEM), Score(0.0, "v")))
    rich = root.add((Trace.empty(PROBLEM), Score(1.0, "v")))
    for _ in range(200):
        rich.add((Trace.empty(PROBLEM), Score(1.0, "v")))
        poor.add((Trace.empty(PROBLEM), Score(0.0, "v")))
    found = [descend(root, random.Random(seed)) for seed in range(20)]
    assert not any(node is poor or node.parent is poor for node in found)
