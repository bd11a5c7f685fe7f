"""Calls of tools as the answers of a run: they vote, are recorded, and are refused where they
cannot be.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ponder.api import asolve
from ponder.core.errors import CapabilityError, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Generate, Sampling
from ponder.core.tools import Image, Tool, ToolCall, Toolset
from ponder.core.trace import Trace
from ponder.models.base import Completion, ModelInfo
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.runtime.handlers.live import _schema
from ponder.runtime.journal import Journal
from ponder.strategies.registry import STRATEGIES
from tests.support.jobs import go
from tests.support.virtual import run

TOOLS = Toolset((Tool("get_weather"), Tool("get_time")))
ASKED = Problem((Message("user", "How is Paris?"),), tools=TOOLS)


def calling(arguments: str, *, id: str = "c", name: str = "get_weather", **more: Any) -> Completion:
    fields: dict[str, Any] = {"calls": (ToolCall(id, name, arguments),), "finish": "stop"} | more
    return Completion("", prompt_tokens=5, completion_tokens=4, **fields)


PARIS, LYON = '{"city": "Paris", "days": 1}', '{"city": "Lyon"}'
REPLIES = [
    calling(LYON, id="a"),
    calling(PARIS, id="b"),
    Completion(r"\boxed{Fine.}", "stop", 5, 4),
    calling('{"days": 1.0, "city":"Paris"}', id="c"),
    calling('{"city": ', id="d"),  # invalid JSON
    calling(PARIS, id="e", finish="length"),  # perhaps more would have come
    calling(PARIS, id="f", name="get_wether"),  # no such tool
]


def test_equal_calls_are_one_vote_beside_texts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    name, how = journal.create({}), {"n": len(REPLIES), "stop": "never"}
    options: dict[str, Any] = {"problem": ASKED, "knobs": how, "journal": journal, "run": name}
    model = Scripted(REPLIES)
    first = run(go(model, "self_consistency", **options))
    again = run(go(Scripted([]), "self_consistency", **options))
    journal.close()
    assert all(request.messages == ASKED.shown for request in model.requests)
    for result in (first, again):
        assert result.calls == (ToolCall("b", "get_weather", PARIS),)
        assert result.answer == f"get_weather({PARIS})"
        votes = {c.answer: c.votes for c in result.candidates}
        assert votes == {
            f"get_weather({PARIS})": 2, f"get_weather({LYON})": 1, "Fine.": 1, None: 0,
        }  # fmt: skip
        assert result.to_json()["calls"] == [{"id": "b", "name": "get_weather", "arguments": PARIS}]
        assert result.trace is not None
        assert result.trace.message == Message("assistant", "", calls=result.calls)


def test_one_sample_has_its_calls_even_if_they_cannot_be_made() -> None:
    result = run(go(Scripted([calling('{"city": ')]), problem=ASKED))
    assert (result.answer, result.calls) == (None, (ToolCall("c", "get_weather", '{"city": '),))


def test_where_a_call_must_be_made_a_text_is_no_answer() -> None:
    asked = replace(ASKED, tools=replace(TOOLS, choice="required"))
    replies = [Completion(r"\boxed{Fine.}", "stop", 5, 4)] * 2 + [calling(PARIS)]
    how: dict[str, Any] = {"problem": asked, "knobs": {"n": 3, "stop": "never"}}
    result = run(go(Scripted(replies), "self_consistency", **how))
    assert (result.answer, result.silent) == (f"get_weather({PARIS})", 2)


def test_a_result_without_calls_says_nothing_of_them() -> None:
    result = run(go(Scripted([r"\boxed{42}"])))
    assert (result.calls, "calls" in result.to_json()) == ((), False)


def solved(problem: Problem, *lacking: str, **options: Any) -> Any:
    info = ModelInfo("m", EVERYTHING - {*lacking}, local=True)
    model = Scripted([calling(PARIS)], info=info)
    options = {"strategy": "direct", "journal": False, **options}
    try:
        return run(asolve(problem, model=model, **options))
    finally:
        solved.requests = model.requests  # type: ignore[attr-defined]


def test_a_question_with_tools_is_solved() -> None:
    assert solved(ASKED).calls[0].name == "get_weather"


SEEN = Problem((Message("user", "", images=(Image("https://h/a.png"),)),))


@pytest.mark.parametrize(
    ("problem", "lacks", "why"),
    [
        (ASKED, "tools", "m is not known to call tools: take a model that does"),
        (SEEN, "images", "m is not known to see images: take a model that does"),
    ],
)
def test_a_model_that_cannot_is_refused_before_anything_is_spent(
    problem: Problem, lacks: str, why: str
) -> None:
    with pytest.raises(CapabilityError, match=why):
        solved(problem, lacks)
    assert solved.requests == []  # type: ignore[attr-defined]


CALLING = {"direct", "self_consistency", "best_of_n", "mixture", "auto"}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_that_cannot_call_tools_says_so(name: str) -> None:
    assert STRATEGIES[name].tools is (name in CALLING)
    if name not in CALLING:
        with pytest.raises(UsageError, match=f"strategy '{name}' cannot call tools: take direct"):
            solved(ASKED, strategy=name)


def test_a_member_that_cannot_call_tools_is_refused_too() -> None:
    with pytest.raises(UsageError, match="strategy 'program' cannot call tools"):
        solved(ASKED, strategy="mixture", knobs={"strategies": "direct, program"})


SCHEMA = '{"type": "object", "required": ["a"]}'
FORMED = Problem((Message("user", "Give a."),), "json", schema=SCHEMA)


@pytest.mark.parametrize(("lacks", "sent"), [("", SCHEMA), ("schema", "")])
async def test_only_what_validates_can_win(lacks: str, sent: str) -> None:
    replies = ['{"b": 1}', '{"b": 1}', '{"b": 1}', '{"a": 1}']
    model = Scripted(replies, info=ModelInfo("m", EVERYTHING - {lacks}, local=True))
    how: dict[str, Any] = {"strategy": "self_consistency", "knobs": {"n": 4, "stop": "never"}}
    result = await asolve(FORMED, model=model, journal=False, **how)
    assert result.answer == '{"a": 1}'
    assert {request.schema for request in model.requests} == {sent}


@pytest.mark.parametrize(
    "change",
    [
        {"start": Trace(FORMED, "so far")}, {"max_total": 9}, {"role": "judge"},
        {"sampling": Sampling(stop=("x",))}, {"start": Trace(replace(FORMED, answer_type="text"))},
    ],
)  # fmt: skip
def test_no_part_of_an_answer_is_held_to_a_schema(change: dict[str, Any]) -> None:
    whole = Generate(Trace.empty(FORMED), Sampling(), 0)
    assert _schema(whole, EVERYTHING) == SCHEMA
    assert _schema(replace(whole, **change), EVERYTHING) == ""
