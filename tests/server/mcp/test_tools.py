"""The tools that agents call, through the package's own client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import MCPError

import ponder
from ponder.core.budget import Budget
from ponder.core.errors import ModelError
from ponder.models.base import Completion
from ponder.models.fakes.scripted import Scripted
from ponder.models.fakes.simulated import Simulated
from ponder.server.settings import Settings
from tests.support.agents import agent, text
from tests.support.serving import Gate, answering, scripted

QUESTION = "How many is six times seven?"
MODES = ("legacy", "2026-07-28")


def looking() -> Scripted:
    """A model that says which choices it finds likely."""
    return scripted(lambda request: Completion("A", "length", 9, 1, top=({"A": -0.1, "B": -2.4},)))


@pytest.mark.parametrize("mode", MODES)
async def test_a_question_is_searched_and_its_progress_is_told(mode: str) -> None:
    replies = ("it is \\boxed{41}", *["so \\boxed{42}"] * 3)
    model = answering(*replies)
    async with agent(model, mode=mode) as one:
        said = await one.call("solve", question=QUESTION, effort="low")
    assert (said["answer"], said["text"], said["model"]) == ("42", "so \\boxed{42}", "scripted")
    assert (said["stopped_by"], said["run"]) == ("done", None)
    same = await ponder.asolve(QUESTION, model=answering(*replies), effort="low", journal=False)
    assert said["confidence"] == same.confidence
    assert said["decided"] == ["self_consistency: the request asks for the effort low"]
    assert said["receipt"]["total"]["calls"] == len(model.requests) == 4
    assert one.heard[0] == "Searching with self_consistency on scripted."
    assert one.heard[-1] == "The vote: 42 has 3, 41 has 1; 0 may still come."
    assert not any("\n" in sentence for sentence in one.heard)


async def test_a_result_is_told_as_text_too() -> None:
    async with agent(answering("so \\boxed{42}")) as one:
        result = await one.client.call_tool("solve", {"question": QUESTION, "effort": "none"})
    assert json.loads(text(result)) == result.structured_content


async def test_a_question_without_a_comparable_answer() -> None:
    async with agent(answering("Hello, reader.")) as one:
        said = await one.call("solve", question="Greet the reader.", effort="none")
    assert (said["answer"], said["confidence"]) == ("Hello, reader.", None)


async def test_without_an_effort_it_is_the_servers() -> None:
    for effort, calls in (("none", 1), ("low", 3)):
        model = answering("so \\boxed{42}")
        async with agent(model, Settings(effort=effort)) as one:
            await one.call("solve", question=QUESTION)
            assert len(model.requests) == calls


async def test_the_type_of_the_answer_and_its_choices() -> None:
    async with agent(answering("thus \\boxed{B}")) as one:
        said = await one.call(
            "solve", question="Pick one.", effort="low", answer_type="choice", choices=["A", "B"]
        )
    assert said["answer"] == "B"


async def test_a_model_may_be_named_with_its_effort() -> None:
    model = answering("so \\boxed{42}")
    async with agent(model) as one:
        said = await one.call("solve", question=QUESTION, model="scripted:none")
        assert said["decided"] == ["direct: the request asks for the effort none: one sample"]
        assert "names the effort none" in await one.refused(
            "solve", question=QUESTION, model="scripted:none", effort="low"
        )


async def test_a_decision_asks_what_ponder_decide_asks() -> None:
    mine, theirs = looking(), looking()
    choices = ["overdue", "paid"]
    async with agent(mine) as one:
        said = await one.call("decide", question="Which?", text="Due in May.", choices=choices)
    found = await ponder.adecide(
        "Which?", "Due in May.", choices=choices, model=theirs, journal=False
    )
    asked = [[(r.messages, r.max_tokens) for r in model.requests] for model in (mine, theirs)]
    assert asked[0] == asked[1]
    assert said["choice"] == found.choice
    assert said["probabilities"] == pytest.approx(found.probabilities)
    assert said["mass"] == pytest.approx(found.mass)
    assert one.heard[0] == "Searching with decide on scripted."


async def test_a_decision_below_the_threshold_is_an_abstention() -> None:
    async with agent(Simulated(accuracy=0.8)) as one:
        said = await one.call("decide", question="Is 7 prime?", threshold=0.99)
    assert said["choice"] is None
    assert "threshold of 0.99" in said["abstained"]
    assert one.heard[-1].startswith("Abstained: ")


async def test_scores_of_candidates_in_their_order() -> None:
    async with agent(answering("no")) as one:
        said = await one.call(
            "score", question=QUESTION, candidates=["42", "41"], verifier='regex("42")'
        )
    assert [row["score"] for row in said["scores"]] == [1.0, 0.0]
    assert said["receipt"]["total"]["calls"] == 0
    assert one.heard == ['Scoring 2 with regex("42").']


async def test_scores_by_the_model() -> None:
    yes = Completion("A", "stop", 9, 1, top=({"A": -0.1, "B": -2.4},))
    model = scripted(lambda request: yes)
    async with agent(model) as one:
        said = await one.call("score", question=QUESTION, candidates=["it is \\boxed{42}"])
    assert said["receipt"]["total"]["calls"] == len(model.requests) > 0


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("solve", {}, "'question' is missing"),
        ("solve", {"question": ""}, "at least 1 character"),
        ("solve", {"question": "   "}, "the question is empty"),
        ("solve", {"question": 7}, "'question' is not valid"),
        ("solve", {"question": "x", "effort": "loud"}, "expected one of none, minimal"),
        ("solve", {"question": "x", "model": "other"}, "there is no model 'other' here"),
        ("solve", {"question": "x", "model": "http://evil/v1"}, "there is no model"),
        ("solve", {"question": "x", "strategy": "magic"}, "'strategy' is not supported"),
        ("solve", {"question": "x", "budget": {"tokens": 0}}, "'budget.tokens' is not valid"),
        ("solve", {"question": "x", "budget": {"tokens": 10**400}}, "'budget.tokens'"),
        ("solve", {"question": QUESTION, "budget": {"tokens": 3}}, "budget of 3 tokens is too"),
        ("solve", {"question": "x", "answer_type": "choice", "choices": ["A"]}, "leaves nothing"),
        ("decide", {"question": "x", "choices": ["a"]}, "at least 2"),
        ("decide", {"question": "x", "choices": ["a", "a"]}, "names a choice twice"),
        ("decide", {"question": "x", "threshold": 1.5}, "'threshold' is not valid"),
        ("decide", {"question": "x", "model": "scripted:low"}, "without effort"),
        ("score", {"question": "x", "candidates": []}, "at least 1"),
        ("score", {"question": "x", "candidates": ["y"], "verifier": "magic"}, "unknown verifier"),
        (
            "score",
            {"question": "x", "candidates": ["y"], "verifier": "script(/etc/passwd, f)"},
            "which this server does not offer",
        ),
        (
            "score",
            {"question": "x", "candidates": ["y"], "verifier": "judge(other)"},
            "which this server does not offer",
        ),
    ],
)
async def test_what_is_wrong_is_told_in_one_sentence_and_nothing_is_asked(
    tool: str, arguments: dict[str, Any], words: str
) -> None:
    model = answering("no")
    async with agent(model) as one:
        said = await one.refused(tool, **arguments)
    assert words in said
    assert "\n" not in said
    assert not model.requests


async def test_no_call_raises_a_ceiling() -> None:
    model = answering("so \\boxed{42}")
    async with agent(model, Settings(ceiling=Budget(tokens=3))) as one:
        for tool, arguments in (
            ("solve", {"question": QUESTION}),
            ("decide", {"question": QUESTION}),
        ):
            said = await one.refused(tool, **arguments, budget={"tokens": 10**6})
            assert "budget of 3 tokens is too small" in said
        said = await one.refused(
            "score", question=QUESTION, candidates=["42"], budget={"tokens": 10**6}
        )
        assert "limit on tokens was reached before all candidates were scored" in said
    assert not model.requests


async def test_a_model_that_fails_and_a_fault_of_our_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with agent(scripted(lambda request: ModelError("the wire is cut."))) as one:
        said = await one.refused("solve", question=QUESTION, effort="none")
        assert said == "no sample came back: the wire is cut."
    assert not caplog.records

    def broken(request: object) -> str:
        raise ZeroDivisionError("a secret")

    async with agent(scripted(broken)) as one:
        said = await one.refused("solve", question=QUESTION, effort="none")
    assert said == "the server failed; its log has the reason."
    assert "a secret" in caplog.text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tool", ["solve", "decide", "score"])
async def test_a_call_that_is_cancelled_ends_its_run(tool: str, mode: str) -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    more = {"candidates": ["it is \\boxed{42}"]} if tool == "score" else {}
    async with agent(model, mode=mode) as one:
        asking = asyncio.ensure_future(one.call(tool, question=QUESTION, **more))
        await gate.reached()
        asking.cancel()
        await asyncio.wait([asking])
        await gate.left()
        assert model.running == 0
    assert not one.house.runs
    assert (one.house.gate.inside, one.house.gate.waiting) == (0, 0)


async def test_the_deadline_ends_a_call() -> None:
    model = scripted(lambda request: "late", gate=Gate())
    async with agent(model, Settings(deadline=0.01)) as one:
        said = await one.refused("score", question=QUESTION, candidates=["it is \\boxed{42}"])
        assert "the deadline passed" in said
        assert "ended by interrupt" in await one.refused("solve", question=QUESTION)
    assert model.running == 0


async def test_there_is_no_other_tool() -> None:
    async with agent(answering("no")) as one:
        with pytest.raises(MCPError, match="expected solve, score, decide"):
            await one.client.call_tool("shell", {})


async def test_the_tools_say_what_they_take_and_give() -> None:
    async with agent(answering("no")) as one:
        tools = (await one.client.list_tools()).tools
    assert [tool.name for tool in tools] == ["solve", "score", "decide"]
    for tool in tools:
        for schema in (tool.input_schema, tool.output_schema):
            assert schema is not None
            Draft202012Validator.check_schema(schema)
        assert tool.input_schema["properties"]["model"]["enum"] == ["scripted", None]
        assert tool.input_schema["additionalProperties"] is False
