"""An endpoint that charges more than it was allowed to: the run stops there, and says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.costs.cost import Cost
from ponder.core.costs.ledger import Item, Ledger
from ponder.core.errors import LimitReached, MalformedReply, ModelTimeout, Overcharged, RunFailed
from ponder.core.record.effects import Sampling
from ponder.models.base import Completion
from ponder.models.fakes.scripted import Reply, Scripted
from ponder.runtime.handlers.admission import Admission
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from tests.support.jobs import PLAIN, PROMPT_TOKENS, go
from tests.support.virtual import run

GOOD = Completion("so \\boxed{42}", "stop", PROMPT_TOKENS, 20)
MANY = replace(GOOD, completion_tokens=40_000)


def solve(replies: Sequence[Reply], strategy: str = "self_consistency", **changes: Any) -> Result:
    """Up to eight samples, of at most 100 tokens each."""
    changes.setdefault("knobs", {} if strategy == "direct" else {"n": 8, "stop": "never"})
    return run(go(Scripted([*replies, *[GOOD] * 20]), strategy, **changes))


@pytest.mark.parametrize(
    ("reply", "budget"),
    [
        (MANY, Budget()),
        (MANY, Budget(tokens=1_000_000)),
        (MANY, Budget(tokens=200)),
        (replace(GOOD, completion_tokens=101), Budget()),
        (replace(GOOD, wasted_tokens=100), Budget(tokens=20_000)),
        (replace(GOOD, prompt_tokens=200_000), Budget(tokens=20_000)),
        (replace(GOOD, prompt_tokens=200_000), Budget(flops=10_000)),
        (replace(GOOD, completion_tokens=2**53), Budget()),
    ],
    ids=str,
)
def test_the_result_says_so_and_the_answer_that_was_paid_for_is_there(
    reply: Completion, budget: Budget
) -> None:
    result = solve([reply], "direct", budget=budget)
    assert (result.answer, result.stopped_by) == ("42", "overcharged")
    shown = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert shown["stopped_by"] == "overcharged"
    assert shown["receipt"]["overcharged"] == result.receipt.overcharged
    assert "scripted charged" in result.receipt.overcharged
    assert result.receipt.overcharged.endswith("nothing more is sent to it.")
    assert result.receipt.total.cost.tokens == (
        reply.prompt_tokens + reply.completion_tokens + reply.wasted_tokens
    )


@pytest.mark.parametrize(
    ("reply", "budget"),
    [
        (replace(GOOD, completion_tokens=100), Budget(tokens=106)),
        (replace(GOOD, completion_tokens=60, wasted_tokens=40), Budget(tokens=106)),
        (replace(GOOD, prompt_tokens=86), Budget(tokens=106)),
        (replace(GOOD, prompt_tokens=200_000), Budget()),
        (GOOD, Budget(tokens=26)),
    ],
    ids=str,
)
def test_what_is_within_the_budget_is_no_overcharge(reply: Completion, budget: Budget) -> None:
    model = Scripted([reply], info=PLAIN)
    result = run(go(model, "direct", budget=budget))
    assert (result.answer, result.stopped_by) == ("42", "done")
    assert result.receipt.overcharged == ""
    assert "overcharged" not in result.receipt.to_json()


def test_nothing_more_is_asked_for() -> None:
    model = Scripted([GOOD, MANY, *[GOOD] * 20])
    knobs = {"n": 8, "stop": "never"}
    budget = Budget(tokens=2 * (PROMPT_TOKENS + 100))  # two at a time
    result = run(go(model, "self_consistency", knobs=knobs, budget=budget))
    assert result.stopped_by == "overcharged"
    assert len(model.requests) == 2
    assert result.candidates[0].votes == 2
    assert result.receipt.total.completion_tokens == 40_020


@pytest.mark.parametrize("kind", [MalformedReply, ModelTimeout])
def test_a_lost_sample_that_charges_too_much_is_not_asked_for_again(kind: Any) -> None:
    lost = kind("no", prompt_tokens=6, completion_tokens=40_000)
    model = Scripted([lost, *[GOOD] * 20])
    if kind is MalformedReply:  # which would be asked for once more
        result = run(go(model, "direct"))
        assert (result.answer, result.stopped_by) == (None, "overcharged")
        receipt = result.receipt
    else:
        with pytest.raises(RunFailed) as failed:
            run(go(model, "direct"))
        assert failed.value.receipt
        receipt = failed.value.receipt
    assert len(model.requests) == 1
    assert receipt.overcharged
    assert receipt.total.wasted_tokens == 40_000


def test_a_step_of_a_search_ends_it_too() -> None:
    model = Scripted(lambda request: replace(GOOD, completion_tokens=request.max_tokens + 1))
    result = run(go(model, "beam_search", knobs={"width": 2}))
    assert result.stopped_by == "overcharged"
    assert not any(request.prefix for request in model.requests)  # those of one wave


def test_a_run_that_was_cut_off_says_so_when_it_is_taken_up() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        for reply in (MANY, replace(GOOD, prompt_tokens=200_000)):
            name = journal.create({})
            budget = Budget(tokens=20_000)
            options: dict[str, Any] = {"journal": journal, "run": name, "budget": budget}
            first = await go(Scripted([reply]), "direct", **options)
            assert first.stopped_by == "overcharged"
            [row] = [row for row in journal.runs() if row.id == name]
            assert row.state == "done"
            assert row.result
            assert row.result["stopped_by"] == "overcharged"
            model = Scripted([GOOD] * 20)
            again = await go(model, "direct", **options)
            assert (again.answer, again.stopped_by) == ("42", "overcharged")
            assert again.receipt.overcharged
            assert not model.requests
        journal.close()

    run(main())


def test_an_honest_run_that_is_taken_up_is_none() -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        broken = MalformedReply("no", prompt_tokens=6, completion_tokens=100)
        options: dict[str, Any] = {"journal": journal, "run": name, "budget": Budget(tokens=212)}
        first = Scripted([broken, GOOD], info=PLAIN)
        assert (await go(first, "direct", **options)).stopped_by == "done"
        second = Scripted([], info=PLAIN)
        assert (await go(second, "direct", **options)).stopped_by == "done"
        journal.close()

    run(main())


# -- admission ---------------------------------------------------------------------------------


def worst(length: int) -> Cost:
    return Cost(tokens=length)


async def reserved(admission: Admission, length: int) -> Any:
    return await admission.reserve(length, length, worst)


def test_who_waits_is_refused_and_so_is_who_comes_later() -> None:
    async def main() -> None:
        ledger = Ledger(lambda: 0.0)
        admission = Admission(Budget(tokens=100), ledger)
        grant = await reserved(admission, 60)
        waiting = [asyncio.ensure_future(reserved(admission, 60)) for _ in range(5)]
        await asyncio.sleep(0)
        spent = Item("generate", "m", completion_tokens=61)
        ledger.book(spent)
        admission.settle(grant, spent)
        said = "m charged 61 completion tokens where 60 were allowed: nothing more is sent to it."
        for refused in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(refused, Overcharged)
            assert (str(refused), refused.limit) == (said, "overcharged")
        with pytest.raises(LimitReached, match="m charged 61"):
            await reserved(admission, 1)
        assert admission.reserved == Cost()
        assert ledger.receipt().overcharged == said

    run(main())


def test_a_limit_is_passed_by_who_cost_more_and_not_by_who_comes_next() -> None:
    async def main() -> None:
        ledger = Ledger(lambda: 0.0)
        admission = Admission(Budget(tokens=100), ledger)
        grants = [await reserved(admission, 50) for _ in range(2)]
        for grant, prompt in zip(grants, (60, 50), strict=True):
            assert not ledger.overcharged
            spent = Item("generate", "m", prompt_tokens=prompt)
            ledger.book(spent)
            admission.settle(grant, spent)
        assert "has passed the budget of tokens" in ledger.overcharged

    run(main())


def test_a_smaller_budget_than_was_spent_before_is_no_overcharge() -> None:
    """A recording is taken up with another budget: what it spent before is not its fault."""

    async def main() -> None:
        ledger = Ledger(lambda: 0.0)
        admission = Admission(Budget(tokens=100), ledger)
        ledger.book(Item("generate", "m", completion_tokens=500))
        with pytest.raises(LimitReached) as reached:
            await reserved(admission, 10)
        assert reached.value.limit == "tokens"
        assert not ledger.overcharged

    run(main())


def test_a_sample_that_a_budget_shortened_has_less_room() -> None:
    reply = replace(GOOD, completion_tokens=60)
    result = solve([reply], "direct", budget=Budget(tokens=56), sampling=Sampling(100))
    assert result.stopped_by == "overcharged"
    assert "charged 60 completion tokens where 50 were allowed" in result.receipt.overcharged
