"""Every strategy: cut off anywhere it is resumed to the same end, and asks for nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.effects import Sampling
from ponder.core.problem import Problem
from ponder.core.trace import Score, Trace
from ponder.models.base import Request
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies.registry import STRATEGIES
from tests.support.jobs import job

KNOBS: dict[str, dict[str, Any]] = {
    "self_consistency": {"n": 5},
    "confident": {"n": 4, "warmup": 2, "window": 4},
    "best_of_n": {"n": 4},
    "beam_search": {"width": 2, "fan": 2},
    "dvts": {"trees": 2, "fan": 2},
    "particle_filter": {"n": 3, "iterations": 2, "threshold": 1.0},
    "mcts": {"expansions": 3, "fan": 2, "rollout": True},
    "ab_mcts": {"n": 5, "batch": 2},
    "tree_of_thoughts": {"width": 2, "fan": 2, "votes": 1, "expansions": 4},
    "verify_and_backtrack": {"most": 5},
    "budget_forcing": {"waits": 2},
    "early_exit": {"interval": 8},
    "decompose": {},
    "mixture": {"n": 2, "rounds": 1, "strategies": "direct,beam_search?width=1&fan=2"},
    "refine": {"rounds": 3},
    "sequential_parallel": {"n": 4, "chains": 2},
}


def number(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=4).digest(), "big")


def reply(request: Request) -> str:
    """A word or two, a step's end, now and then an answer: by the request alone."""
    asked = request.messages[-1].content
    if "smaller questions" in asked:
        return "1. One?\n2. Two?"
    if "lead to the right answer" in asked:
        return ("sure", "likely", "impossible")[number(asked, request.seed) % 3]
    if request.prefix.endswith("boxed{"):
        return f"{number(request.prefix) % 3}}}"
    draw = number(request.prefix, request.seed, len(request.messages))
    depth = request.prefix.count("\n\n")
    if draw % 3 == 0 or depth > 2 or not request.stop:
        return f"w{draw % 7} \\boxed{{{draw % 4}}}"
    return f"w{draw % 7}\n\nand more"


class Opinion:
    """A score by the text alone."""

    name = "opinion"
    needs_logprobs = False
    joint = False
    models: tuple[str, ...] = ()

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        return [Score(number(t.text) % 100 / 100, self.name) for t in traces]


async def go(name: str, model: Scripted, journal: Journal | None, run: str, **more: Any) -> Result:
    asked = job(
        model,
        name,
        knobs=KNOBS.get(name, {}),
        sampling=Sampling(60),
        verifiers={"opinion": Opinion(), "mean_logprob": Opinion()},
        verifier="opinion",
        **more,
    )
    return await Runner(asked, journal=journal, run=run).go()


def test_none_is_forgotten() -> None:
    assert set(STRATEGIES) - set(KNOBS) == {"direct"}


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("tokens", [None, 150, 250])
async def test_a_run_cut_off_anywhere_ends_as_the_whole_one(
    name: str, tokens: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "whole.sqlite"
    whole = Journal(path)
    run = whole.create({})
    model, budget = Scripted(reply), Budget(tokens=tokens)
    expected = await go(name, model, whole, run, budget=budget)
    calls = len(whole.calls(run))
    asked = [(r.seed, r.prefix, r.messages) for r in model.requests]
    assert len(set(asked)) == len(asked)
    whole.close()
    for kept in range(calls + 1):
        cut = tmp_path / f"{kept}.sqlite"
        cut.write_bytes(path.read_bytes())
        journal = Journal(cut)
        journal._execute("delete from calls where seq >= ?", (kept,))
        rows = journal.calls(run)
        again = Scripted(reply)
        result = await go(name, again, journal, run, budget=budget)
        assert (result.answer, result.confidence) == (expected.answer, expected.confidence), kept
        assert result.candidates == expected.candidates, kept
        paid = sum(row.effect["effect"] == "generate" and row.lost is None for row in rows)
        lost = sum(row.lost is not None for row in rows)
        assert len(again.requests) <= len(asked) - paid + lost, kept
        journal.close()


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("tokens", [25, 70, 200])
async def test_no_budget_is_passed(name: str, tokens: int) -> None:
    model = Scripted(reply)
    result = await go(name, model, None, "", budget=Budget(tokens=tokens))
    assert result.receipt.total.cost.tokens <= tokens
    assert model.running == 0


@pytest.mark.parametrize("name", STRATEGIES)
async def test_the_same_seed_gives_the_same_run(name: str) -> None:
    runs = [await go(name, Scripted(reply), None, "") for _ in range(2)]
    assert runs[0].candidates == runs[1].candidates
    assert runs[0].answer == runs[1].answer
