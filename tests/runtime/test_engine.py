"""The engine: what outlives a run is opened once, shared, limited, and gone when it is closed."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ponder
from ponder import api
from ponder.core.budget import Budget
from ponder.core.costs.cost import Cost
from ponder.core.errors import BudgetTooSmall, ModelError, UsageError
from ponder.core.record.events import Event, SampleFinished
from ponder.core.record.steering import Action
from ponder.models.base import Model, Request
from ponder.models.config import Config, EndpointConfig
from ponder.models.fakes.scripted import Scripted
from ponder.models.opening import Opened, Teller
from ponder.planning.wishes import spec
from ponder.runtime.engine import Engine
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from tests.support.held import held, nothing_but, until
from tests.support.loopback import Loopback, Step, answer, choice

QUESTION = "How many is six times seven?"
RUNS = 40
VOTE: dict[str, Any] = {"strategy": "self_consistency", "knobs": {"n": 3}}


def served(server: Loopback) -> Config:
    """A configuration with that server as the endpoint 'loop'."""
    how = {"name": "loop", "base_url": server.url, "model": "m", "retries": 0}
    return Config(endpoints={"loop": EndpointConfig("loop", server.url, "m", how)})


def opening(monkeypatch: pytest.MonkeyPatch, open_next: Callable[[str], Any]) -> list[str]:
    """Let the engine open what ``open_next`` makes of a name; returns the names as they come."""
    names: list[str] = []

    async def open_model(name: str, config: Config, teller: Teller) -> Opened:
        names.append(name)
        made = open_next(name)
        return Opened(await made if asyncio.iscoroutine(made) else made)

    monkeypatch.setattr("ponder.runtime.engine.open_model", open_model)
    monkeypatch.setattr("ponder.runtime.engine.identity", lambda name, config: name)
    return names


def said(result: Result) -> dict[str, Any]:
    """What does not depend on the clock or on the run's ID."""
    items = [(i.role, i.model, i.calls, i.cost) for i in result.receipt.items]
    return {
        "answer": result.answer,
        "confidence": result.confidence,
        "candidates": result.candidates,
        "items": items,
        "stopped": result.stopped_by,
    }


# Many runs ----------------------------------------------------------------------------------------


async def test_many_runs_share_connections_and_leave_nothing_behind(tmp_path: Path) -> None:
    before = held()
    async with Loopback(answer(choice(r"\boxed{42}"))) as server:
        async with Engine(served(server), at_once=4) as engine:
            more: dict[str, Any] = {"model": "loop", "journal": tmp_path / "runs.sqlite", **VOTE}
            results = await asyncio.gather(
                *(ponder.asolve(QUESTION, engine=engine, seed=i, **more) for i in range(RUNS))
            )
            assert {result.answer for result in results} == {"42"}
            assert len({result.run for result in results}) == RUNS
            assert engine.users("loop") == 0
            assert engine.runs == ()
            spent = [result.receipt.total.cost for result in results]
            assert engine.spent == sum(spent, Cost())
        assert len(server.requests) >= 2 * RUNS
        assert server.connections <= 4
    await nothing_but(before)


async def test_a_connection_outlives_a_run() -> None:
    async with Loopback(answer(choice(r"\boxed{42}"))) as server:
        async with Engine(served(server)) as engine:
            for seed in range(5):
                await ponder.asolve(
                    QUESTION, model="loop", strategy="direct", seed=seed, engine=engine,
                    journal=False,
                )  # fmt: skip
        assert (len(server.requests), server.connections) == (5, 1)


async def test_children_of_many_runs_are_shared_and_gone() -> None:
    before = held()
    model = Scripted(lambda request: r"\boxed{\frac{\sqrt{2}}{2}}" + '\n```json\n{"a": 1}\n```')
    schema = '{"type": "object", "required": ["a"]}'
    async with Engine() as engine:

        async def one(seed: int) -> Result:
            kind: dict[str, Any] = {"answer_type": "math"}
            if seed % 2:
                kind = {"answer_type": "json", "schema": schema, "verifier": "schema"}
            return await ponder.asolve(
                "Which?", model=model, strategy="best_of_n" if seed % 2 else "direct", seed=seed,
                engine=engine, journal=False, **kind,
            )  # fmt: skip

        results = await asyncio.gather(*(one(seed) for seed in range(RUNS)))
        assert {r.answer for r in results} == {r"\frac{\sqrt{2}}{2}", '{"a": 1}'}
        assert sum(name.startswith("child") for name in held() - before) == 2
    await nothing_but(before)


# Opening ------------------------------------------------------------------------------------------


async def test_who_wants_a_model_at_once_shares_its_opening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = asyncio.Event()

    async def slowly() -> Model:
        await gate.wait()
        return Scripted(lambda request: r"\boxed{42}")

    names = opening(monkeypatch, lambda name: slowly())
    async with Engine(Config()) as engine:

        async def use() -> Model:
            async with engine.model("m") as opened:
                return opened.model

        users = [asyncio.ensure_future(use()) for _ in range(5)]
        await until(lambda: engine.users("m") == 5)
        users[0].cancel()  # nobody else's loss
        gate.set()
        [cancelled, *found] = await asyncio.gather(*users, return_exceptions=True)
        assert isinstance(cancelled, asyncio.CancelledError)
        assert len({id(model) for model in found}) == 1
        assert names == ["m"]
        assert engine.users("m") == 0


async def test_an_opening_that_failed_is_tried_again_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes: list[Any] = [ModelError("no memory"), Scripted(lambda request: r"\boxed{42}")]

    async def next_one() -> Model:
        await asyncio.sleep(0)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Scripted)
        return outcome

    names = opening(monkeypatch, lambda name: next_one())
    how: dict[str, Any] = {"model": "simulated", "strategy": "direct", "journal": False}
    async with Engine(Config()) as engine:
        both = [ponder.asolve(QUESTION, engine=engine, **how) for _ in range(2)]
        refused = await asyncio.gather(*both, return_exceptions=True)
        assert [str(error) for error in refused] == ["no memory"] * 2
        assert (await ponder.asolve(QUESTION, engine=engine, **how)).answer == "42"
    assert names == ["simulated"] * 2


async def test_a_model_whose_process_has_ended_is_opened_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dying(Scripted):
        dead = False

    made: list[Dying] = []

    def another(name: str) -> Dying:
        made.append(Dying([]))
        return made[-1]

    opening(monkeypatch, another)
    async with Engine(Config()) as engine:
        for ends in (False, True, False):
            async with engine.model("m") as opened:
                assert opened.model is made[-1]
                made[-1].dead = ends
    assert len(made) == 2


async def test_an_opening_that_nobody_waits_for_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = held()
    opening(monkeypatch, lambda name: asyncio.Event().wait())
    async with Engine(Config()) as engine:
        user = asyncio.ensure_future(engine.model("m").__aenter__())
        await until(lambda: engine.users("m") == 1)
    with pytest.raises(asyncio.CancelledError):
        await user
    await nothing_but(before)


async def test_no_more_requests_than_allowed_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0

    def reply(request: Request) -> str:
        nonlocal most
        most = max(most, model.running + 1)
        return rf"\boxed{{{request.seed}}}"

    model = Scripted(reply)
    opening(monkeypatch, lambda name: model)
    async with Engine(Config(), at_once=3) as engine:
        await asyncio.gather(
            *(
                ponder.asolve(
                    QUESTION, model="simulated", engine=engine, seed=i, journal=False, **VOTE
                )
                for i in range(10)
            )
        )
    assert most == 3
    assert len(model.requests) == 30


# Runs ---------------------------------------------------------------------------------------------


async def test_a_cancelled_run_disturbs_no_other() -> None:
    gate = asyncio.Event()
    model = Scripted(lambda request: rf"\boxed{{{request.seed % 3}}}", gate=gate)
    alone = Scripted(lambda request: rf"\boxed{{{request.seed % 3}}}")
    async with Engine() as engine:
        asked = spec(QUESTION, model="scripted", seed=7, **VOTE)
        ready = api.prepare(asked, engine, model=model, journal=False)
        async with ready as cancelled:
            runs = [asyncio.ensure_future(cancelled.go())]
            runs += [
                asyncio.ensure_future(
                    ponder.asolve(QUESTION, model=model, engine=engine, seed=s, journal=False,
                                  **VOTE)
                )
                for s in (1, 2)
            ]  # fmt: skip
            await until(lambda: model.running == 6)
            runs[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await runs[0]
            assert cancelled._admission.reserved == Cost()
            assert model.running == 4
            gate.set()
            others = await asyncio.gather(*runs[1:])
        for seed, result in zip((1, 2), others, strict=True):
            expected = await ponder.asolve(QUESTION, model=alone, seed=seed, journal=False, **VOTE)
            assert said(result) == said(expected)


async def test_closing_ends_the_runs_that_go_on(tmp_path: Path) -> None:
    before = held()
    path, gate = tmp_path / "runs.sqlite", asyncio.Event()
    came = 0

    def reply(request: Request) -> str:
        nonlocal came
        came += 1
        if came > 2 * 3:
            model.gate = gate  # which nobody opens
        return r"\boxed{42}" if came % 2 else r"\boxed{41}"

    model = Scripted(reply)
    async with Engine() as engine:
        runs = [
            asyncio.ensure_future(
                ponder.asolve(QUESTION, model=model, engine=engine, journal=path, seed=i,
                              strategy="self_consistency", knobs={"n": 9})
            )
            for i in range(3)
        ]  # fmt: skip
        await until(lambda: bool(model.gate and model.running))
        assert len(engine.runs) == 3
    results = await asyncio.gather(*runs)
    assert {result.stopped_by for result in results} == {"interrupt"}
    journal = Journal(path)
    assert {row.state for row in journal.runs()} == {"interrupted"}
    journal.close()
    del runs, results, journal, engine
    await nothing_but(before)


async def test_a_run_is_steered_and_interrupted_by_its_id(tmp_path: Path) -> None:
    model = Scripted(lambda request: rf"\boxed{{{request.seed % 5}}}")
    seen: list[Event] = []
    async with Engine() as engine:

        def accept(event: Event) -> None:
            seen.append(event)
            if isinstance(event, SampleFinished):
                [run] = engine.runs
                engine.steer(run, Action("accept", event.trace.id, by="ann"))

        more: dict[str, Any] = {"engine": engine, "journal": tmp_path / "runs.sqlite"}
        result = await ponder.asolve(
            QUESTION, model=model, strategy="self_consistency", knobs={"n": 9}, on_event=accept,
            **more,
        )  # fmt: skip
        assert result.stopped_by == "accepted"
        model.gate = asyncio.Event()
        going = asyncio.ensure_future(ponder.asolve(QUESTION, model=model, **more))
        await until(lambda: bool(engine.runs))
        [run] = engine.runs
        engine.interrupt(run)
        assert (await going).stopped_by == "interrupt"
        with pytest.raises(UsageError, match=r"is not in progress in this engine: see"):
            engine.steer(run, Action("pause"))
        with pytest.raises(UsageError, match=r"is not in progress in this engine: see"):
            engine.interrupt(run)


async def test_a_budget_that_is_used_up_refuses_the_next_run() -> None:
    model = Scripted(lambda request: r"\boxed{42}")
    more: dict[str, Any] = {"model": model, "strategy": "direct", "journal": False}
    async with Engine(budget=Budget(tokens=1)) as engine:
        await ponder.asolve(QUESTION, engine=engine, **more)
        assert engine.spent.tokens > 1
        with pytest.raises(BudgetTooSmall, match="the engine's budget of 1 tokens is used up"):
            await ponder.asolve(QUESTION, engine=engine, **more)
        assert len(model.requests) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.sampled_from(["self_consistency", "best_of_n", "beam_search", "refine"]),
            st.integers(50, 2_000),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_one_engine_gives_what_an_engine_each_gives(asked: list[tuple[int, str, int]]) -> None:
    def one(seed: int, strategy: str, tokens: int, engine: Engine | None) -> Any:
        return ponder.asolve(
            QUESTION, model="simulated(accuracy=0.5,length=20)", strategy=strategy, seed=seed,
            budget=Budget(tokens=tokens), engine=engine, journal=False,
        )  # fmt: skip

    async def together() -> list[Any]:
        async with Engine() as engine:
            return await asyncio.gather(
                *(one(*each, engine) for each in asked), return_exceptions=True
            )

    async def apart() -> list[Any]:
        return [
            (await asyncio.gather(one(*each, None), return_exceptions=True))[0] for each in asked
        ]

    def shown(results: list[Any]) -> list[Any]:
        return [said(r) if isinstance(r, Result) else repr(r) for r in results]

    assert shown(asyncio.run(together())) == shown(asyncio.run(apart()))


# Loops --------------------------------------------------------------------------------------------


async def test_callers_without_a_loop_share_an_engine() -> None:
    before = held()

    def ask(url: Config) -> list[str | None]:
        with Engine(url) as engine:
            more: dict[str, Any] = {"model": "loop", "strategy": "direct", "journal": False}
            found = [ponder.solve(QUESTION, engine=engine, **more).answer for _ in range(5)]
            scored = score(QUESTION, [r"\boxed{42}"], verifier="regex:42", engine=engine)
            assert scored.scores[0].value == 1.0
        return found

    from ponder.verification import score

    async with Loopback(answer(choice(r"\boxed{42}"))) as server:
        assert await asyncio.to_thread(ask, served(server)) == ["42"] * 5
        assert server.connections == 1
    await nothing_but(before)


def test_an_engine_that_is_not_open_is_refused_in_one_sentence() -> None:
    engine = Engine()
    more: dict[str, Any] = {"model": "simulated", "journal": False}
    with pytest.raises(UsageError, match="the engine is not open: open it with"):
        asyncio.run(ponder.asolve(QUESTION, engine=engine, **more))

    async def use() -> None:
        async with engine:
            with pytest.raises(UsageError, match=r"await ponder\.asolve, or open it with 'with'"):
                ponder.solve(QUESTION, engine=engine, **more)
            elsewhere = asyncio.to_thread(
                asyncio.run, ponder.asolve(QUESTION, engine=engine, **more)
            )
            with pytest.raises(UsageError, match="belongs to another event loop"):
                await elsewhere
        with pytest.raises(UsageError, match="the engine is closed: open another"):
            await ponder.asolve(QUESTION, engine=engine, **more)
        with pytest.raises(UsageError, match="has been opened before"):
            await engine.__aenter__()

    asyncio.run(use())
    with pytest.raises(UsageError, match="at_once must be 1 or more, not 0"):
        Engine(at_once=0)


async def test_an_endpoint_that_fails_leaves_nothing_behind() -> None:
    before = held()
    async with Loopback(Step(drop=True)) as server, Engine(served(server)) as engine:
        more: dict[str, Any] = {"model": "loop", "strategy": "direct", "journal": False}
        for _ in range(2):
            with pytest.raises(ponder.RunFailed):
                await ponder.asolve(QUESTION, engine=engine, **more)
        assert engine.users("loop") == 0
    await nothing_but(before)


# The embedded engine ------------------------------------------------------------------------------


@pytest.mark.skipif(
    importlib.util.find_spec("openvino_genai") is None, reason="openvino-genai is not installed"
)
async def test_two_runs_share_the_batch_of_the_embedded_engine(small_model: Path) -> None:
    from ponder.models.openvino.model import OpenVINO

    before = held()
    async with Engine(Config(engine={"cache_gb": 0.5})) as engine:
        name, most = str(small_model), 0
        async with engine.model(name) as opened:
            model = opened.model
            assert isinstance(model, OpenVINO)
            assert sum(key.startswith("child") for key in held() - before) == 1

            def look(event: Event) -> None:
                nonlocal most
                most = max(most, model.metrics().requests)

            def one(seed: int) -> Any:
                return ponder.asolve(
                    "Count to 100.", model=name, strategy="best_of_n",
                    knobs={"n": 4, "length": 24}, seed=seed, engine=engine, on_event=look,
                    journal=False,
                )  # fmt: skip

            results = await asyncio.gather(one(1), one(2))
            async with engine.model(name) as again:
                assert again.model is model
            assert engine.users(name) == 1
        assert most > 4
        assert all(result.receipt.total.calls >= 4 for result in results)
    await nothing_but(before)


def test_an_engine_that_is_closed_or_none_is_refused_in_one_sentence() -> None:
    with Engine() as engine:
        pass
    with pytest.raises(UsageError, match="the engine is closed"):
        ponder.solve("2+2?", model="simulated", engine=engine, journal=False)
    with pytest.raises(UsageError, match="the engine is not open"):
        ponder.solve("2+2?", model="simulated", engine=Engine(), journal=False)
    with pytest.raises(UsageError, match=r"engine must be a ponder\.Engine, not 5"):
        ponder.solve("2+2?", model="simulated", engine=5, journal=False)  # type: ignore[arg-type]
