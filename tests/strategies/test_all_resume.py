"""Every strategy: cut off anywhere it is resumed to the same end, and asks for nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.effects import Sampling
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies.registry import STRATEGIES
from tests.support.jobs import job
from tests.support.strategies import KNOBS, Opinion, reply


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
