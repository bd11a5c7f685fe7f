"""``ponder.batch``: many questions in Python."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder import BatchResult, Budget, Engine, Message, Problem
from ponder.core.errors import RunFailed, UsageError
from ponder.core.outlook import Seen
from ponder.models.base import Completion, ModelInfo, Request, Shape
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.models.fakes.simulated import Simulated
from ponder.planning.difficulty import shipped
from ponder.runtime.journal import Journal

MODEL = "simulated(accuracy=0.8)"
QUESTIONS = ["How many is 6 * 7?", "How many is 7 * 6?", "How many is 84 / 2?"]
BUDGET = Budget(tokens=6_000)
PLAIN = ModelInfo("m", EVERYTHING - {"native_thinking"}, Shape(1), local=True)
UNPRICED = ModelInfo("m", EVERYTHING)


def batch(asked: Any = QUESTIONS, **options: Any) -> BatchResult:
    given = {"model": MODEL, "journal": False, "budget": BUDGET, **options}
    return ponder.batch(asked, **given)


def test_answers_in_the_order_of_the_questions() -> None:
    def reply(request: Request) -> str:
        return f"\\boxed{{{len(request.messages[-1].content.split()[3])}}}"

    model = Scripted(reply, info=PLAIN)
    asked = [f"How many is {'x' * length}" for length in (5, 3, 9, 1)]
    found = batch(asked, model=model)
    assert [one.answer for one in found.answers] == ["5", "3", "9", "1"]
    assert found.stopped_by == "settled"
    assert {one.stopped_by for one in found.answers} == {"settled"}
    assert sum(one.samples for one in found.answers) == len(model.requests)
    total = found.receipt.total.cost.tokens
    assert sum(one.tokens for one in found.answers) == total
    assert found.left == {"tokens": 6_000 - total}


def test_confidence_is_the_fitted_probability_or_else_agreement() -> None:
    found = batch(model=Scripted(lambda r: "\\boxed{7}", info=PLAIN))
    [first, *_] = found.answers
    outlook = shipped().outlook("number")
    unanimous = Seen((first.samples,))
    assert first.confidence == outlook.right(unanimous)
    assert found.calibrated == shipped().basis
    assert first.calibrated
    words = batch(["Name a tree."] * 2, model=Scripted(lambda r: "\\boxed{oak}", info=PLAIN))
    assert {one.confidence for one in words.answers} <= {None, 1.0}
    assert words.calibrated == ""
    seven = Scripted(lambda r: "\\boxed{7}", info=PLAIN)
    both = batch(["How many is 2+2?", "Name a tree."], model=seven)
    assert [one.calibrated for one in both.answers] == [True, False]
    assert both.answers[0].confidence != both.answers[1].confidence == 1.0
    alone = batch(model=seven, knobs={"n": 1})
    assert {(one.confidence, one.calibrated) for one in alone.answers} == {(None, False)}
    assert alone.calibrated == ""
    worldly = batch(model=Simulated(accuracy=1))  # no fit covers a world without a model
    assert ({one.confidence for one in worldly.answers}, worldly.calibrated) == ({1.0}, "")


def test_seeds_and_knobs_reach_the_samples() -> None:
    model = Scripted(lambda r: f"\\boxed{{{r.seed}}}", info=PLAIN)
    batch(model=model, knobs={"n": 4, "length": 50, "temperature": 0.3}, seed=4)
    assert {(r.max_tokens, r.temperature) for r in model.requests} == {(50, 0.3)}
    assert len(model.requests) == len({r.seed for r in model.requests}) == 12
    again = Scripted(lambda r: f"\\boxed{{{r.seed}}}", info=PLAIN)
    batch(model=again, knobs={"n": 4, "length": 50, "temperature": 0.3}, seed=4)
    assert again.requests == model.requests
    greedy = Scripted(lambda r: "\\boxed{7}", info=PLAIN)
    batch(model=greedy, knobs={"temperature": 0})
    assert len(greedy.requests) == 3  # the second one would say the same


@pytest.mark.parametrize(("said", "refusal"), [("I will not.", "I will not."), ("", "")])
def test_a_question_that_the_model_refuses_says_so(said: str, refusal: str) -> None:
    def reply(request: Request) -> Completion | str:
        no = request.messages[-1].content.startswith(QUESTIONS[1])
        return Completion(said, "refusal", 9, 3) if no else "\\boxed{7}"

    first, second, third = batch(model=Scripted(reply, info=PLAIN)).answers
    assert (second.answer, second.refusal, second.to_json()["refusal"]) == (None, refusal, refusal)
    assert first.refusal is third.refusal is None
    assert "refusal" not in first.to_json()


def test_a_model_that_thinks_is_given_room_for_it() -> None:
    info = ModelInfo("m", EVERYTHING | {"native_thinking"}, Shape(1), local=True)
    model = Scripted(lambda r: Completion("\\boxed{7}", "stop", 9, 9), info=info)
    batch(model=model, budget=Budget(tokens=10**6))
    [(thinking, length)] = {(r.thinking.level if r.thinking else "", r.max_tokens)
                            for r in model.requests}  # fmt: skip
    assert thinking == "medium"
    assert length > 1024


ROWS: list[Mapping[str, Any]] = [
    {"question": "How many is 6 * 7?", "answer": "GOLD1", "gold": "GOLD2", "id": "ROW1"},
    {"messages": [{"role": "user", "content": "Which?"}], "choices": ["A", "B"], "target": "GOLD3"},
    {"question": "Name a tree.", "answer_type": "text", "solution": {"steps": ["GOLD4"]}},
]


def test_nothing_of_a_row_but_the_question_reaches_a_model(tmp_path: Path) -> None:
    model = Scripted(lambda r: "\\boxed{A}", info=PLAIN)
    path = tmp_path / "runs.sqlite"
    found = batch(ROWS, model=model, journal=path)
    sent = repr(model.requests)
    assert "GOLD" not in sent
    assert "ROW1" not in sent
    assert "How many is 6 * 7?" in sent
    assert b"GOLD" not in path.read_bytes()
    assert [one.answer for one in found.answers][1:] == ["A", "A"]


def test_it_takes_chats_and_problems_as_well() -> None:
    asked = [
        [Message("system", "Be brief."), Message("user", "How many?")],
        Problem((Message("user", "As it is"),), "number"),
    ]
    model = Scripted(lambda r: "\\boxed{7}", info=PLAIN)
    batch(asked, model=model, system="You count.")
    shown = {tuple(m.content for m in r.messages) for r in model.requests}
    assert ("As it is",) in shown
    assert all(one[0] == "You count." for one in shown - {("As it is",)})


def test_the_same_call_goes_on_where_the_budget_ended(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"

    def model() -> Scripted:
        return Scripted(lambda r: f"\\boxed{{{r.seed % 40}}}", info=PLAIN)

    first, second, other = model(), model(), model()
    small = Budget(tokens=1_500)
    found = batch(model=first, journal=path, budget=small)
    assert found.stopped_by == "tokens"
    larger = batch(model=second, journal=path, budget=Budget(tokens=4_000))
    assert larger.run == found.run
    assert larger.receipt.total.calls == len(first.requests) + len(second.requests)
    assert {r.seed for r in first.requests}.isdisjoint(r.seed for r in second.requests)
    assert batch(model=other, journal=path, budget=small, seed=1).run != found.run
    book = Journal(path)
    assert len(book.runs()) == 2
    book.close()


def test_a_batch_that_has_ended_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    runs = [
        batch(model=Scripted(lambda r: "\\boxed{7}", info=PLAIN), journal=path).run
        for _ in range(2)
    ]
    assert runs[0] != runs[1]
    with pytest.raises(UsageError, match="has ended"):
        ponder.resume(str(runs[0]), journal=path)


def test_it_is_not_resumed_as_a_run_of_one_question(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    found = batch(journal=path, budget=Budget(tokens=1_500))
    with pytest.raises(UsageError, match="is a batch: give 'ponder batch' again"):
        ponder.resume(str(found.run), journal=path)


async def test_a_cancelled_batch_can_be_taken_up(tmp_path: Path) -> None:
    path, gate, under_way = tmp_path / "runs.sqlite", asyncio.Event(), asyncio.Event()

    def reply(request: Request) -> str:
        if len(model.requests) == 3:
            under_way.set()
        return "\\boxed{7}"

    model = Scripted(reply, info=PLAIN, gate=gate)
    async with Engine() as engine:
        options: dict[str, Any] = {"budget": BUDGET, "journal": path, "engine": engine}
        task = asyncio.ensure_future(ponder.abatch(QUESTIONS, model=model, **options))
        await under_way.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert model.running == 0
        gate.set()
        found = await ponder.abatch(QUESTIONS, model=model, **options)
        assert len(engine.journal(path).runs()) == 1
    assert [one.answer for one in found.answers] == ["7"] * 3


@pytest.mark.parametrize(
    ("asked", "options", "reason"),
    [
        ([], {}, "there is no question"),
        ("How many?", {}, "a batch takes a list of questions, not a single one"),
        ({"question": "How many?"}, {}, "a batch takes a list of questions, not a single one"),
        (QUESTIONS, {"budget": Budget()}, "needs a budget"),
        (QUESTIONS, {"budget": 500}, "needs a budget"),
        (["How many?", " "], {}, "^question 2: the question is empty"),
        ([{"problem": "How?"}], {}, "^question 1: expected a field 'question'"),
        ([{"question": "a", "answer_type": "numbr"}], {}, "question 1: unknown answer type"),
        ([{"question": "a", "choices": ["A"]}], {}, "question 1: 'A' leaves nothing to choose"),
        (QUESTIONS, {"knobs": {"weight": "votes"}}, "unknown knob 'weight'"),
        (QUESTIONS, {"knobs": {"n": 0}}, "^knob 'n' must be between"),
        (QUESTIONS, {"at_once": 0}, "at_once must be"),
        (QUESTIONS, {"model": 7}, "model must be"),
        (QUESTIONS, {"budget": Budget(usd=1), "model": Scripted([], info=UNPRICED)},
         "no price is known"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(asked: Any, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        batch(asked, **options)


def test_a_budget_for_no_sample_at_all_fails_in_one_sentence() -> None:
    with pytest.raises(RunFailed, match="the budget of tokens does not allow one sample"):
        batch(budget=Budget(tokens=20))


def test_the_example_in_the_docs_works(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs" / "batch.md").read_text("utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    exec(example, {})
    assert capsys.readouterr().out.startswith("42 ")
