"""The steps that all servers of Chat Completions share: routes, keys, and who is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.support.vendors import chat
from tests.support.vendors.model import Script, content, generate, prompt_tokens
from tests.support.vendors.serving import Asked, Reply

KEY = "sk-test-0123456789"

Fault = Literal["busy", "unpaid", "broken", "broken with 200", "fails", "breaks off", "hangs"]
Refuse = Callable[[int, str], Reply]
"""An error of this vendor: status and message."""


@dataclass(frozen=True)
class Model:
    """A model of a table: what it says, and how the server shows it."""

    script: Script = Script()
    thinks: bool = False
    raw: str | None = None
    """Form of a text that has its thinking within: ``{thinking}`` and ``{text}``; None if the
    server tells them apart.
    """
    context: int = 4096
    fault: Fault | None = None


def request(
    asked: Asked, models: Mapping[str, Any], refuse: Refuse, path: str = "/v1/chat/completions"
) -> Mapping[str, Any] | Reply:
    """The body of a request to a chat address, or its refusal."""
    if (asked.method, asked.path) != ("POST", path):
        return refuse(404, f"Not Found: {asked.method} {asked.path}")
    body = asked.body
    if not isinstance(body, dict) or not body.get("messages"):
        return refuse(400, "Field required: messages")
    if body.get("model") not in models:
        return refuse(404, f"The model `{body.get('model')}` does not exist.")
    return body


def wrong_key(asked: Asked) -> bool:
    return asked.headers.get("authorization") != f"Bearer {KEY}"


def prefix_of(body: Mapping[str, Any]) -> str:
    """The text of the last message if it is the assistant's, to be continued."""
    last = body["messages"][-1]
    return content(last) if last["role"] == "assistant" else ""


def respond(
    dialect: chat.Dialect,
    model: Model,
    body: Mapping[str, Any],
    *,
    effort: str | None = None,
    budget: int | None = None,
    prefix: str = "",
    echo: bool = False,
    n: int | None = None,
    size: int = 1,
) -> Reply:
    """Let the model of a table answer; what it thinks is within the text where it is raw.

    With ``echo`` the reply begins with the prefix that it continues.
    """
    prompt = prompt_tokens(body["messages"])
    room = model.context - prompt
    sample = generate(
        model.script,
        effort=effort,
        budget=budget,
        limit=min(chat.limit(body) or room, room),
        stop=chat.stops(body),
        prefix=prefix,
        raw=model.raw,
    )
    if echo:
        sample = replace(sample, echoed=prefix)
    samples = [sample] * (n or body.get("n") or 1)
    cached = min(model.script.cached, prompt)
    top = chat.top(body)
    return chat.answer(dialect, body, prompt, samples, cached=cached, top=top, size=size)


def half(reply: Reply) -> tuple[bytes, ...]:
    """The first half of a stream."""
    return reply.events[: len(reply.events) // 2]
