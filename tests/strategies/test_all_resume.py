"""Every strategy: cut off anywhere it is resumed to the same end, and asks for nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.budget import Budget
from ponder.core.record.effects import Sampling
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies.registry import STRATEGIES
from tests.support import virtual
from tests.support.jobs import job
from tests.support.strategies import KNOBS, Delayed, Opinion, reply


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
@settings(max_examples=10)
@given(tokens=st.integers(40, 300), salt=st.integers(0, 9))
def test_whatever_came_first_a_tight_budget_buys_the_same_again(
    name: str, tokens: int, salt: int
) -> None:
    """Killed after each row: the rest asks for what the first run did, at the same lengths."""

    def asked(model: Scripted) -> set[tuple[object, ...]]:
        return {(r.seed, r.prefix, r.messages, r.max_tokens) for r in model.requests}

    async def main() -> None:
        whole, model, budget = Journal(":memory:"), Delayed(reply), Budget(tokens=tokens)
        model.salt = salt
        run = whole.create({})
        expected = await go(name, model, whole, run, budget=budget)
        for kept in range(len(whole.calls(run)) + 1):
            journal, again = Journal(":memory:"), Delayed(reply)
            again.salt = salt
            whole._db.backup(journal._db)
            journal._execute("delete from calls where seq >= ?", (kept,))
            result = await go(name, again, journal, run, budget=budget)
            assert (result.answer, result.stopped_by) == (expected.answer, expected.stopped_by)
            assert result.candidates == expected.candidates
            assert asked(again) <= asked(model)
            journal.close()
        whole.close()

    virtual.run(main())


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
