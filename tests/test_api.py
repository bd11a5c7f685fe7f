"""The Python interface."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder import Budget, Message, Problem, Result, UsageError
from ponder.api import prepare
from ponder.core.record.events import Event, RunStarted, SampleFinished
from ponder.models.base import ModelInfo, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.planning.infer import infer
from ponder.planning.wishes import spec
from ponder.runtime.journal import Journal
from ponder.sandbox.base import Limits
from ponder.sandbox.choice import Sandboxes
from ponder.verifiers.base import Tools
from tests.support.sandboxes import Printing

QUESTION = "How many is six times seven?"
PLAIN = ModelInfo("plain", EVERYTHING - {"native_thinking"}, Shape(1), local=True)


def test_what_is_exported_is_explicit_and_there() -> None:
    assert sorted(ponder.__all__) == [
        "Answer",
        "Answered",
        "BatchResult",
        "Budget",
        "Candidate",
        "Decision",
        "Engine",
        "Image",
        "Item",
        "Message",
        "ModelError",
        "PonderError",
        "Problem",
        "Receipt",
        "Result",
        "RunFailed",
        "Score",
        "Tool",
        "ToolCall",
        "Toolset",
        "Trace",
        "UsageError",
        "__version__",
        "abatch",
        "adecide",
        "aresume",
        "asolve",
        "batch",
        "decide",
        "resume",
        "solve",
        "stream",
    ]
    for name in ponder.__all__:
        assert getattr(ponder, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'slove'"):
        ponder.slove  # noqa: B018


def test_votes_of_a_model_have_a_fitted_probability() -> None:
    model = Scripted(lambda request: "It is \\boxed{42}.")
    result = ponder.solve(QUESTION, model=model, strategy="self_consistency", journal=False)
    assert result.confidence is not None
    assert 0.9 < result.confidence < 1
    assert result.calibrated.startswith("260,160 graded samples of 7 models on AIME 2024")
    assert result.to_json()["calibrated"] == result.calibrated


def test_solve_answers_and_keeps_the_budget() -> None:
    result = ponder.solve(QUESTION, model="simulated(accuracy=1)", budget=Budget(tokens=2_000))
    assert (result.answer, result.confidence) == ("42", 1)
    assert "calibrated" not in result.to_json()  # no fit covers a world without a model
    assert result.trace is not None
    assert result.trace.text.endswith(r"\boxed{42}")
    assert result.receipt.total.cost.tokens <= 2_000
    assert "no model was asked" in result.receipt.notes[0]


async def test_solve_works_within_a_running_loop() -> None:
    assert ponder.solve(QUESTION, model="simulated(accuracy=1)").answer == "42"
    with pytest.raises(UsageError, match="the question is empty"):
        ponder.solve("", model="simulated")


async def test_stream_yields_events_and_last_the_result() -> None:
    told: list[Event | Result] = []
    async for event in ponder.stream(QUESTION, model="simulated(accuracy=1)", effort="low"):
        told.append(event)
    assert isinstance(told[0], RunStarted)
    assert sum(isinstance(event, SampleFinished) for event in told) == 3
    assert isinstance(told[-1], Result)
    assert told[-1].answer == "42"


async def test_closing_a_stream_cancels_the_run() -> None:
    model = Scripted(["\\boxed{1}"] * 8, gate=asyncio.Event(), info=PLAIN)
    events = ponder.stream(QUESTION, model=model)
    async for event in events:
        if model.running == 5:
            break
        assert not isinstance(event, Result)
    await events.aclose()
    assert model.running == 0


def test_messages_and_problems_are_taken_as_they_are() -> None:
    model = Scripted(lambda request: "The answer is 3.", info=PLAIN)
    asked = Problem((Message("user", "one or two?"),), "number")
    ponder.solve(asked, model=model, effort="minimal")
    assert model.requests[-1].messages == asked.messages
    turns = (Message("user", "hi"), Message("assistant", "hello"), Message("user", "how many?"))
    ponder.solve(turns, model=model, effort="minimal", system="Be brief.")
    sent = model.requests[-1].messages
    assert [m.role for m in sent] == ["system", "user", "assistant", "user"]
    assert sent[-1].content.endswith(r"in \boxed{}.")


def test_logprobs_are_requested_only_when_a_verifier_reads_them() -> None:
    model = Scripted(lambda request: "\\boxed{1}", info=PLAIN)
    ponder.solve(QUESTION, model=model)
    assert not any(request.logprobs for request in model.requests)
    ponder.solve(QUESTION, model=model, knobs={"weight": "confidence"})
    ponder.solve(QUESTION, model=model, strategy="best_of_n", verifier="lowest_group")
    assert all(request.logprobs for request in model.requests[5:])


def test_a_run_of_a_journal_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    with pytest.raises(UsageError, match=r"there is no journal .*none\.sqlite: name the one"):
        ponder.resume("any", journal=path)
    assert not path.exists()


async def test_resume_takes_up_what_was_cut_off(tmp_path: Path) -> None:
    journal, gate = tmp_path / "runs.sqlite", asyncio.Event()
    model = Scripted(lambda request: f"\\boxed{{{request.seed % 2}}}", gate=gate, info=PLAIN)
    events = ponder.stream(QUESTION, model=model, journal=journal)
    async for _ in events:
        if model.running == 5:
            break
    await events.aclose()
    gate.set()
    [run] = Journal(journal).runs()
    assert run.state == "running"
    result = await ponder.aresume(run.id, model=model, journal=journal)
    whole = await ponder.asolve(QUESTION, model=model, journal=False)
    assert (result.answer, result.candidates) == (whole.answer, whole.candidates)
    with pytest.raises(UsageError, match="has ended"):
        await ponder.aresume(run.id, journal=journal)
    with pytest.raises(UsageError, match="from its journal"):
        await ponder.aresume(run.id, journal=False)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many legs do 3 cats have?", "number"),
        ("How much is left?", "number"),
        ("Solve x^2 = 4.", "math"),
        ("What is the capital of France?", "text"),
        ("Which is it?\nA) one\nB) two", "choice"),
        ("Which is it?\n(A) one\n(B) two", "choice"),
        ("Write a function that reverses a list.", "code"),
        ("def reverse(xs):\n    ...", "code"),
    ],
)
def test_the_answer_type_is_guessed_by_form(question: str, kind: str) -> None:
    assert infer(question) == kind


def test_choices_and_schemas_decide_the_answer_type() -> None:
    assert infer("Which?", choices=("yes", "no")) == "choice"
    assert infer("Which?", schema="{}") == "json"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"question": None}, "the question must be a text"),
        ({"question": [{"role": "user", "content": "hi"}]}, "the question must be a text"),
        ({"model": 3}, "model must be a name, a path or a Model, not 3"),
        ({"effort": 3}, "effort must be a text, not 3"),
        ({"schema": {"type": "object"}}, "schema must be a text"),
        ({"budget": "5"}, "budget must be a ponder.Budget, not '5'"),
        ({"knobs": ["n"]}, "knobs must be a mapping"),
        ({"choices": "ABC"}, "choices must be a list of texts"),
        ({"choices": ["A", "A"]}, "'A, A' leaves nothing to choose: give two labels or more"),
        ({"choices": ["A", " "]}, "has an empty choice: give each a text"),
    ],
)
def test_wrong_types_are_one_sentence(wrong: dict[str, Any], sentence: str) -> None:
    arguments: dict[str, Any] = {"question": QUESTION, "model": "simulated", **wrong}
    with pytest.raises(UsageError, match=sentence) as refused:
        ponder.solve(**arguments)
    assert refused.value.__context__ is None


def test_a_mixture_has_the_runs_own_model_once() -> None:
    knobs = {"models": "simulated(accuracy=0.9), simulated"}
    with pytest.raises(UsageError, match="simulated is the run's own model and always takes part"):
        ponder.solve("6 x 7 = ?", model="simulated", strategy="mixture", knobs=knobs)


class Sandbox(Sandboxes):
    """Finds one sandbox, or none."""

    def __init__(self, works: bool) -> None:
        super().__init__()
        self.works = works

    def find(
        self,
        limits: Limits | None = None,
        *,
        whole: bool = False,
        libraries: tuple[str, ...] = (),
    ) -> Printing:
        if not self.works:
            raise UsageError("no sandbox works here.")
        return Printing()


@pytest.mark.parametrize("works", [True, False])
async def test_auto_tries_programs_where_a_sandbox_works(works: bool) -> None:
    asked = spec("What is 6 x 7?", model="qwen2.5-coder-0.5b", effort="auto", answer_type="number")
    async with ponder.Engine() as engine:
        engine.tools = Tools(sandboxes=Sandbox(works))
        model = Scripted(lambda request: "\\boxed{42}", info=PLAIN)
        async with prepare(asked, engine, model=model, journal=False) as runner:
            result = await runner.go()
    assert result.knobs["ways"] == ("direct, program" if works else "direct")
    assert result.answer == "42"
