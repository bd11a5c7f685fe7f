"""The verbs of a session: seeds, order, cancellation, losses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import LimitReached, ModelError, ModelTimeout, RunFailed
from ponder.core.record.effects import Call, Generate, Result, Sampling, Steer, Verify
from ponder.core.record.events import Event, Proposed, VoteChanged
from ponder.core.record.steering import Action
from ponder.core.sessions.run import Run
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from tests.support.jobs import PROBLEM, trace
from tests.support.virtual import run

Outcome = float | Exception
START = Trace.empty(PROBLEM)


@dataclass
class World:
    """Answers calls after so many seconds each, by path; an exception is raised instead."""

    seconds: Callable[[str], float] = lambda path: 0.0
    fail: dict[str, Exception] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    flying: int = 0
    ended: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    lag: float = 0.0
    actions: list[tuple[Action, ...]] = field(default_factory=list)

    async def perform(self, call: Call) -> Result:
        self.calls.append(call)
        self.flying += 1
        try:
            await asyncio.sleep(self.seconds(call.path))
        except asyncio.CancelledError:
            await asyncio.sleep(self.lag)
            self.ended.append(f"{call.path} cancelled")
            raise
        finally:
            self.flying -= 1
        self.ended.append(call.path)
        if call.path in self.fail:
            raise self.fail[call.path]
        effect = call.effect
        if isinstance(effect, Generate):
            return trace(call.path, call.path)
        if isinstance(effect, Steer):
            return self.actions.pop(0) if self.actions else ()
        assert isinstance(effect, Verify)
        return tuple(Score(0.5, effect.verifier) for _ in effect.traces)

    def session(self, seed: int = 0, **fields: Any) -> Session:
        self.run = Run(self.perform, seed, publish=self.events.append, **fields)
        return Session(self.run)

    @property
    def seeds(self) -> dict[str, int]:
        return {c.path: c.effect.seed for c in self.calls if isinstance(c.effect, Generate)}


async def nested(s: Session) -> list[str]:
    """Verbs of every kind, two levels deep; returns what the random generators said, by branch."""
    said = [f"{s.rng.random()}"]

    async def inner(child: Session) -> str:
        await child.grow(START)
        await child.sample(PROBLEM, 2)
        return f"{child.rng.random()}"

    await s.grow(START)
    said += await s.gather([inner] * 3)
    await s.score([START])
    said += await s.gather([inner] * 2)
    return said


PATHS = [
    *["0", "1.0.0", "1.1.0", "1.2.0", "1.0.1.0.0", "1.0.1.1.0", "1.1.1.0.0", "1.1.1.1.0"],
    *["1.2.1.0.0", "1.2.1.1.0", "2", "3.0.0", "3.1.0", "3.0.1.0.0", "3.0.1.1.0"],
    *["3.1.1.0.0", "3.1.1.1.0"],
]


@settings(deadline=None)
@given(st.permutations(range(len(PATHS))), st.integers(0, 3))
def test_paths_seeds_and_random_numbers_are_the_same_whatever_finishes_first(
    order: list[int], seed: int
) -> None:
    async def main(seconds: Callable[[str], float]) -> tuple[Any, ...]:
        world = World(seconds)
        said = await nested(world.session(seed))
        return sorted(c.path for c in world.calls), world.seeds, said

    latencies = dict(zip(PATHS, order, strict=True))
    paths, seeds, said = run(main(lambda path: latencies[path]))
    assert (paths, seeds, said) == run(main(lambda path: 0.0))
    assert paths == sorted(PATHS)
    assert len(set(seeds.values())) == len(seeds)
    assert all(0 <= s < 2**31 for s in seeds.values())
    assert len(set(said)) == len(said)


def test_seeds_follow_from_the_runs_seed_and_the_path_alone() -> None:
    async def main(seed: int) -> dict[str, int]:
        world = World()
        await world.session(seed).sample(PROBLEM, 2)
        return world.seeds

    assert run(main(0)) == {"0.0.0": 169_425_555, "0.1.0": 1_390_415_046}
    assert set(run(main(0)).values()).isdisjoint(run(main(1)).values())


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    async def main() -> list[str]:
        return await nested(World().session())

    random.seed(1)
    before = random.getstate()
    first = run(main())
    assert random.getstate() == before
    random.seed(2)
    assert run(main()) == first


def test_a_grow_overrides_how_samples_are_drawn_field_by_field() -> None:
    async def main() -> None:
        world = World()
        session = world.session(sampling=Sampling(100, 0.5, stop=("x",)))
        await session.grow(START)
        await session.grow(trace(7), length=5, temperature=0.0)
        await session.sample(PROBLEM, 1, logprobs=True)
        effects = [call.effect for call in world.calls]
        assert [e.sampling for e in effects if isinstance(e, Generate)] == [
            Sampling(100, 0.5, stop=("x",)),
            Sampling(5, 0.0, stop=("x",)),
            Sampling(100, 0.5, stop=("x",), logprobs=True),
        ]
        assert [e.start for e in effects if isinstance(e, Generate)] == [START, trace(7), START]
        with pytest.raises(TypeError):
            await session.grow(START, lenght=5)

    run(main())


def test_gather_keeps_the_order_of_its_branches_and_as_completed_that_of_arrival() -> None:
    async def main() -> None:
        world = World(lambda path: {"0.0.0": 3.0, "0.1.0": 1.0, "0.2.0": 2.0}[path])
        grow: Callable[[Session], Awaitable[Trace]] = lambda child: child.grow(START)  # noqa: E731
        gathered = await world.session().gather([grow] * 3)
        assert [t.id for t in gathered] == ["0.0.0", "0.1.0", "0.2.0"]
        async with world.session().as_completed([grow] * 3) as arriving:
            assert [t.id async for t in arriving] == ["0.1.0", "0.2.0", "0.0.0"]
        sampled = await world.session().sample(PROBLEM, 3)
        assert [t.id for t in sampled] == ["0.0.0", "0.1.0", "0.2.0"]

    run(main())


def test_leaving_the_block_cancels_the_rest_and_waits_until_they_are_gone() -> None:
    async def main() -> None:
        world = World(lambda path: float(path.split(".")[1]), lag=5.0)
        async with world.session().sampling(PROBLEM, 4) as arriving:
            async for first in arriving:
                assert first.id == "0.0.0"
                break
        assert world.flying == 0
        assert asyncio.get_running_loop().time() == 5.0
        assert world.ended[0] == "0.0.0"
        assert sorted(world.ended[1:]) == [f"0.{i}.0 cancelled" for i in (1, 2, 3)]

    run(main())


def test_an_inner_block_sees_its_branches_out_even_if_it_is_cancelled_while_leaving() -> None:
    """The inner block is leaving, and waits for slow ones, when the outer one cancels it."""

    async def main() -> None:
        world = World(lambda path: {"0.0.0.0.0": 1.0, "0.1.0": 2.0}.get(path, 9.0), lag=5.0)

        async def leaves_early(child: Session) -> None:
            async with child.sampling(PROBLEM, 3) as arriving:
                async for _ in arriving:
                    break

        async def plain(child: Session) -> None:
            await child.grow(START)

        async with world.session().as_completed([leaves_early, plain]) as arriving:
            async for _ in arriving:
                break
        assert world.flying == 0
        assert asyncio.get_running_loop().time() == 6.0

    run(main())


def test_cancelling_twice_still_leaves_nothing_in_flight() -> None:
    async def main() -> None:
        world = World(lambda path: 9.0, lag=5.0)
        task = asyncio.ensure_future(world.session().sample(PROBLEM, 3))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert world.flying == 0
        assert asyncio.get_running_loop().time() == 6.0

    run(main())


def test_a_consumer_that_raises_cancels_the_rest() -> None:
    async def main() -> None:
        world = World(lambda path: float(path.split(".")[1]), lag=1.0)

        async def consume() -> None:
            async with world.session().sampling(PROBLEM, 3) as arriving:
                async for _ in arriving:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await consume()
        assert world.flying == 0
        assert sorted(world.ended) == ["0.0.0", "0.1.0 cancelled", "0.2.0 cancelled"]

    run(main())


def test_a_block_that_is_never_iterated_cancels_all() -> None:
    async def main() -> None:
        world = World(lambda path: 9.0)
        async with world.session().sampling(PROBLEM, 2):
            await asyncio.sleep(1)
        assert sorted(world.ended) == ["0.0.0 cancelled", "0.1.0 cancelled"]

    run(main())


@pytest.mark.parametrize("bad", range(8))
def test_one_bad_sample_in_eight_never_loses_the_other_seven(bad: int) -> None:
    async def main() -> None:
        lost = ModelTimeout("no answer")
        for verb in ("sample", "gather"):
            world = World(lambda path: -float(path.split(".")[1]), {f"0.{bad}.0": lost})
            session = world.session()
            traces = (
                await session.sample(PROBLEM, 8)
                if verb == "sample"
                else await session.gather([lambda child: child.grow(START)] * 8)
            )
            assert [t.id for t in traces] == [f"0.{i}.0" for i in range(8) if i != bad]
            assert world.run.lost is lost

    run(main())


def test_a_lost_chain_is_raised_where_it_was_asked_for() -> None:
    async def main() -> None:
        world = World(fail={"0": ModelTimeout("no answer")})
        with pytest.raises(ModelTimeout):
            await world.session().grow(START)

    run(main())


def test_when_all_are_lost_the_last_reason_is_told() -> None:
    async def main() -> None:
        fail = {f"0.{i}.0": ModelError(f"reason {i}") for i in range(3)}
        world = World(lambda path: {"0.0.0": 9.0}.get(path, 1.0), fail=dict(fail))
        session = world.session()
        traces = await session.sample(PROBLEM, 3)
        with pytest.raises(RunFailed, match=r"^no sample came back: reason 0$"):
            session.first(traces)
        with pytest.raises(RunFailed, match=r"^no sample came back$"):
            World().session().best([])

    run(main())


def test_what_the_budget_refused_is_left_out_unless_nothing_else_came() -> None:
    async def main() -> None:
        refused = LimitReached("tokens")
        some = World(fail={"0.0.0": refused, "0.2.0": refused})
        assert [t.id for t in await some.session().sample(PROBLEM, 3)] == ["0.1.0"]
        none = World(fail={"0.0.0": refused, "0.1.0": ModelError("lost")})
        with pytest.raises(LimitReached):
            await none.session().sample(PROBLEM, 2)
        lost = World(fail={"0.0.0": ModelError("lost"), "0.1.0": ModelError("lost")})
        assert await lost.session().sample(PROBLEM, 2) == []

    run(main())


def test_a_mistake_in_a_branch_is_raised_at_once_and_leaves_no_task() -> None:
    async def main() -> None:
        world = World(lambda path: float(path.split(".")[1]))

        async def branch(child: Session) -> None:
            await child.grow(START)
            raise KeyError("a mistake")

        with pytest.raises(KeyError):
            await world.session().gather([branch] * 3)
        assert world.ended[0] == "0.0.0"
        assert sorted(world.ended[1:]) == ["0.1.0 cancelled", "0.2.0 cancelled"]

    run(main())


def test_nothing_asked_is_nothing_answered() -> None:
    async def main() -> None:
        world = World()
        session = world.session()
        assert await session.sample(PROBLEM, 0) == []
        assert await session.gather([]) == []
        assert await session.score([]) == []
        assert world.calls == []

    run(main())


def test_scores_come_from_the_runs_verifier_or_from_the_one_named() -> None:
    async def main() -> None:
        world = World()
        session = world.session(verifier="usual")
        assert [s.verifier for s in await session.score([trace(0), trace(1)])] == ["usual"] * 2
        assert [s.verifier for s in await session.score([trace(0)], "other")] == ["other"]
        [call, _] = world.calls
        assert call.effect == Verify((trace(0), trace(1)), "usual")
        assert await session.steer([trace(0), trace(1)]) == [trace(0), trace(1)]

    run(main())


def test_the_best_has_the_highest_score_then_the_earliest_place() -> None:
    session = World().session()
    traces = [trace(i) for i in (3, 1, 2, 0)]

    def best(*values: float | None) -> str:
        return session.best((t, Score(v, "")) for t, v in zip(traces, values, strict=True))[0].id

    assert best(0.1, 0.9, 0.5, 0.2) == "1"
    assert best(0.9, 0.1, 0.9, 0.2) == "2"
    assert best(None, 0.0, None, None) == "1"
    assert best(None, None, None, None) == "0"


def test_a_trace_without_an_answer_is_the_best_only_where_none_has_one() -> None:
    silent, scores = [trace(0), trace(1)], [Score(v, "") for v in (0.2, 0.9, 0.1, None)]
    traces = [*silent, trace(2, "7"), trace(3, "8")]
    assert World().session().best(zip(traces, scores, strict=True)) == (traces[2], scores[2])
    assert World().session().best(zip(silent, scores[:2], strict=True)) == (silent[1], scores[1])


def test_where_all_abstain_the_answers_vote() -> None:
    none, traces = Score(None, ""), [trace(i, answer) for i, answer in enumerate("7889")]
    every = [(trace(9), none), *((t, none) for t in traces)]
    assert World().session().best(every)[0].id == "1"
    assert World().session().best(every[:3])[0].id == "0"
    assert World().session().best([*every, (trace(8, "5"), Score(0.1, ""))])[0].id == "8"


def test_the_first_answer_is_proposed_by_itself_and_later_ones_by_the_strategy() -> None:
    async def main() -> None:
        world = World()
        session = world.session()
        first = await session.grow(START)
        second = await session.grow(START)
        assert world.events == [Proposed(first, None)]
        session.propose(second, 0.5)
        session.vote([("a", 2.0)], 3)
        assert world.run.best == (second, 0.5)
        assert world.events == [
            Proposed(first, None),
            Proposed(second, 0.5),
            VoteChanged((("a", 2.0),), 3),
        ]

    run(main())
