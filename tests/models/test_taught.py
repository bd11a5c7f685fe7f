"""A model that was taught to think, on the dial: prompts for each setting, and the file that says
which settings there are.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import ponder
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.tools import Tool, Toolset
from ponder.core.trace import Delta
from ponder.models import opening
from ponder.models.base import ModelInfo, Request
from ponder.models.config import Config
from ponder.models.fakes.scripted import EVERYTHING, Scripted
from ponder.models.taught import CLOSED, OPEN, Taught, declaration, levels_of
from tests.support.deltas import check

QUESTION = "What is six times seven?"
PLAIN = ModelInfo("small", EVERYTHING - {"native_thinking"}, local=True)
ASK = Request((Message("system", "Be brief."), Message("user", QUESTION)), 100, watched=True)
LEVELS = ("low", "medium", "high")


def speaks(request: Request) -> str:
    """Think where the turn has begun so, as a model does that has learned it."""
    return "six sevens\n</think>\n\nIt is 42." if request.prefix == OPEN else "It is 42."


def taught() -> tuple[Taught, Scripted]:
    model = Scripted(speaks, info=PLAIN)
    return Taught(model, LEVELS), model


@pytest.mark.parametrize(
    ("thinking", "line", "prefix"),
    [
        (None, "", ""),
        (Thinking("auto"), "", ""),
        (Thinking("off"), "", CLOSED),
        (Thinking("low"), "\n\nThinking: low", OPEN),
        (Thinking("high"), "\n\nThinking: high", OPEN),
        (Thinking("minimal"), "\n\nThinking: low", OPEN),
        (Thinking("max"), "\n\nThinking: high", OPEN),
        (Thinking(tokens=2000), "\n\nThinking: medium", OPEN),
    ],
)
async def test_each_setting_has_its_prompt(
    thinking: Thinking | None, line: str, prefix: str
) -> None:
    model, inner = taught()
    deltas: list[Delta] = []
    done = await model.generate(replace(ASK, thinking=thinking), deltas.append)
    [sent] = inner.requests
    assert [m.content for m in sent.messages] == ["Be brief.", QUESTION + line]
    assert (sent.prefix, sent.thinking) == (prefix, None)
    assert done.text == "It is 42."
    assert done.reasoning.strip() == ("six sevens" if prefix == OPEN else "")
    check(deltas, done)
    for bound, holds in ((model.prompt_bound, int.__ge__), (model.prompt_least, int.__le__)):
        assert holds(bound(ASK.messages), inner.prompt_bound(sent.messages, sent.prefix))


@pytest.mark.parametrize(
    ("prefix", "sent"),
    [
        ("It is", CLOSED + "It is"),
        (f"{OPEN}six sevens\n</think>\n\nIt", f"{OPEN}six sevens\n</think>\n\nIt"),
    ],
)
async def test_a_turn_that_has_begun_says_itself_if_it_thinks(prefix: str, sent: str) -> None:
    model, inner = taught()
    await model.generate(replace(ASK, prefix=prefix, thinking=Thinking("off")))
    await model.generate(replace(ASK, prefix=prefix, thinking=Thinking("high")))
    assert [request.prefix for request in inner.requests] == [sent, prefix]


async def test_where_tools_are_offered_only_the_question_asks() -> None:
    model, inner = taught()
    tools = Message("system", "", tools=Toolset((Tool("sum"),)))
    for level in ("off", "high"):
        await model.generate(
            replace(ASK, messages=(tools, *ASK.messages), thinking=Thinking(level))
        )
    assert [(r.prefix, r.messages[-1].content) for r in inner.requests] == [
        ("", QUESTION),
        ("", f"{QUESTION}\n\nThinking: high"),
    ]


async def test_a_level_that_was_not_taught_is_remarked_once() -> None:
    model, _ = taught()
    for thinking in (Thinking("max"), Thinking("max"), Thinking("low"), Thinking(tokens=500)):
        await model.generate(replace(ASK, thinking=thinking))
    assert model.info.remarks == (
        "small was not taught thinking=max: high is the nearest.",
        "small takes no number of tokens to think: thinking=500 is asked for as low.",
    )


def test_the_dial_turns_its_thinking() -> None:
    def solved(effort: str) -> tuple[ponder.Result, Request]:
        model, inner = taught()
        result = ponder.solve(
            QUESTION, model=model, effort=effort, answer_type="number", journal=False
        )
        [sent] = inner.requests
        return result, sent

    none, asked = solved("none")
    assert (none.answer, asked.prefix) == ("42", CLOSED)
    assert "Thinking:" not in asked.messages[-1].content
    high, asked = solved("high")
    assert (high.answer, asked.prefix) == ("42", OPEN)
    assert asked.messages[-1].content.endswith("\n\nThinking: high")
    assert high.trace is not None
    assert high.trace.reasoning.strip() == "six sevens"


# The declaration ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ('{"size": 3, "card": {"thinking": ["high", "low", "off"]}}', ("low", "high")),
        ('{"card": {"thinking": ["often", 3, ["low"], "medium"]}}', ("medium",)),
        ('{"card": {"thinking": "high"}}', ()),
        ('{"card": 3, "thinking": ["high"]}', ()),
        ("[]", ()),
        ("{", ()),
        (None, ()),
    ],
)
def test_the_file_beside_the_weights_declares_the_levels(
    tmp_path: Path, text: str | None, levels: tuple[str, ...]
) -> None:
    if text is not None:
        (tmp_path / "base-0.5b+new.json").write_text(text, encoding="utf-8")
    assert levels_of(tmp_path / "base-0.5b+new.gguf") == levels


def test_a_card_declares_the_levels_of_its_lessons() -> None:
    assert declaration(["high", "off", "low", "high", None]) == {"thinking": ["low", "high"]}
    assert declaration(["off", None]) == {}


@pytest.mark.parametrize("declared", [True, False])
async def test_a_model_that_declares_it_is_opened_with_its_thinking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, declared: bool
) -> None:
    weights = tmp_path / "small.gguf"
    weights.write_bytes(b"GGUF")
    if declared:
        weights.with_suffix(".json").write_text(
            json.dumps({"card": declaration(["off", "high"])}), "utf-8"
        )
    monkeypatch.setattr(opening, "_embedded", lambda *_: Scripted(speaks, info=PLAIN))
    opened = await opening.open_model(str(weights), Config(), opening.Teller())
    assert ("native_thinking" in opened.model.info.capabilities) == declared
