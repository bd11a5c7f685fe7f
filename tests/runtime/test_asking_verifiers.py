"""Verifiers that ask models themselves: whose budget, whose receipt, and what a resume asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.errors import ModelTimeout
from ponder.core.problem import Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.models.base import ModelInfo, Priced, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from tests.support.jobs import job
from tests.support.judging import Judge, both, judge, solver

BIG = ModelInfo("big", EVERYTHING, Shape(1000), local=True)


async def go(model: Any, journal: Journal | None = None, run: str = "", **changes: Any) -> Result:
    fields = {"knobs": {"n": 4}, "verifiers": {"judge": Judge()}, "verifier": "judge", **changes}
    return await Runner(job(model, "best_of_n", **fields), journal=journal, run=run).go()


async def test_a_judge_is_booked_under_its_own_role_and_model() -> None:
    small, large = Scripted(solver), Scripted(judge, info=BIG)
    result = await go(small, verifiers={"judge": Judge("big")}, others={"big": Priced(large)})
    assert {(i.role, i.model, i.calls) for i in result.receipt.items} == {
        ("generate", "scripted", 4),
        ("judge", "big", 4),
    }
    [judged] = [i for i in result.receipt.items if i.role == "judge"]
    assert judged.flops == 1000 * 2 * (judged.prompt_tokens + judged.completion_tokens)
    assert (len(small.requests), len(large.requests)) == (4, 4)
    assert {r.temperature for r in large.requests} == {0.0}
    assert result.answer == "0"


async def test_what_a_judge_says_is_no_candidate() -> None:
    result = await go(Scripted(both))
    assert sum(c.votes for c in result.candidates) == 4
    assert result.receipt.total.calls == 8
    assert {c.score for c in result.candidates} <= {0.9, 0.8, 0.7}


async def test_a_joint_verifier_is_asked_once_about_all() -> None:
    asked: list[int] = []

    class Together(Judge):
        async def score(
            self, problem: Problem, traces: Sequence[Trace], session: Session
        ) -> list[Score]:
            asked.append(len(traces))
            return await super().score(problem, traces, session)

    result = await go(Scripted(both), verifiers={"judge": Together(listwise=True)})
    assert asked == [4]
    assert result.answer == "0"


async def test_the_judge_spends_from_the_runs_budget() -> None:
    result = await go(Scripted(both), budget=Budget(tokens=56))
    assert result.stopped_by == "tokens"
    assert result.receipt.total.cost.tokens <= 56
    assert "judge" in {i.role for i in result.receipt.items}


@pytest.mark.parametrize("kept", range(9))
async def test_a_resumed_run_does_not_ask_the_judge_again(kept: int, tmp_path: Path) -> None:
    """However many of the run's calls had been recorded when it was cut off."""
    whole = Journal(tmp_path / "whole.sqlite")
    run = whole.create({})
    expected = await go(Scripted(both), whole, run)
    rows = whole.calls(run)
    assert {row.effect["effect"] for row in rows} == {"generate", "verify"}
    model = Scripted(both)
    cut = tmp_path / "cut.sqlite"
    whole.close()
    cut.write_bytes((tmp_path / "whole.sqlite").read_bytes())
    journal = Journal(cut)
    journal._execute("delete from calls where seq >= ?", (kept,))
    result = await go(model, journal, run)
    assert (result.answer, result.candidates) == (expected.answer, expected.candidates)
    paid = sum(row.effect["effect"] == "generate" for row in rows[:kept])
    assert len(model.requests) == 8 - paid
    assert result.receipt.total.calls == 8
    journal.close()


async def test_a_judge_that_fails_loses_that_trace_alone() -> None:
    calls = 0

    def sometimes(request: Request) -> Any:
        nonlocal calls
        if "How good" not in request.messages[0].content:
            return solver(request)
        calls += 1
        return ModelTimeout("gone") if calls == 1 else judge(request)

    class Careful(Judge):
        async def score(
            self, problem: Problem, traces: Sequence[Trace], session: Session
        ) -> list[Score]:
            found = await super().score(problem, traces, session)
            return found or [Score(None, self.name) for _ in traces]

    result = await go(Scripted(sometimes), verifiers={"judge": Careful()})
    assert sum(c.votes for c in result.candidates) == 4
    assert result.receipt.total.failed == 1
