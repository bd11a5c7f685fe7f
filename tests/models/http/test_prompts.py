"""What a user may add to requests, and what not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.models.anthropic.messages import Messages
from ponder.models.gemini.generate import Generate
from ponder.models.http.client import HttpModel
from ponder.models.http.endpoint import Endpoint
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
