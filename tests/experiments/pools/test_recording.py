"""Recording a pool: what is asked for, what is kept, and what is never asked for twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ponder.core.budget import Budget
from ponder.core.errors import (
    CapabilityError,
    ModelError,
    ModelTimeout,
    RequestRefused,
    RunFailed,
    UsageError,
)
from ponder.core.record.effects import Sampling
from ponder.experiments.pools import recorder, recording
from ponder.experiments.pools.recorder import Outcome, Progress
from ponder.experiments.pools.recording import Recording
from ponder.experiments.pools.samples import Entry, Header
from ponder.models.base import ModelInfo, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.models.opening import Opened
from tests.support.items import items, right
from tests.support.jobs import Reply, Timed
from tests.support.virtual import run


def asked(problems: int = 3, n: int = 2, **changes: Any) -> Recording:
    plan = Recording("s", items(problems), "m", n, Sampling(8), Budget(), 0)
    return replace(plan, **changes)


def record(
    plan: Recording, pool: Path, model: Any, tell: Callable[[Progress], None] = lambda p: None
) -> tuple[Header, list[Entry], Outcome]:
    return asyncio.run(recording.record(plan, pool, opened=Opened(model), tell=tell))


def test_only_a_model_within_this_process_has_an_engine_of_this_process(tmp_path: Path) -> None:
    header, _, _ = record(asked(), tmp_path / "p", Scripted(right))
    assert set(header.rest["versions"]) == {"ponder", "python"}
    within = recording.versions(embedded=True)
    assert within.keys() >= header.rest["versions"].keys()


def test_every_problem_is_sampled_n_times_with_seeds_of_its_own(tmp_path: Path) -> None:
    model = Scripted(right)
    header, entries, outcome = record(asked(), tmp_path / "p", model)
    assert [e.problem_id for e in entries] == ["p0", "p1", "p2"]
    assert [[s.answer for s in e.samples] for e in entries] == [["1"] * 2, ["2"] * 2, ["3"] * 2]
    assert len({request.seed for request in model.requests}) == 6
    sample = entries[2].samples[0]
    assert (sample.tokens, sample.prompt_tokens, sample.key) == (5, 5, "q:3")
    assert (sample.correct, sample.cut, sample.scores) == (None, False, {})
    assert (entries[2].gold, entries[2].level, entries[2].answer_type) == ("3", 2, "number")
    assert (outcome.samples, outcome.failed, outcome.stopped_by) == (6, 0, None)
    assert header.models == ("m",)
    assert header.rest["parameters"] == 1
    assert header.rest["seed"] == 0
    assert header.rest["receipt"]["completion_tokens"] == 30
    assert header.rest["sampling"]["length"] == 8


def test_the_same_recording_again_asks_for_nothing(tmp_path: Path) -> None:
    first = record(asked(), tmp_path / "p", Scripted(right))
    silent = Scripted([])
    again = record(asked(), tmp_path / "p", silent)
    assert silent.requests == []
    assert again[1] == first[1]
    assert again[0] == first[0]


def test_a_recording_grows_in_samples_and_in_problems(tmp_path: Path) -> None:
    record(asked(2, 2), tmp_path / "p", Scripted(right))
    more = Scripted(right)
    grown = record(asked(3, 4), tmp_path / "p", more)[1]
    whole = Scripted(right)
    at_once = record(asked(3, 4), tmp_path / "q", whole)[1]
    assert len(more.requests) == 12 - 4
    assert {r.seed for r in more.requests} < {r.seed for r in whole.requests}
    assert [e.problem_id for e in grown] == [e.problem_id for e in at_once]
    assert [len(e.samples) for e in grown] == [4, 4, 4]


def test_a_part_of_a_suite_has_the_same_seeds_as_the_whole(tmp_path: Path) -> None:
    part, whole = Scripted(right), Scripted(right)
    some = {i: item for i, item in items(4).items() if i % 2}
    record(asked(items=some), tmp_path / "p", part)
    record(asked(4), tmp_path / "q", whole)
    assert {r.seed for r in part.requests} < {r.seed for r in whole.requests}


def test_confidence_is_kept_as_scores(tmp_path: Path) -> None:
    plan = asked(1, sampling=Sampling(8, logprobs=True))
    [entry] = record(plan, tmp_path / "p", Scripted(right))[1]
    assert entry.samples[0].scores == {"mean_logprob": 0.904837, "lowest_group": 0.904837}


def test_confidence_needs_log_probabilities(tmp_path: Path) -> None:
    deaf = Scripted(right, info=ModelInfo("deaf", EVERYTHING - {"logprobs"}, Shape(1), local=True))
    with pytest.raises(CapabilityError, match="deaf gives no log-probabilities"):
        record(asked(sampling=Sampling(8, logprobs=True)), tmp_path / "p", deaf)
    assert deaf.requests == []


def test_a_cut_sample_says_so(tmp_path: Path) -> None:
    [entry] = record(asked(1, sampling=Sampling(3)), tmp_path / "p", Scripted(right))[1]
    assert [(s.cut, s.answer) for s in entry.samples] == [(True, None)] * 2


def test_lost_samples_are_tried_again_at_the_end(tmp_path: Path) -> None:
    lost: list[int] = []

    def once(request: Request) -> str | ModelError:
        if not lost or (len(lost) < 3 and request.seed not in lost):
            lost.append(request.seed)
            return ModelTimeout("gone")
        return right(request)

    model = Scripted(once)
    _, entries, outcome = record(asked(), tmp_path / "p", model)
    assert [len(e.samples) for e in entries] == [2, 2, 2]
    assert [r.seed for r in model.requests[-3:]] == lost
    assert (outcome.samples, outcome.failed) == (6, 0)
    assert outcome.receipt.total.failed == 3


def test_what_stays_lost_is_counted_and_asked_for_next_time(tmp_path: Path) -> None:
    def never(request: Request) -> str | ModelError:
        return ModelTimeout("gone") if "1 + 1" in request.messages[0].content else right(request)

    header, entries, outcome = record(asked(), tmp_path / "p", Scripted(never))
    assert [e.problem_id for e in entries] == ["p0", "p2"]
    assert (outcome.failed, outcome.lost, header.rest["failed"]) == (2, "gone", 2)
    well = Scripted(right)
    header, entries, outcome = record(asked(), tmp_path / "p", well)
    assert len(well.requests) == 2
    assert [len(e.samples) for e in entries] == [2, 2, 2]
    assert (outcome.failed, header.rest["failed"]) == (0, 0)
    assert outcome.receipt.total.failed == 4  # what was lost stays on the receipt


def test_what_the_endpoint_refuses_is_not_tried_again(tmp_path: Path) -> None:
    def refuse(request: Request) -> str | ModelError:
        return RequestRefused("no") if "1 + 1" in request.messages[0].content else right(request)

    model = Scripted(refuse)
    assert record(asked(), tmp_path / "p", model)[2].failed == 2
    assert len(model.requests) == 6


def test_a_model_that_is_gone_is_given_up(tmp_path: Path) -> None:
    plan = asked(100, 2)
    gone = Scripted(lambda request: ModelTimeout("gone"))
    with pytest.raises(RunFailed, match=r"\d\d samples in a row were lost: gone"):
        record(plan, tmp_path / "p", gone)
    assert len(gone.requests) <= recorder.IN_FLIGHT
    assert len(record(plan, tmp_path / "p", Scripted(right))[1]) == 100


def test_no_sample_at_all_is_a_failed_run(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="no sample came back: gone"):
        record(asked(1), tmp_path / "p", Scripted(lambda request: ModelTimeout("gone")))


def test_a_budget_ends_the_recording_with_whole_samples_and_it_can_go_on(tmp_path: Path) -> None:
    # 5 prompt tokens and up to 8: 13 are reserved for each sample, and 10 are spent on it
    plan = asked(3, 2, budget=Budget(tokens=40))
    header, entries, outcome = record(plan, tmp_path / "p", Scripted(right))
    assert [len(e.samples) for e in entries] == [2, 1]
    assert all(s.answer for e in entries for s in e.samples)
    assert (outcome.stopped_by, header.rest["stopped_by"]) == ("tokens", "tokens")
    rest = Scripted(right)
    _, entries, outcome = record(replace(plan, budget=Budget(tokens=70)), tmp_path / "p", rest)
    assert [len(e.samples) for e in entries] == [2, 2, 2]
    assert (len(rest.requests), outcome.stopped_by) == (3, None)


def test_a_budget_too_small_for_one_sample_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="budget of tokens does not allow one sample"):
        record(asked(budget=Budget(tokens=4)), tmp_path / "p", Scripted(right))


def test_a_budget_that_nobody_can_count_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="size of x is unknown"):
        record(
            asked(budget=Budget(flops=1e9)),
            tmp_path / "p",
            Scripted(right, info=ModelInfo("x", EVERYTHING)),
        )


def test_another_recording_of_that_name_is_refused(tmp_path: Path) -> None:
    record(asked(), tmp_path / "p", Scripted(right))
    with pytest.raises(UsageError, match="another recording, with another sampling and seed"):
        record(asked(sampling=Sampling(9), seed=4), tmp_path / "p", Scripted(right))


def test_the_engine_is_kept_full_across_problems(tmp_path: Path) -> None:
    """In virtual time: with 32 slots' worth of samples always asked for, nobody waits for a slow
    problem; only the tail, once nothing is left to ask for, may have fewer in flight.
    """
    model = Timed(lambda request: Reply(seconds=1 + request.seed % 9973 / 1000))
    flying: list[int] = []
    wanted = 100 * 4

    def watch() -> None:
        if len(model.asked) < wanted:
            flying.append(model.running)

    model.watch = watch

    async def main() -> None:
        await recording.record(asked(100, 4), tmp_path / "p", opened=Opened(model))

    run(main())
    filled = flying[flying.index(max(flying)) :]
    assert max(filled) == recorder.IN_FLIGHT
    assert min(filled) > recorder.IN_FLIGHT - 4


def test_samples_of_one_problem_are_asked_for_together(tmp_path: Path) -> None:
    model = Scripted(right)
    record(asked(50, 8), tmp_path / "p", model)
    order = [request.messages for request in model.requests]
    assert [order[i] for i in range(0, 400, 8)] == [order[i + 7] for i in range(0, 400, 8)]


def test_progress_counts_what_was_there_already(tmp_path: Path) -> None:
    record(asked(2, 2), tmp_path / "p", Scripted(right))
    told: list[Progress] = []
    record(asked(2, 3), tmp_path / "p", Scripted(right), told.append)
    assert [(p.done, p.replayed, p.wanted, p.failed) for p in told] == [
        (4, 4, 6, 0),
        (5, 4, 6, 0),
        (6, 4, 6, 0),
    ]
    assert told[-1].receipt.total.completion_tokens == 30


def test_what_has_come_when_it_is_cancelled_is_kept(tmp_path: Path) -> None:
    record(asked(1, 2), tmp_path / "p", Scripted(right))
    asyncio.run(_cancelled(asked(1, 5), tmp_path / "p"))
    model = Scripted(right)
    [entry] = record(asked(1, 5), tmp_path / "p", model)[1]
    assert len(model.requests) == 3
    assert len(entry.samples) == 5


async def _cancelled(plan: Recording, pool: Path) -> None:
    slow = Scripted(right, gate=asyncio.Event())
    task = asyncio.ensure_future(recording.record(plan, pool, opened=Opened(slow)))
    for _ in range(100):
        await asyncio.sleep(0)
    assert slow.running == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.running == 0


def test_a_style_is_asked_for_kept_and_no_other_recordings(tmp_path: Path) -> None:
    model = Scripted(lambda request: "\\boxed{1}")
    header, entries, _ = record(asked(1, 1, style="worked"), tmp_path / "p", model)
    [request] = model.requests
    roles = [message.role for message in request.messages]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert header.rest["style"] == "worked"
    assert entries[0].samples[0].answer == "1"
    for style in ("brief", "plain"):
        with pytest.raises(UsageError, match="another recording, with another style"):
            record(asked(1, 1, style=style), tmp_path / "p", model)
    plain, _, _ = record(asked(1, 1), tmp_path / "q", model)
    assert "style" not in plain.rest
