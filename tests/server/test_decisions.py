"""``POST /v1/decisions``: a choice from one look, over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.core.budget import Budget
from ponder.models.base import Completion
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.journal import Journal
from ponder.server.settings import Settings
from tests.support.serving import Gate, answering, scripted, serving

PATH = "/v1/decisions"
BODY = {"model": "scripted", "question": "Is it overdue?", "input": "It was due in May."}


def looking() -> Scripted:
    return scripted(lambda request: Completion("A", "length", 9, 1, top=({"A": -0.1, "B": -2.4},)))


async def test_it_decides_as_ponder_decide_does() -> None:
    mine, theirs = looking(), looking()
    knobs = {"permutations": 1, "calibrate": True, "soften": 2.0, "threshold": 0.1}
    async with serving(mine) as server:
        said = (await server.post(PATH, **BODY, choices=["overdue", "paid"], **knobs)).json()
    found = await ponder.adecide(
        BODY["question"],
        BODY["input"],
        model=theirs,
        choices=("overdue", "paid"),
        journal=False,
        permutations=1,
        calibrate=True,
        soften=2.0,
        threshold=0.1,
    )
    assert [r.messages for r in mine.requests] == [r.messages for r in theirs.requests]
    assert (said["object"], said["model"]) == ("decision", "scripted")
    assert (said["choice"], said["abstained"]) == (found.choice, found.abstained)
    assert said["probabilities"] == pytest.approx(found.probabilities)
    assert said["mass"] == pytest.approx(found.mass)
    total = found.receipt.total
    assert said["usage"]["prompt_tokens"] == total.prompt_tokens
    assert said["usage"]["completion_tokens"] == total.completion_tokens == len(mine.requests)
    spent = said["ponder"]["receipt"]["total"]
    assert spent["calls"] == total.calls
    assert said["ponder"]["stopped_by"] == "done"


async def test_an_abstention_says_why() -> None:
    async with serving(looking()) as server:
        said = (await server.post(PATH, **BODY, permutations=1, threshold=0.99)).json()
    assert said["choice"] is None
    assert "threshold of 0.99" in said["abstained"]
    assert said["probabilities"]["yes"] > 0.9


async def test_it_is_a_run_as_any_other(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    async with serving(looking(), journal=path) as server:
        said = (await server.post(PATH, **BODY)).json()
    book = Journal(path)
    [row] = book.runs()
    book.close()
    assert (row.id, row.spec["strategy"]) == (said["ponder"]["run"], "decide")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"question": " "}, "the question is empty"),
        ({"input": " "}, "the text is blank"),
        ({"choices": ["a"]}, "at least 2"),
        ({"choices": ["a", "a"]}, "names a choice twice"),
        ({"choices": [*map(str, range(27))]}, "at most 26"),
        ({"choices": "ab"}, "'choices' is not valid"),
        ({"threshold": 1.5}, "'threshold'"),
        ({"soften": 0}, "'soften'"),
        ({"soften": 1000.0}, "soften"),
        ({"labels": "colours"}, "'labels'"),
        ({"model": "scripted:high"}, "without effort"),
        ({"temperature": 1}, "'temperature' is not supported"),
        ({"no-such": 1}, "'no-such' is not supported"),
        ({"ponder": {"budget": {"tokens": 1}}}, "budget of 1 tokens is too small"),
    ],
)
async def test_what_is_wrong_is_refused_by_name(body: dict[str, Any], words: str) -> None:
    model = looking()
    async with serving(model) as server:
        said = await server.post(PATH, **{**BODY, **body})
    assert said.status_code == 400
    assert words in said.json()["error"]["message"]
    assert not model.requests


async def test_a_ceiling_holds_and_there_is_no_other_model() -> None:
    async with serving(looking(), Settings(ceiling=Budget(tokens=3))) as server:
        said = await server.post(PATH, **BODY, ponder={"budget": {"tokens": 10**6}})
        assert "budget of 3 tokens" in said.json()["error"]["message"]
        assert (await server.post(PATH, **{**BODY, "model": "other"})).status_code == 404


async def test_half_of_a_character_does_no_harm() -> None:
    async with serving(answering("A")) as server:
        said = await server.http.post(
            PATH,
            content=b'{"model": "scripted", "question": "\\ud83d",'
            b' "choices": ["\\ud83d\\ude00", "\\udc00"]}',
            headers={"content-type": "application/json"},
        )
    assert said.status_code == 200
    assert [*said.json()["probabilities"]] == ["\U0001f600", "\ufffd"]


async def test_a_client_that_hangs_up_ends_it() -> None:
    gate = Gate()
    model = scripted(lambda request: "late", gate=gate)
    async with serving(model) as server:
        asking = asyncio.ensure_future(server.post(PATH, **BODY))
        await gate.reached()
        asking.cancel()
        await gate.left()
    assert model.running == 0
