"""What a user may add to requests, and what not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.core.problem import Message
from ponder.models.anthropic.messages import Messages
from ponder.models.base import Completion, Request
from ponder.models.gemini.generate import Generate
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.prompts import Prompts
from ponder.models.http.wire import Wire
from ponder.models.openai.chat import Chat
from ponder.models.openai.responses import Responses


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (Chat, "messages"), (Responses, "input"), (Responses, "instructions"),
        (Messages, "messages"), (Messages, "system"), (Generate, "contents"),
        (Generate, "systemInstruction"), (Generate, "system_instruction"),
    ],
)  # fmt: skip
def test_the_prompt_is_not_the_users_to_add(wire: Callable[[Endpoint], Wire], name: str) -> None:
    def made(**extra: Any) -> HttpModel:
        endpoint = Endpoint(name="e", base_url="http://h/v1", model="m", extra_body=extra)
        return HttpModel(endpoint, wire)

    assert made(temperature=1, top_k=20).info.name == "e"
    with pytest.raises(UsageError, match=f"'e': extra_body must not hold '{name}', which is the"):
        made(**{name: "?", "top_k": 20})


def test_a_prompt_is_one_object_whatever_holds_its_messages() -> None:
    endpoint = Endpoint(name="e", base_url="http://h/v1", model="m")
    prompts, chat = Prompts(Chat(endpoint), endpoint), [Message("user", "1 + 1?")]
    asked = tuple(chat)
    first = prompts.get(asked, "")
    assert prompts.get(asked, "") is prompts.get(chat, "") is first
    assert prompts.get(asked, "It is") is not first
    assert prompts.get(asked, "") is first
    chat.append(Message("assistant", "2"))
    assert prompts.get(chat, "") is not first


@pytest.mark.parametrize(("able", "most"), [({"native_thinking"}, 28), ({"seed"}, 182)])
def test_what_a_model_wrote_is_counted_where_it_may_go_on(able: set[Any], most: int) -> None:
    endpoint = Endpoint(name="e", base_url="http://h", model="m", capabilities=frozenset(able))
    prompts, asked = Prompts(Chat(endpoint), endpoint), (Message("user", "1 + 1?"),)
    prompt = prompts.get(asked, "")
    prompt.tokens, prompt.exact = 5, True
    prompts.grew(prompt, Request(asked, 9), [Completion("It is 2, I think", "stop", 5, 3)])
    assert prompts.get(asked, "It is 2, I think").tokens == most
