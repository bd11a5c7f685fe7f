"""Steering at any moment of any strategy: a run that can go on elsewhere never ends unanswered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.record.effects import Sampling
from ponder.core.record.events import Event, SampleFinished, Steered
from ponder.core.record.search import fold
from ponder.core.record.steering import KINDS, WITH_TEXT, Action, Kind
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.strategies.registry import STRATEGIES
from tests.support.jobs import PROBLEM, job
from tests.support.strategies import KNOBS, Delayed, Opinion, reply
from tests.support.virtual import run

ANSWER = [name for name in STRATEGIES if name != "decide"]
SEARCHES = ("beam_search", "dvts", "particle_filter", "mcts", "ab_mcts", "tree_of_thoughts",
            "verify_and_backtrack")  # fmt: skip
Script = list[tuple[int, Kind, int]]
"""Actions: the number of samples that have come when one is sent, its kind, and the place of its
node among them, counted from the last.
"""


def action(kind: Kind, node: str) -> Action:
    return Action(
        kind,
        node if kind in ("prune", "pin", "edit", "accept", "more") else "",
        "w1\n\n" if kind in WITH_TEXT else "",
        1 if kind == "more" else 0,
    )


async def steered(
    strategy: str, script: Script, journal: Journal, name: str
) -> tuple[Result, list[Event], Scripted]:
    events, came, model = list[Event](), list[str](), Delayed(reply)

    def watch(event: Event) -> None:
        events.append(event)
        if not (isinstance(event, SampleFinished) and event.role == "generate"):
            return
        came.append(event.trace.id)
        for moment, kind, back in script:
            if moment == len(came):
                runner.steer(action(kind, came[-1 - back % len(came)]))
                if kind == "pause":
                    runner.steer(Action("resume"))

    asked = job(
        model,
        strategy,
        knobs=KNOBS.get(strategy, {}),
        sampling=Sampling(60),
        verifiers={"opinion": Opinion(), "mean_logprob": Opinion()},
        verifier="opinion",
    )
    runner = Runner(asked, journal=journal, run=name, publish=watch)
    return await runner.go(), events, model


def pruned(events: list[Event], searches: bool) -> set[str]:
    """The nodes that were pruned; in a tree that it ``searches``, with all beneath."""
    tree, gone = fold(PROBLEM, events), set[str]()
    for event in events:
        if isinstance(event, Steered) and event.action.kind == "prune":
            node = event.action.node
            gone |= {one.id for one in tree.below(node)} if searches else {node}
    return gone


kinds: st.SearchStrategy[Kind] = st.sampled_from(["prune", "prune", *(k for k in KINDS
                                                 if k != "resume")])  # fmt: skip
scripts = st.lists(st.tuples(st.integers(1, 9), kinds, st.integers(0, 5)), max_size=6)


def check(strategy: str, script: Script) -> None:
    async def main() -> None:
        journal = Journal(":memory:")
        name = journal.create({})
        result, events, _ = await steered(strategy, script, journal, name)
        assert result.answer is not None
        assert result.trace is not None
        if result.stopped_by != "accepted":
            assert result.trace.id not in pruned(events, strategy in SEARCHES)
        again, _, model = await steered(strategy, [], journal, name)
        assert model.requests == []
        assert (again.answer, again.candidates) == (result.answer, result.candidates)
        journal.close()

    run(main())


@pytest.mark.parametrize("strategy", ANSWER)
@settings(max_examples=30)
@given(script=scripts)
def test_a_steered_run_ends_with_an_answer_that_nobody_pruned(
    strategy: str, script: Script
) -> None:
    check(strategy, script)


@pytest.mark.parametrize("strategy", ANSWER)
@pytest.mark.parametrize("until", [2, 4, 9])
def test_a_run_of_which_everything_is_pruned_as_it_comes_goes_on_elsewhere(
    strategy: str, until: int
) -> None:
    check(strategy, [(moment, "prune", 0) for moment in range(1, until)])
