"""MCTS and AB-MCTS: golden runs on a tree of known values, and what they are to avoid."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.problem import Problem
from ponder.core.record.search import ROOT, Tree
from ponder.core.trace import Score, Trace
from ponder.models.base import ModelInfo, Priced, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies.search.ab_mcts import descend, promising
from ponder.strategies.search.tree_of_thoughts import read_value
from ponder.verifiers.base import Facts
from tests.support.jobs import job
from tests.support.searching import VALUES, search, thinker
from tests.support.trees import grow, judge, path_of, planted, visit


async def test_mcts_visits_as_the_table_by_hand_says() -> None:
    """The order of tests/policies/test_tree.py."""
    knobs = {"expansions": 5, "fan": 2, "choose": "value"}
    result, verifier, model = await search("mcts", knobs)
    assert verifier.seen == ["a", "b", "aa", "ab", "ba", "bb", "aba", "abb", "bba", "bbb"]
    assert result.answer == "bbb"
    assert len(model.requests) == 10


@pytest.mark.parametrize(("best", "seen"), [(0.99, len(VALUES)), (1.0, 12)])
async def test_mcts_finds_the_best_path_when_it_may_see_all(best: float, seen: int) -> None:
    knobs = {"expansions": 99, "fan": 2, "choose": "value"}
    result, verifier, _ = await search("mcts", knobs, {**VALUES, "bab": best}.get)
    assert result.answer == "bab"
    assert len(verifier.seen) == seen  # then all is closed, or there can be no better


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


class Grader(Facts):
    """Half a point for a fresh attempt; a revision is worth what its chain says."""

    name = "grader"

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


async def test_it_ends_when_there_can_be_no_better() -> None:
    better = iter((0.25, 0.5, 0.75, 1.0))
    result, model = await attempts(lambda request: f"\\boxed{{{next(better)}}}", 12)
    assert (result.answer, len(model.requests)) == ("1.0", 4)


async def test_batches_are_attempts_at_once() -> None:
    _, model = await attempts(lambda r: "\\boxed{0.5}", 10, batch=4)
    assert len(model.requests) == 10
    assert all(depth(r) == 0 for r in model.requests[:4])


def attempted(scores: dict[str, float]) -> Tree:
    """A tree of attempts with these scores."""
    tree = planted()
    for path, value in scores.items():
        tree = visit(judge(grow(tree, path), path, value), path, value)
    return tree


def test_the_root_is_expanded_first() -> None:
    assert descend(planted(), random.Random(0)).id == ROOT


def test_descent_follows_the_better_child() -> None:
    """With many good scores below one child and many bad ones below the other."""
    below = {a + b + c: value for a, value in (("a", 0.0), ("b", 1.0)) for b in "abcdefgh"
             for c in ("", *"abcdefgh")}  # fmt: skip
    tree = attempted({"a": 0.0, "b": 1.0} | below)
    chosen = [path_of(descend(tree, random.Random(seed))) for seed in range(20)]
    assert not any(path.startswith("a") for path in chosen)


def test_of_children_that_nothing_came_of_the_better_one_is_revised() -> None:
    """Going deeper at all is as likely as the prior says: Beta(1/2, 1/2) against what is known."""
    tree = attempted({"a": 0.0, "b": 1.0})
    chosen = [path_of(descend(tree, random.Random(seed))) for seed in range(400)]
    counts = [chosen.count(path) for path in "ab"]
    # By integration: Beta(3/2, 1/2) is above Beta(1/2, 3/2) with probability 1/2 + 4/pi^2 = 0.905.
    assert counts[1] / sum(counts) == pytest.approx(0.905, abs=0.05)


def test_the_model_whose_attempts_score_higher_makes_more() -> None:
    rng = random.Random(0)
    known = {"": [0.0] * 20, "big": [1.0] * 20, "new": []}
    drawn = Counter(promising(known, rng) for _ in range(300))
    assert drawn[""] == 0
    assert drawn["big"] > drawn["new"] > 0  # nobody has seen the new one yet
    state = rng.getstate()
    assert promising({"": []}, rng) == ""
    assert rng.getstate() == state


async def test_several_models_make_attempts() -> None:
    own = Scripted(lambda r: "\\boxed{0.1}")
    big = Scripted(lambda r: "\\boxed{0.9}", info=ModelInfo("b", EVERYTHING, Shape(7), local=True))
    asked = job(
        own,
        "ab_mcts",
        knobs={"n": 24, "models": "big"},
        others={"big": Priced(big)},
        verifiers={"grader": Grader()},
        verifier="grader",
    )
    result = await Runner(asked).go()
    assert result.answer == "0.9"
    assert len(own.requests) + len(big.requests) == 24
    assert len(big.requests) > 2 * len(own.requests) > 0


# Tree of thoughts ---------------------------------------------------------------------------------


async def thought(words: dict[str, str], **knobs: Any) -> tuple[Result, Scripted]:
    model = Scripted(thinker(words))
    asked = job(model, "tree_of_thoughts", knobs={"fan": 2, "votes": 1, **knobs})
    return await Runner(asked).go(), model


VALUED = {"a": "impossible.", "b": "Likely", "ba": "impossible", "bb": "sure!", "aa": "sure"}


async def test_breadth_first_keeps_the_most_promising() -> None:
    result, model = await thought(VALUED, width=1)
    assert result.answer == "bb"
    asked = [r for r in model.requests if "Can this" in r.messages[-1].content]
    assert len(asked) == 4  # a, b, ba, bb
    assert {i.role: i.calls for i in result.receipt.items} == {"generate": 4, "value": 4}


async def test_depth_first_prunes_and_stops_when_it_is_sure() -> None:
    result, model = await thought(VALUED, search="dfs")
    assert result.answer == "bb"
    grown = [r.prefix for r in model.requests if "Can this" not in r.messages[-1].content]
    assert grown == ["", "", "b\n\n", "b\n\n"]  # never from a


async def test_depth_first_backtracks() -> None:
    words = {"a": "sure", "b": "likely", "aa": "impossible", "ab": "impossible", "bb": "sure"}
    result, model = await thought(words, search="dfs")
    assert result.answer == "bb"
    grown = [r.prefix for r in model.requests if "Can this" not in r.messages[-1].content]
    assert grown == ["", "", "a\n\n", "a\n\n", "b\n\n", "b\n\n"]


async def test_an_unreadable_value_is_an_abstention() -> None:
    result, _ = await thought({}, width=2)
    assert result.answer is not None
    assert [read_value(t) for t in ("Likely, I think", "SURE", "surely", "")] == [
        0.5,
        1.0,
        None,
        None,
    ]


async def test_the_verifier_may_value_in_the_models_place() -> None:
    knobs = {"value": "verifier", "width": 8, "fan": 2}
    result, _, model = await search("tree_of_thoughts", knobs)
    assert result.answer == "bab"
    assert not any("Can this" in r.messages[-1].content for r in model.requests)


# Verify and backtrack -----------------------------------------------------------------------------


async def test_a_step_that_does_not_hold_is_drawn_anew_with_a_warning() -> None:
    values = {"a": 0.1, "b": 0.9, "ba": 0.9, "baa": 0.9}
    result, verifier, model = await search("verify_and_backtrack", {}, values.get)
    assert result.answer == "baa"
    assert verifier.seen == ["a", "b", "ba", "baa"]
    assert "was tried and is wrong, so do otherwise: a)" in model.requests[1].messages[-1].content
    assert model.requests[2].messages == model.requests[0].messages


async def test_after_so_many_failures_the_step_before_goes_too() -> None:
    values = {"a": 0.9, "aa": 0.1, "ab": 0.2, "b": 0.9, "ba": 0.9, "baa": 0.9}
    result, verifier, _ = await search("verify_and_backtrack", {"tries": 2}, values.get)
    assert verifier.seen == ["a", "aa", "ab", "b", "ba", "baa"]
    assert result.answer == "baa"


async def test_the_best_that_ended_is_returned_when_nothing_holds() -> None:
    result, _, model = await search(
        "verify_and_backtrack", {"most": 12, "threshold": 0.95, "tries": 1}, lambda path: 0.9
    )
    assert len([r for r in model.requests if r.stop]) == 12
    assert result.answer is not None


@pytest.mark.parametrize(("values", "last"), [({"a": 0.1, "b": 0.4}, "b"), ({"a": 0.9}, "a")])
async def test_where_nothing_ended_what_holds_or_the_best_is_drawn_to_its_end(
    values: dict[str, float], last: str
) -> None:
    def value(path: str) -> float:
        return values.get(path, 0.2)

    knobs = {"most": 3, "tries": 9}
    result, _, model = await search("verify_and_backtrack", knobs, value)
    assert "".join(model.requests[3].prefix.split()) == last
    assert not model.requests[3].stop
    assert result.answer is not None
    assert len(model.requests) == 4
