"""Steering: what each action does to a search and to a vote, and that a steered run replays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ponder.core.answer import Answer
from ponder.core.errors import UsageError
from ponder.core.record.events import Dropped, Event, SampleFinished, Steered
from ponder.core.record.search import fold
from ponder.core.record.steering import Action
from ponder.core.worth import Worth
from ponder.models.base import ModelInfo, Priced, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime import history
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from tests.support.jobs import PROBLEM, job
from tests.support.searching import VALUES, ByPath, Tree

Script = dict[int, Action | list[Action]]
"""Actions by the number of samples that have come when they are sent."""


async def steered(
    strategy: str,
    knobs: dict[str, Any],
    script: Script,
    *,
    reply: Callable[[Request], str] | None = None,
    value: Callable[[str], float | None] = VALUES.get,
    journal: Journal | None = None,
    run: str = "",
) -> tuple[Result, ByPath, Scripted, list[Event]]:
    verifier, model, events, came = ByPath(value), Scripted(reply or Tree()), list[Event](), [0]

    def watch(event: Event) -> None:
        events.append(event)
        if isinstance(event, SampleFinished):
            came[0] += 1
            actions = script.get(came[0], [])
            for action in [actions] if isinstance(actions, Action) else actions:
                runner.steer(action)

    asked = job(model, strategy, knobs=knobs, verifiers={"v": verifier}, verifier="v")
    runner = Runner(asked, publish=watch, journal=journal, run=run)
    return await runner.go(), verifier, model, events


BEAM = ("beam_search", {"width": 1, "fan": 2})
"""Unsteered: a, then ab, then aba."""


async def test_a_pruned_beginning_is_not_expanded() -> None:
    wide = ("beam_search", {"width": 2, "fan": 1})
    result, verifier, _, events = await steered(*wide, {2: Action("prune", "0.0.0", by="ann")})
    assert result.answer == "baa"
    assert not any(path.startswith("aa") for path in verifier.seen)
    assert Dropped(("0.0.0",), "pruned by ann") in events


async def test_what_is_kept_is_chosen_of_what_nobody_pruned_while_it_was_written() -> None:
    """Unsteered, bb and ab are kept. Who prunes b meanwhile gets ab and aa, not ab alone."""
    knobs = {"width": 2, "fan": 2}
    _, verifier, _, _ = await steered("beam_search", knobs, {})
    assert {path[:2] for path in verifier.seen if len(path) == 3} == {"ab", "bb"}
    _, verifier, _, _ = await steered("beam_search", knobs, {6: Action("prune", "0.1.0")})
    assert {path[:2] for path in verifier.seen if len(path) == 3} == {"ab", "aa"}


async def test_a_pinned_beginning_survives_a_poor_score() -> None:
    result, verifier, _, _ = await steered(*BEAM, {2: Action("pin", "0.1.0")})
    assert {"ba", "bb"} <= set(verifier.seen)
    assert result.answer == "bbb"


async def test_more_branches_come_at_the_node_that_was_named() -> None:
    _, _, plain, _ = await steered(*BEAM, {})
    _, _, model, _ = await steered(*BEAM, {2: Action("more", "0.0.0", count=3)})
    assert [r.prefix for r in model.requests].count("a\n\n") == 2 + 3
    assert len(model.requests) == len(plain.requests) + 3


async def test_a_node_that_was_given_up_is_expanded_when_more_is_wanted_of_it() -> None:
    result, verifier, _, events = await steered(*BEAM, {4: Action("more", "0.1.0", count=2)})
    assert "bb" in verifier.seen
    tree = fold(PROBLEM, events)
    assert tree["0.1.0"].children
    assert result.answer == "bbb"


async def test_an_edited_beginning_is_what_the_search_goes_on_from() -> None:
    _, _, model, events = await steered(*BEAM, {2: Action("edit", "0.0.0", text="b\n\n")})
    assert [r.prefix for r in model.requests[2:4]] == ["b\n\n"] * 2
    tree = fold(PROBLEM, events)
    assert (tree["0.0.0"].why, tree["2.0"].trace.text) == ("edited", "b\n\n")


async def test_a_hint_is_seen_by_all_later_steps_and_changes_no_problem() -> None:
    result, _, model, _ = await steered(*BEAM, {2: Action("hint", text=" try b ")})
    asked = [r.messages[-1].content for r in model.requests]
    assert all("try b" not in text for text in asked[:2])
    assert all(text.endswith("Hints to follow:\n- try b") for text in asked[2:])
    assert result.trace is not None
    assert result.trace.problem == PROBLEM


@pytest.mark.parametrize(
    ("strategy", "knobs", "hinted"),
    [
        ("beam_search", {"width": 1, "fan": 2}, ["0.0.0"]),  # the one that is kept of two
        ("beam_search", {"width": 2, "fan": 2}, ["0.0.0", "0.1.0"]),
        ("self_consistency", {"n": 3, "stop": "never"}, [""]),  # chains that have ended
    ],
)
async def test_a_hint_stands_at_the_nodes_that_are_continued_next(
    strategy: str, knobs: dict[str, Any], hinted: list[str]
) -> None:
    hint = Action("hint", text="try b", by="ann")
    _, _, _, events = await steered(strategy, knobs, {2: hint})
    tree = fold(PROBLEM, events)
    assert [node.id for node in tree.nodes.values() if node.actions == (hint,)] == hinted


async def test_an_accepted_beginning_is_made_to_answer_and_ends_the_run() -> None:
    result, _, model, _ = await steered(*BEAM, {4: Action("accept", "0.1.0")})
    assert (result.answer, result.stopped_by) == ("forced", "accepted")
    assert model.requests[-1].prefix.startswith("b\n\n")
    assert len(model.requests) == 5


async def test_a_paused_run_waits_until_it_is_resumed() -> None:
    script: Script = {2: [Action("pause"), Action("resume")]}
    result, _, _, events = await steered(*BEAM, script)
    assert [e.action.kind for e in events if isinstance(e, Steered)] == ["pause", "resume"]
    assert result.answer == "aba"


def answers(request: Request) -> str:
    return f"\\boxed{{{request.seed % 3}}}"


CHAINS = [
    ("self_consistency", {"n": 5, "stop": "never", "batch": 2}),
    ("best_of_n", {"n": 4}),
    ("confident", {"n": 6, "warmup": 3, "window": 4}),
    ("sequential_parallel", {"n": 4, "chains": 2}),
    ("ab_mcts", {"n": 4}),
    ("refine", {"rounds": 3}),
    ("mixture", {"n": 2, "rounds": 1}),
    ("aggregate", {"n": 2, "rounds": 1}),
]


@pytest.mark.parametrize(("strategy", "knobs"), CHAINS)
async def test_a_candidate_of_whole_chains_may_be_accepted(
    strategy: str, knobs: dict[str, Any]
) -> None:
    seen: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, SampleFinished) and event.role == "generate":
            seen.append(event.trace.id)
            if len(seen) == 1:
                runner.steer(Action("accept", event.trace.id))

    model, verifier = Scripted(answers), ByPath(lambda path: 0.5)
    asked = job(model, strategy, knobs=knobs, verifiers={"v": verifier, "mean_logprob": verifier},
                verifier="v")  # fmt: skip
    runner = Runner(asked, publish=watch)
    result = await runner.go()
    assert result.stopped_by == "accepted"
    assert result.trace is not None
    assert result.trace.id == seen[0]


async def test_a_pruned_voter_has_no_vote_and_more_samples_are_asked_for() -> None:
    replies = ["\\boxed{a}", "\\boxed{b}", "\\boxed{b}", "\\boxed{a}", "\\boxed{a}"]
    knobs = {"n": 3, "stop": "never", "batch": 1}
    plain, _, model, _ = await steered("self_consistency", knobs, {}, reply=_in_turn(replies))
    assert (plain.answer, len(model.requests)) == ("b", 3)
    script: Script = {1: Action("more", count=1), 2: Action("prune", "0.1.0")}
    result, _, model, _ = await steered(
        "self_consistency", knobs | {"batch": 3}, script, reply=_in_turn(replies)
    )
    assert (result.answer, len(model.requests)) == ("a", 4)


async def test_a_chain_of_attempts_goes_on_from_the_one_that_was_edited() -> None:
    replies = ["\\boxed{a}", "\\boxed{b}", "Instead: \\boxed{c}", "\\boxed{d}", "\\boxed{e}"]
    knobs = {"n": 4, "chains": 2}
    script: Script = {2: Action("edit", "0.1.0", text="Wrong! ")}
    _, _, model, _ = await steered("sequential_parallel", knobs, script, reply=_in_turn(replies))
    shown = [[m.content for m in r.messages if m.role == "assistant"] for r in model.requests]
    assert shown == [[], [], [], ["\\boxed{a}"], ["Wrong! Instead: \\boxed{c}"]]


async def test_an_edited_text_is_continued_by_the_model_that_wrote_it() -> None:
    def watch(event: Event) -> None:
        if isinstance(event, SampleFinished) and event.trace.answer == Answer("big", "big"):
            runner.steer(Action("edit", event.trace.id, text="No: "))

    model, replies = Scripted(lambda request: "\\boxed{own}"), ["\\boxed{big}", "\\boxed{other}"]
    big = Scripted(replies, info=ModelInfo("big", EVERYTHING, Shape(2)))
    knobs = {"n": 1, "rounds": 1, "models": "scripted, big"}
    changes: dict[str, Any] = {"others": {"big": Priced(big), "scripted": Priced(model)}}
    runner = Runner(job(model, "mixture", knobs=knobs, **changes), publish=watch)
    await runner.go()
    assert [request.prefix for request in big.requests] == ["", "No: ", ""]


async def test_an_edited_sample_stays_on_its_rung() -> None:
    def reply(request: Request) -> str:
        return f"\\boxed{{{len(model.requests)}{len(large.requests)}}}"

    def watch(event: Event) -> None:
        if isinstance(event, SampleFinished) and len(large.requests) == 1:
            runner.steer(Action("edit", event.trace.id, text="No: "))

    model, large = Scripted(reply), Scripted(reply, info=ModelInfo("large", EVERYTHING, Shape(2)))
    knobs = {"n": 1, "escalate": "large"}
    others, worth = {"large": Priced(large)}, Worth(1e9, "tokens")
    runner = Runner(job(model, "auto", knobs=knobs, others=others, worth=worth), publish=watch)
    result = await runner.go()
    assert [len(one.requests) for one in (model, large)] == [1, 2]
    assert result.decided[-1].startswith("stop: every model has given its samples")


def _in_turn(replies: list[str]) -> Callable[[Request], str]:
    left = iter(replies)
    return lambda request: next(left)


@pytest.mark.parametrize(
    "script",
    [
        {2: Action("prune", "0.0.0")},
        {2: Action("pin", "0.1.0")},
        {2: Action("edit", "0.0.0", text="b\n\n"), 3: Action("hint", text="look")},
        {4: Action("more", "0.1.0", count=2)},
        {4: Action("accept", "0.1.0")},
    ],
    ids=lambda script: "-".join(action.kind for action in script.values()),
)
async def test_a_steered_run_replays_to_the_same_end_without_asking_anything(
    script: Script,
) -> None:
    journal = Journal(":memory:")
    name = journal.create({})
    knobs = {"width": 2, "fan": 2}
    first, _, _, events = await steered("beam_search", knobs, script, journal=journal, run=name)
    again, _, model, replayed = await steered("beam_search", knobs, {}, journal=journal, run=name)
    assert model.requests == []
    assert (again.answer, again.stopped_by, again.candidates) == (
        first.answer,
        first.stopped_by,
        first.candidates,
    )
    assert fold(PROBLEM, replayed) == fold(PROBLEM, events)
    recorded = history.tree(PROBLEM, journal.calls(name), journal.decisions(name))
    assert recorded == fold(PROBLEM, events)
    assert again.receipt.total == first.receipt.total
    journal.close()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"kind": "prune"}, "prune needs a node"),
        ({"kind": "hint", "text": "x", "node": "0"}, "hint is about the whole run"),
        ({"kind": "hint"}, "hint needs a text"),
        ({"kind": "edit", "node": "0", "text": "  "}, "edit needs a text"),
        ({"kind": "pin", "node": "0", "text": "x"}, "pin takes no text"),
        ({"kind": "more", "node": "0"}, "more needs a count from 1 to 256, not 0"),
        ({"kind": "more", "count": 257}, "more needs a count from 1 to 256, not 257"),
        ({"kind": "pause", "count": 2}, "pause takes no count"),
        ({"kind": "prun", "node": "0"}, "did you mean 'prune'"),
    ],
)
def test_an_action_that_makes_no_sense_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Action(**fields)
