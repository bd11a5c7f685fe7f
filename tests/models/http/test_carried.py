"""Records of turns: only their maker gets them back, and none of them breaks a request."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.models.anthropic.messages import Messages
from ponder.models.base import Api
from ponder.models.gemini.generate import Generate
from ponder.models.http.carried import own, sealed
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.prompts import Prompts
from ponder.models.http.replies import Choice
from ponder.models.http.wire import Wire
from ponder.models.openai.chat import Chat
from ponder.models.openai.responses import Responses

WIRES: dict[Api, Callable[[Endpoint], Wire]] = {
    "messages": Messages, "gemini": Generate, "responses": Responses, "chat": Chat,
}  # fmt: skip
TURN: dict[Api, list[dict[str, Any]]] = {
    "messages": [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "text", "text": "It is 42.\n"},
    ],
    "gemini": [{"text": "Hm.", "thought": True}, {"text": "It is 42.", "thoughtSignature": "sig"}],
    "responses": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sig"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "It is 42.", "annotations": []}],
        },
    ],
    "chat": [{"type": "reasoning.text", "text": "Hm.", "signature": "sig", "index": 0}],
}
QUESTION, SURE = Message("user", "How much?"), Message("user", "Sure?")


def endpoint(api: Api, **settings: Any) -> Endpoint:
    host = "https://openrouter.ai/api/v1"
    return Endpoint(**{"name": "e", "base_url": host, "model": "m", "api": api, **settings})


def record(api: Api, turn: Any, **settings: Any) -> str:
    """A record as a client hands it out."""
    return sealed(Choice("", "stop", blocks=json.dumps(turn)), endpoint(api, **settings)).blocks


def body(api: Api, said: Message, **settings: Any) -> str:
    asked = endpoint(api, **settings)
    prompt = Prompts(WIRES[api](asked), asked).get((QUESTION, said, SURE), "")
    return "{" + prompt.body.decode() + "}"


@pytest.mark.parametrize("api", WIRES)
def test_the_maker_gets_its_record_back(api: Api) -> None:
    said = Message("assistant", "It is 42.", record(api, TURN[api]))
    sent = body(api, said)
    for part in TURN[api]:
        assert jsontext.dumps(part) in sent
    assert sent.count("It is 42.") == 1


@pytest.mark.parametrize("api", WIRES)
@pytest.mark.parametrize(
    "other", [{"model": "n"}, {"base_url": "https://eu.openrouter.ai/v1"}, {"name": "f"}]
)
def test_nobody_else_gets_it(api: Api, other: dict[str, str]) -> None:
    said = Message("assistant", "It is 42.", record(api, TURN[api]))
    same = "name" in other  # what the user calls it makes no other model of it
    for reader in WIRES:
        settings = other if reader == api else {}
        plain = body(reader, dataclasses.replace(said, blocks=""), **settings)
        assert (body(reader, said, **settings) != plain) is (same and reader == api)


@pytest.mark.parametrize("api", ["messages", "gemini", "responses"])
def test_a_turn_that_somebody_changed_is_sent_as_it_is(api: Api) -> None:
    said = Message("assistant", "It is 43.", record(api, TURN[api]))
    assert body(api, said) == body(api, dataclasses.replace(said, blocks=""))


@pytest.mark.parametrize("api", WIRES)
def test_only_the_assistant_has_records(api: Api) -> None:
    said = Message("user", "It is 42.", record(api, TURN[api]))
    assert body(api, said) == body(api, dataclasses.replace(said, blocks=""))


def test_a_record_counts_in_the_prompts_bound() -> None:
    asked = endpoint("messages")
    prompts = Prompts(Messages(asked), asked)
    said = Message("assistant", "It is 42.", record("messages", TURN["messages"]))
    plain = prompts.get((QUESTION, dataclasses.replace(said, blocks=""), SURE), "")
    with_record = prompts.get((QUESTION, said, SURE), "")
    assert with_record.tokens == plain.tokens + len(jsontext.dumps(TURN["messages"]))
    assert (with_record.least, with_record.characters) == (plain.least, plain.characters)


NAMES = st.sampled_from(
    ["type", "text", "thinking", "thought", "content", "signature", "phase", "index"]
)
WORDS = st.sampled_from(["text", "thinking", "reasoning", "message", "commentary", "It is 42.", ""])
LEAF = st.one_of(st.none(), st.booleans(), st.floats(), WORDS)
PARTS = st.dictionaries(NAMES, st.one_of(LEAF, st.lists(st.dictionaries(NAMES, LEAF))), max_size=5)
TURNS = st.one_of(LEAF, st.lists(st.one_of(LEAF, PARTS), max_size=4), st.lists(PARTS, max_size=4))


@pytest.mark.parametrize("api", WIRES)
@given(turn=TURNS, cut=st.one_of(st.none(), st.integers(0, 200)))
def test_no_record_breaks_a_request(api: Api, turn: Any, cut: int | None) -> None:
    blocks = record(api, turn)[:cut]
    sent = json.loads(body(api, Message("assistant", "It is 42.", blocks)))
    assert "It is 42." in json.dumps(sent)
    deep = f'{{"by": {json.dumps([api, endpoint(api).base_url, "m"])}, "turn": [{"[" * 10**5}'
    assert own([Message("assistant", "?", deep)], endpoint(api))[0].blocks == ""
