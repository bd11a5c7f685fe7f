"""Search over steps, on trees of known optimum, and against a posterior worked out exactly."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.core.sessions.session import Session
from ponder.core.steps import Step
from ponder.core.trace import Trace
from ponder.models.base import Request
from ponder.models.fakes.scripted import Scripted
from ponder.policies.resample import normalised
from ponder.runtime.runner import Runner
from ponder.strategies.search.particle_filter import filtered
from tests.support.jobs import job
from tests.support.searching import ByPath, path_of, search

# Beam search --------------------------------------------------------------------------------------


async def test_beam_search_that_keeps_all_finds_the_best_path() -> None:
    result, verifier, _ = await search("beam_search", {"width": 8, "fan": 2})
    assert result.answer == "bab"
    leaves = {"".join(p) for p in itertools.product("ab", repeat=3)}
    assert leaves <= set(verifier.seen)


async def test_beam_search_of_one_is_greedy() -> None:
    result, verifier, model = await search("beam_search", {"width": 1, "fan": 2})
    assert result.answer == "aba"
    assert verifier.seen == ["a", "b", "aa", "ab", "aba", "abb"]
    assert len(model.requests) == 6


async def test_beam_search_of_two_by_hand() -> None:
    """a and b, both drawn twice. Then aa, ab, ba, bb: bb and ab. Then their children: bbb."""
    result, verifier, _ = await search("beam_search", {"width": 2, "fan": 2})
    assert verifier.seen == ["a", "b", "aa", "ab", "ba", "bb", "bba", "bbb", "aba", "abb"]
    assert result.answer == "bbb"


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [
        ("beam_search", {"width": 1, "fan": 3}),
        ("tree_of_thoughts", {"value": "verifier", "width": 1, "fan": 3, "expansions": 2}),
    ],
)
async def test_a_tie_goes_to_the_first_chain_where_texts_repeat(
    strategy: str, knobs: dict[str, Any]
) -> None:
    """The first steps are a, b, a, all scored alike: a was drawn first, so a is continued."""

    def reply(request: Request) -> str:
        if request.prefix:
            return f"\\boxed{{{request.prefix.strip()}}}"
        return "aba"[len(model.requests) - 1] + "\n\n"

    model, verifier = Scripted(reply), ByPath(lambda path: 0.5)
    asked = job(model, strategy, knobs=knobs, verifiers={"v": verifier}, verifier="v")
    result = await Runner(asked).go()
    assert verifier.seen[:2] == ["a", "b"]
    assert result.answer == "a"


async def test_lookahead_judges_a_beginning_by_where_it_leads() -> None:
    result, verifier, model = await search("beam_search", {"width": 1, "fan": 2, "lookahead": 2})
    greedy = [r for r in model.requests if r.temperature == 0.0]
    assert greedy
    assert verifier.seen[:2] == ["aaa", "baa"]
    assert result.answer is not None
    assert result.answer.startswith("b")


TOT = ("tree_of_thoughts", {"value": "verifier", "width": 2, "fan": 2})


@pytest.mark.parametrize(
    ("strategy", "knobs", "x", "requests"),
    [
        ("beam_search", {"width": 2, "fan": 1}, 0.6, 3),  # one of two beginnings continued
        ("beam_search", {"width": 2, "fan": 1}, 1.0, 2),  # there can be no better
        (*TOT, 0.6, 4),
        (*TOT, 1.0, 2),
    ],
)
async def test_a_chain_that_ends_early_keeps_its_place_or_ends_the_search(
    strategy: str, knobs: dict[str, Any], x: float, requests: int
) -> None:
    """'x' ends at once; the others go on from 0.7 and end with 0.5."""

    def reply(request: Request) -> str:
        if not request.prefix:
            return "x \\boxed{x}" if len(model.requests) == 1 else "y\n\n"
        return "y \\boxed{y}"

    model = Scripted(reply)
    verifier = ByPath({"x": x, "y": 0.7, "yy": 0.5}.get)
    asked = job(model, strategy, knobs=knobs, verifiers={"v": verifier}, verifier="v")
    result = await Runner(asked).go()
    assert result.answer == "x"
    assert len(model.requests) == requests


async def test_a_search_in_which_nothing_is_answered_still_answers() -> None:
    words = Scripted(lambda r: "6}" if "final answer" in r.prefix else "well\n\n")
    verifier = ByPath(lambda path: 0.5)
    for name, knobs in (("beam_search", {"width": 2, "fan": 2}), ("dvts", {"trees": 2, "fan": 2}),
                        ("particle_filter", {"n": 2})):  # fmt: skip
        asked = job(
            words, name, knobs=knobs, sampling=Sampling(4), verifiers={"v": verifier}, verifier="v"
        )
        result = await Runner(asked).go()
        assert result.answer == "6", name


async def test_an_abstaining_verifier_does_not_stop_the_search() -> None:
    result, _, _ = await search("beam_search", {"width": 2, "fan": 2}, lambda path: None)
    assert result.answer == "aaa"


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [("beam_search", {"width": 2}), ("dvts", {"trees": 2}), ("particle_filter", {"n": 4})],
)
@pytest.mark.parametrize("tokens", [12, 30, 60, 100])
async def test_a_budget_is_kept_and_the_best_so_far_returned(
    strategy: str, knobs: dict[str, Any], tokens: int
) -> None:
    budget = Budget(tokens=tokens)
    result, _, _ = await search(strategy, knobs, budget=budget, sampling=Sampling(4))
    assert result.receipt.total.cost.tokens <= tokens
    assert result.stopped_by in ("tokens", "done")


# DVTS ---------------------------------------------------------------------------------------------


async def test_each_tree_is_searched_greedily_on_its_own() -> None:
    result, verifier, model = await search("dvts", {"trees": 2, "fan": 2})
    assert result.answer == "aba"
    assert len(model.requests) == 2 * 3 * 2
    assert Counter(verifier.seen)["aba"] == 2


async def test_dvts_returns_the_best_of_all_trees() -> None:
    """One child at a time: the first tree gets a, aa, aaa; the second b, ba, baa: better."""
    result, _, _ = await search("dvts", {"trees": 2, "fan": 1})
    assert result.answer == "baa"


# Particle filtering -------------------------------------------------------------------------------

PRIOR = {"a": 0.5, "b": 0.5}
LIKELIHOOD = {"a": 0.8, "b": 0.2, "aa": 0.5, "ab": 0.1, "ba": 0.9, "bb": 0.3}


def coin(request: Request) -> str:
    """Two fair steps; the second one ends the chain."""
    side = "ab"[(request.seed >> 7) & 1]
    return (
        f"{side}\n\n" if not request.prefix else f"{side} \\boxed{{{request.prefix.strip()}{side}}}"
    )


def posterior() -> dict[str, float]:
    listwise = {
        x + y: PRIOR[x] * LIKELIHOOD[x] * PRIOR[y] * LIKELIHOOD[x + y] for x in "ab" for y in "ab"
    }
    total = math.fsum(listwise.values())
    return {path: weight / total for path, weight in listwise.items()}


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
async def test_the_filter_converges_to_the_exact_posterior(threshold: float) -> None:
    """With 4,000 particles the standard error of each share is below 0.012."""
    shares: Counter[str] = Counter()

    async def strategy(s: Session, problem: Problem) -> Trace:
        particles = await filtered(s, problem, 4000, threshold, Step())
        for weight, p in zip(normalised([p.log_weight for p in particles]), particles, strict=True):
            shares[path_of(p.trace)] += weight  # type: ignore[assignment]
        return particles[0].trace

    asked = job(
        Scripted(coin),
        strategy,
        seed=1,
        verifiers={"v": ByPath(LIKELIHOOD.get)},
        verifier="v",
    )
    await Runner(asked).go()
    for path, share in posterior().items():
        assert shares[path] == pytest.approx(share, abs=0.036), (path, threshold)


async def test_weights_are_products_of_likelihoods_by_hand() -> None:
    found: dict[str, float] = {}

    async def strategy(s: Session, problem: Problem) -> Trace:
        particles = await filtered(s, problem, 32, 0.0, Step())
        found.update({path_of(p.trace): p.log_weight for p in particles})
        return particles[0].trace

    asked = job(Scripted(coin), strategy, verifiers={"v": ByPath(LIKELIHOOD.get)}, verifier="v")
    await Runner(asked).go()
    assert set(found) == {"aa", "ab", "ba", "bb"}
    for path, weight in found.items():
        assert weight == pytest.approx(math.log(LIKELIHOOD[path[0]] * LIKELIHOOD[path]))


async def test_the_vote_weighs_particles() -> None:
    asked = job(
        Scripted(coin),
        "particle_filter",
        knobs={"n": 64},
        verifiers={"v": ByPath(LIKELIHOOD.get)},
        verifier="v",
    )
    result = await Runner(asked).go()
    assert result.answer == "aa"


@pytest.mark.parametrize("iterations", [1, 3])
async def test_particle_gibbs_keeps_its_reference(iterations: int) -> None:
    """Each further pass draws n - 1 new chains beside the reference, which costs nothing."""
    model = Scripted(coin)
    asked = job(
        model,
        "particle_filter",
        knobs={"n": 8, "iterations": iterations, "threshold": 1.0},
        seed=1,
        verifiers={"v": ByPath(LIKELIHOOD.get)},
        verifier="v",
    )
    result = await Runner(asked).go()
    assert result.answer in ("aa", "ba")
    assert len(model.requests) == 16 + (iterations - 1) * 14
