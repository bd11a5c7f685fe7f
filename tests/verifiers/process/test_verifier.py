"""Scores of steps: by a reward model, and by rollouts without one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ponder
from ponder.core.budget import Budget
from ponder.core.errors import LimitReached, ModelTimeout, UsageError
from ponder.core.problem import Message
from ponder.models.base import Completion, ModelInfo, Request, Shape
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.runtime.runner import Runner
from ponder.verifiers import registry
from ponder.verifiers.process.rollouts import Rollouts, agreement
from ponder.verifiers.process.steps import AGGREGATES, prefixes, steps
from ponder.verifiers.process.verifier import Process, read_scores
from ponder.verifiers.registry import find
from tests.support.asking import ask
from tests.support.jobs import PROBLEM, ByText, job, trace
from tests.support.loopback import Loopback, Step
from tests.support.seeded import configure

# Steps --------------------------------------------------------------------------------------------


def test_steps_by_hand() -> None:
    assert steps("a\nb\n\nc\n \n\nd\n") == ["a\nb", "c", "d"]
    assert steps("\n a\n b \n") == ["a", "b"]
    assert steps("one") == ["one"]
    assert steps(" \n\n ") == steps("") == []
    assert prefixes("a\nb\n\nc\n \n\nd\n") == [
        "a\nb\n\n",
        "a\nb\n\nc\n \n\n",
        "a\nb\n\nc\n \n\nd\n",
    ]
    assert prefixes("a\nb") == ["a\n", "a\nb"]
    assert prefixes("one") == ["one"]
    assert prefixes(" ") == []


@given(st.text(st.sampled_from("ab \n\t"), max_size=30))
def test_steps_and_prefixes_cover_the_text(text: str) -> None:
    parts, starts = steps(text), prefixes(text)
    assert len(parts) == len(starts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part == part.strip() and part for part in parts)
    for part, start in zip(parts, starts, strict=True):
        assert text.startswith(start)
        assert start.rstrip().endswith(part)
    assert not starts or starts[-1] == text
    assert starts == sorted(starts, key=len)


def test_aggregates_by_hand() -> None:
    values = [0.5, 0.25, 0.8]
    assert {name: of(values) for name, of in AGGREGATES.items()} == {
        "min": 0.25,
        "last": 0.8,
        "product": pytest.approx(0.1),
    }


# By a reward model --------------------------------------------------------------------------------

PRM = ModelInfo("prm", frozenset(), Shape(5), local=True)


def scores(*values: float) -> Completion:
    return Completion(json.dumps(values), "stop", 20, 0)


@pytest.mark.parametrize(("agg", "value"), [("min", 0.5), ("last", 0.75), ("product", 0.375)])
async def test_the_steps_of_a_trace_are_scored_and_made_one(agg: str, value: float) -> None:
    own, prm = Scripted([]), Scripted([scores(0.5, 0.75)], info=PRM)
    verifier = registry.find(f"process(prm, agg={agg})")
    asked = await ask(verifier, [trace(0, text="one\n\ntwo")], own, others={"prm": prm})
    assert asked.values == [pytest.approx(value)]
    assert asked.scores[0].detail == f"{agg} of 0.50, 0.75"
    [request] = prm.requests
    assert request.messages == (*PROBLEM.messages, Message("assistant", "one\n\ntwo"))
    assert (request.max_tokens, request.temperature) == (1, 0.0)
    [item] = asked.receipt.items
    assert (item.role, item.model, item.prompt_tokens, item.completion_tokens) == (
        "verify",
        "prm",
        20,
        0,
    )
    assert item.flops == PRM.shape.flops(20, 0, 0)


async def test_lines_are_steps_where_no_line_is_blank() -> None:
    prm = Scripted([scores(0.5, 0.75)], info=PRM)
    await ask(
        find("process(prm)"),
        [trace(0, text="one\ntwo")],
        Scripted([]),
        others={"prm": prm},
    )
    assert prm.requests[0].messages[-1].content == "one\n\ntwo"


async def test_a_lost_call_is_an_abstention_on_that_trace_alone() -> None:
    def sometimes(request: Request) -> Any:
        lost = request.messages[-1].content == "trace 0"
        return ModelTimeout("no answer in time") if lost else scores(0.5)

    prm = Scripted(sometimes, info=PRM)
    traces = [trace(0), trace(1), trace(2, text="")]
    asked = await ask(find("process(prm)"), traces, Scripted([]), others={"prm": prm})
    assert asked.values == [None, 0.5, None]
    assert [s.detail for s in asked.scores] == [
        "not judged: no answer in time",
        "min of 0.50",
        "there are no steps to score",
    ]


async def test_a_chat_model_in_its_place_is_told() -> None:
    own = Scripted([])
    asked = await ask(find("process(m)"), [trace(0)], own, others={"m": Scripted(["Looks good!"])})
    [score] = asked.scores
    assert score.value is None
    assert "is not a process reward model" in score.detail


@pytest.mark.parametrize("text", ["[1.5]", "[0.5, 0.5]", "[null]", "{}", "0.5", "[0.5"])
def test_what_is_no_list_of_scores(text: str) -> None:
    with pytest.raises(ponder.ModelError):
        read_scores(text, 1)


async def test_the_reward_model_spends_from_the_runs_budget() -> None:
    prm = Scripted(lambda request: scores(0.5), info=PRM)
    with pytest.raises(LimitReached):
        await ask(
            find("process(prm)"),
            [trace(0)],
            Scripted([]),
            others={"prm": prm},
            budget=Budget(tokens=7),
        )
    assert prm.requests == []


def pooled(*rows: list[float]) -> Step:
    reply = {"data": [{"index": 0, "object": "pooling", "data": list(rows)}]}
    return Step(body=json.dumps({**reply, "usage": {"prompt_tokens": 40}}).encode())


async def test_an_endpoint_of_the_configuration_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Loopback(pooled([0.1, 0.9]), pooled([0.4, 0.6])) as server:
        path = configure(tmp_path, server.url, reward="qwen")
        monkeypatch.setenv("PONDER_CONFIG", str(path))
        result = await ponder.asolve(
            "6 x 7 = ?",
            model=Scripted(["\\boxed{41}", "\\boxed{42}"]),
            strategy="best_of_n",
            knobs={"n": 2},
            verifier="process(loop)",
            journal=False,
        )
    assert result.answer == "41"
    assert [c.score for c in result.candidates] == [0.9, 0.6]
    assert {(i.role, i.model, i.calls) for i in result.receipt.items} == {
        ("generate", "scripted", 2),
        ("verify", "loop", 2),
    }
    assert {seen.path for seen in server.requests} == {"/pooling"}


# By rollouts --------------------------------------------------------------------------------------

CHAIN = "first\n\nsecond\n\nthird \\boxed{42}"


def by_prefix(replies: dict[str, list[str]]) -> Scripted:
    """Continues each prefix with its own replies, in their order."""
    left = {prefix: iter(texts) for prefix, texts in replies.items()}
    return Scripted(lambda request: next(left[request.prefix]))


async def test_agreement_by_hand() -> None:
    model = by_prefix(
        {
            "first\n\n": ["\\boxed{42}", "\\boxed{41}", "\\boxed{42}", "no idea"],
            "first\n\nsecond\n\n": ["\\boxed{42}", "\\boxed{42}", "\\boxed{42}", "\\boxed{7}"],
        }
    )
    asked = await ask(find("process(k=4, agg=product)"), [trace(0, "42", text=CHAIN)], model)
    assert asked.values == [pytest.approx(0.5 * 0.75)]
    assert asked.scores[0].detail == "product of 0.50, 0.75"
    assert {(r.messages, r.max_tokens, r.logprobs) for r in model.requests} == {
        (PROBLEM.messages, 512, False)
    }
    assert len({r.seed for r in model.requests}) == 8
    assert [(i.role, i.calls) for i in asked.receipt.items] == [("verify", 8)]


async def test_of_a_single_step_the_question_is_continued() -> None:
    model = by_prefix({"": ["\\boxed{42}", "\\boxed{41}"]})
    asked = await ask(find("process(k=2)"), [trace(0, "42", text="\\boxed{42}")], model)
    assert asked.values == [0.5]


async def test_an_unfinished_trace_is_continued_from_its_end_and_agrees_with_the_most() -> None:
    replies = ["\\boxed{1}", "\\boxed{2}", "\\boxed{2}", "hm"]
    model = by_prefix({"first\n\n": replies, "first\n\nsecond": [*replies[:3], "\\boxed{2}"]})
    open_ = trace(0, text="first\n\nsecond", finish=None)
    asked = await ask(find("process(k=4)"), [open_], model)
    assert asked.scores[0].detail == "min of 0.50, 0.75"
    assert asked.values == [0.5]


@pytest.mark.parametrize(("finish", "start"), [("stop", "first\n\nsecond\n\n"), (None, CHAIN)])
async def test_where_the_last_step_counts_alone_no_other_is_rolled_out(
    finish: Any, start: str
) -> None:
    model = by_prefix({start: ["\\boxed{42}", "\\boxed{41}"]})
    last = trace(0, "42", text=CHAIN, finish=finish)
    asked = await ask(find("process(k=2, agg=last)"), [last], model)
    assert (asked.values, asked.scores[0].detail) == ([0.5], "last of 0.50")


async def test_another_verifier_may_say_what_success_is() -> None:
    model = by_prefix({"first\n\n": ["\\boxed{1}", "\\boxed{2}"], "first\n\nsecond\n\n": ["x"] * 2})
    by = ByText({"1": 0.25, "2": 0.75})
    verifier = Rollouts("process(k=2, by=by_text)", k=2, by=by)
    asked = await ask(verifier, [trace(0, "42", text=CHAIN)], model)
    assert asked.scores[0].detail == "min of 0.50, ?"
    assert asked.values == [0.5]


async def test_rollouts_come_with_what_their_verifier_reads() -> None:
    model = Scripted(lambda request: "\\boxed{42}")
    verifier = find("process(k=1, by=entropy(3))")
    assert verifier.needs_logprobs
    assert verifier.models == ()
    asked = await ask(verifier, [trace(0, "42", text="a\n\nb"), trace(1, text="")], model)
    assert asked.values[0] is not None
    assert asked.scores[1].detail == "there are no steps to continue from"
    assert [(r.logprobs, r.top_logprobs) for r in model.requests] == [(True, 3)]
    assert not find("process").needs_logprobs


async def test_a_budget_that_allows_some_rollouts_alone_gives_no_score() -> None:
    model = Scripted(lambda request: "\\boxed{42}")
    text = "one\n\ntwo\n\n\\boxed{42}"
    verifier = find("process(k=1, length=16)")
    [score] = (
        await ask(verifier, [trace(0, "42", text=text)], model, budget=Budget(tokens=25))
    ).scores
    assert (score.value, score.detail) == (None, "not judged: the budget ended")


async def test_rollouts_are_tried_with_the_answer_key_and_not_the_text() -> None:
    rolled = [trace(i, key) for i, key in enumerate(["42", "41", "42"])]
    assert agreement(trace(9, "42"), rolled) == pytest.approx(2 / 3)
    assert agreement(trace(9, "7"), rolled) == 0
    assert agreement(trace(9), rolled) == pytest.approx(2 / 3)
    assert agreement(trace(9), [trace(0)]) == 0
    assert agreement(trace(9), []) is None


async def test_lost_rollouts_are_left_out() -> None:
    model = Scripted([ModelTimeout("gone"), "\\boxed{42}"])
    asked = await ask(find("process(k=2)"), [trace(0, "42", text="a\n\nb")], model)
    assert asked.values == [1.0]
    assert asked.receipt.total.failed == 1


async def test_without_a_single_rollout_there_is_no_score() -> None:
    model = Scripted(lambda request: ModelTimeout("gone"))
    [score] = (await ask(find("process(k=2)"), [trace(0, "42", text="a\n\nb")], model)).scores
    assert (score.value, score.detail) == (None, "no rollout came to an answer")


@pytest.mark.parametrize("first_bad", range(9))
async def test_bisection_finds_the_first_step_without_a_success(first_bad: int) -> None:
    chain = "\n\n".join(f"step {i}" for i in range(9))  # eight prefixes can be continued

    def roll(request: Request) -> str:
        done = request.prefix.count("step")
        return "\\boxed{42}" if done <= first_bad else "\\boxed{0}"

    model = Scripted(roll)
    asked = await ask(find("process(k=1, search=bisect)"), [trace(0, "42", text=chain)], model)
    assert asked.values == [first_bad / 8]
    assert len(model.requests) <= 4 == math.ceil(math.log2(8 + 1))
    none = "no step without a success" if first_bad == 8 else f"none from step {first_bad + 1} on"
    assert asked.scores[0].detail == none


async def test_a_resumed_run_asks_no_rollout_twice(tmp_path: Path) -> None:
    def reply(request: Request) -> str:
        return "so\n\n\\boxed{42}" if not request.prefix else "\\boxed{42}"

    verifier = find("process(k=2)")
    fields: dict[str, Any] = {"knobs": {"n": 2}, "verifiers": {verifier.name: verifier}}
    fields |= {"verifier": verifier.name}
    journal = Journal(tmp_path / "runs.sqlite")
    run = journal.create({})
    first = Scripted(reply)
    whole = await Runner(job(first, "best_of_n", **fields), journal=journal, run=run).go()
    starts = {row.effect["start"] for row in journal.calls(run) if row.effect["effect"] != "verify"}
    assert starts == {"", *(f"{t}/4" for t in ("0.0.0", "0.1.0"))}
    journal._execute("delete from calls where seq >= ?", (4,))
    again = Scripted(reply)
    result = await Runner(job(again, "best_of_n", **fields), journal=journal, run=run).go()
    assert (result.answer, result.candidates) == (whole.answer, whole.candidates)
    assert 0 < len(again.requests) < len(first.requests)
    journal.close()


# By name ------------------------------------------------------------------------------------------


def test_names() -> None:
    for name in (
        "process",
        "process(prm)",
        "process(transformers(qwen, owner/model), agg=last)",
        "process(k=2, length=64, agg=product, search=bisect)",
        "process(k=2, by=judge(m, k=3, see=answer))",
    ):
        found = registry.find(name)
        assert (found.name, registry.find(found.name)) == (name, found)
    prm = find("process(transformers(qwen, owner/model), agg=last)")
    assert isinstance(prm, Process)
    assert (prm.models, prm.agg) == (("transformers(qwen, owner/model)",), "last")
    rolled = find("process(k=2, by=judge(m, k=3, see=answer))")
    assert isinstance(rolled, Rollouts)
    assert rolled.by is not None
    assert (rolled.by.name, rolled.models) == ("judge(m, k=3, see=answer)", ("m",))


BAD = {
    "process(prm, k=4)": "k is for rollouts, and prm is a reward model",
    "process(agg=mean)": "did you mean 'min'?",
    "process(by=pairwise)": "pairwise compares traces with those beside them",
    "process(by=jugde)": "did you mean 'judge'",
    "process(kk=4)": "did you mean 'k'",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_names_are_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=r".") as refused:
        registry.find(name)
    assert BAD[name] in str(refused.value)
