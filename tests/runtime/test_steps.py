"""Chains that grow step by step: where a step ends, when a chain is done, and what is paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ponder.core.errors import ModelTimeout, UnknownName, UsageError
from ponder.core.problem import Problem
from ponder.core.record.effects import Sampling
from ponder.core.sessions.session import Session
from ponder.core.steps import SEPARATORS, Step, step
from ponder.core.trace import Trace
from ponder.models.base import Completion, Progress, Request, silent
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from tests.support.jobs import PROBLEM, job

CHAIN = "First this.\n\nThen that.\n\nSo \\boxed{42}.\n\nAnd some more."


def writer(chain: str = CHAIN) -> Scripted:
    """Continues the chain from wherever it is."""
    return Scripted(lambda request: chain.removeprefix(request.prefix))


async def grown(
    model: Scripted, how: Step | None = None, times: int = 9, fan: int = 1, length: int = 100
) -> list[list[Trace]]:
    """The beams after each step."""
    seen: list[list[Trace]] = []

    async def strategy(s: Session, problem: Problem) -> Trace:
        beams = [Trace.empty(problem)]
        for _ in range(times):
            if all(t.done for t in beams):
                break
            beams = await s.extend(beams, fan, step=how or Step())
            seen.append(beams)
        return beams[0]

    await Runner(job(model, strategy, sampling=Sampling(length))).go()
    return seen


async def test_a_step_ends_behind_its_separator() -> None:
    [[one], [two], [three]] = await grown(writer())
    assert one.text == "First this.\n\n"
    assert two.text == "First this.\n\nThen that.\n\n"
    assert three.text == "First this.\n\nThen that.\n\nSo \\boxed{42}."
    assert [one.finish, two.finish, three.finish] == [None, None, "stop"]
    assert (three.answer and three.answer.text, one.answer) == ("42", None)
    assert (one.tokens, two.tokens, three.tokens) == (2, 4, 6)
    assert [one.parent, two.parent, three.parent] == ["", one.id, two.id]


async def test_each_step_starts_from_what_is_written() -> None:
    model = writer()
    await grown(model)
    assert [r.prefix for r in model.requests] == [
        "",
        "First this.\n\n",
        "First this.\n\nThen that.\n\n",
    ]
    assert {r.stop for r in model.requests} == {("\n\n",)}


async def test_a_chain_that_ends_by_itself_is_done() -> None:
    [[one], [two]] = await grown(writer("No idea.\n\nSorry."))
    assert (one.finish, two.finish, two.text) == (None, "stop", "No idea.\n\nSorry.")


async def test_a_step_has_at_most_its_tokens_and_a_chain_all_of_its_own() -> None:
    words = " ".join("abcdefghij")

    def reply(request: Request) -> str:
        return words[len(request.prefix) :].lstrip()

    model = Scripted(reply)
    steps = await grown(model, Step((), 3), length=8)
    assert [beams[0].tokens for beams in steps] == [3, 6, 8]
    assert [beams[0].finish for beams in steps] == [None, None, "length"]
    assert [r.max_tokens for r in model.requests] == [3, 3, 2]


async def test_where_nobody_says_what_ended_it_a_separator_is_taken_to_have() -> None:
    script = ["one", "two", ""]
    model = Scripted([Completion(text, "stop", 6, 1) for text in script])
    [[one], [two], [three]] = await grown(model)
    assert (one.text, one.finish) == ("one", None)
    assert (two.text, two.finish) == ("onetwo", None)
    assert three.finish == "stop"


async def test_fan_and_the_order_of_chains() -> None:
    model = Scripted(lambda request: f"{request.seed % 1000}\n\nrest")
    first, second = await grown(model, fan=3, times=2)
    assert len(first) == 3
    assert len(second) == 9
    assert [t.parent for t in second] == [t.id for t in first for _ in range(3)]
    assert [t.order for t in second] == sorted(t.order for t in second)
    assert len({r.seed for r in model.requests}) == 12


async def test_a_chain_that_has_ended_stays_once_and_costs_nothing() -> None:
    done = Trace(PROBLEM, "over", 1, "stop", id="7")
    model = writer()

    async def strategy(s: Session, problem: Problem) -> Trace:
        beams = await s.extend([done, Trace.empty(problem)], 2, step=Step())
        assert [t.text for t in beams] == ["over", "First this.\n\n", "First this.\n\n"]
        return beams[0]

    await Runner(job(model, strategy)).go()
    assert len(model.requests) == 2


async def test_a_lost_step_is_left_out() -> None:
    replies: list[str | ModelTimeout] = ["a\n\n", ModelTimeout("gone"), "b\n\n"]
    [beams] = await grown(Scripted(replies), fan=3, times=1)
    assert [t.text for t in beams] == ["a\n\n", "b\n\n"]


@pytest.mark.parametrize("kept", range(4))
async def test_steps_are_resumed(kept: int, tmp_path: Path) -> None:
    async def strategy(s: Session, problem: Problem) -> Trace:
        beams: Sequence[Trace] = [Trace.empty(problem)]
        while not all(t.done for t in beams):
            beams = await s.extend(beams, 1, step=Step())
        return beams[0]

    async def go(model: Scripted, journal: Journal, run: str) -> Result:
        return await Runner(job(model, strategy), journal=journal, run=run).go()

    journal = Journal(tmp_path / "runs.sqlite")
    run = journal.create({})
    expected = await go(writer(), journal, run)
    journal._execute("delete from calls where seq >= ?", (kept,))
    model = writer()
    result = await go(model, journal, run)
    assert len(model.requests) == 3 - kept if kept < 3 else not model.requests
    assert (result.answer, result.trace) == (expected.answer, expected.trace)
    journal.close()


def test_kinds_of_steps() -> None:
    assert step() == Step(("\n\n",), 256)
    assert step("tokens", 32) == Step((), 32)
    assert set(SEPARATORS) == {"paragraph", "line", "sentence", "numbered", "tokens"}
    assert step("at(</step>)", 9) == Step(("</step>",), 9)
    assert step('at(Wait, "\\n- ")') == Step(("Wait", "\n- "), 256)
    assert step("at(<|sep|>)") == Step(("<|sep|>",), 256)
    for malformed in ("at()", "at(a, b=c)", "at(a)@m"):
        with pytest.raises(UsageError, match=r"expected the marks alone, at\(MARK, ...\)"):
            step(malformed)
    with pytest.raises(UsageError, match="cannot end at an empty text"):
        step('at(Wait, "")')
    with pytest.raises(UnknownName, match="unknown kind of step 'paragraf': did you mean"):
        step("paragraf")
    with pytest.raises(UsageError, match="cannot end at an empty text"):
        Step(("",))
    with pytest.raises(UsageError, match="cannot end at an empty text"):
        Sampling(stop=("\n", ""))
    with pytest.raises(UsageError, match="cannot end at an empty text"):
        Request((), 1, stop=("",))
    with pytest.raises(UsageError, match="at least one token"):
        Step(tokens=0)


class Mute(Scripted):
    """Does not say what ended a reply."""

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        return replace(await super().generate(request, progress), stopped_at=None)


@pytest.mark.parametrize(("kind", "finish"), [("tokens", "stop"), ("paragraph", None)])
async def test_where_nobody_says_what_ended_it_a_stop_string_has_if_there_was_one(
    kind: str, finish: str | None
) -> None:
    [[one], *_] = await grown(Mute(lambda r: "No idea, sorry."), step(kind), times=1)
    assert one.finish == finish


def told(text: str, *logprobs: float, ended: bool = False) -> Completion:
    """A step as a server sends it: with nothing generated, it lists nothing."""
    listed = logprobs or None
    top = tuple({"a": logprob} for logprob in logprobs) or None
    return Completion(
        text,
        "stop",
        6,
        len(logprobs) + 1,
        logprobs=listed,
        top=top,
        stopped_at="" if ended else "\n\n",
    )


async def test_a_step_without_text_leaves_the_log_probabilities_of_its_chain() -> None:
    model = Scripted([told("So", -0.5, -0.25), told("", ended=True)])
    [[one], [two]] = await grown(model, times=2)
    assert (one.logprobs, two.logprobs) == ((-0.5, -0.25), (-0.5, -0.25))
    assert two.top == ({"a": -0.5}, {"a": -0.25})
    assert (two.finish, two.tokens) == ("stop", 4)


async def test_a_step_whose_text_has_no_log_probabilities_leaves_the_chain_without() -> None:
    [[_], [two]] = await grown(Scripted([told("So", -0.5), told(" or not", ended=True)]), times=2)
    assert (two.text, two.logprobs, two.top) == ("So\n\n or not", None, None)
