"""Chats as the model's own chat template writes them, tools included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ponder.core.problem import Message, offered
from ponder.core.tools import Tool, Toolset
from ponder.models import calls

_PROBE = (Message("system", "", tools=Toolset((Tool("probe_tool"),))), Message("user", "?"))


def prompt(tokenizer: Any, messages: Sequence[Message]) -> str:
    """Return a chat up to the assistant's turn.

    Raises:
        RuntimeError: the template does not take these messages.
    """
    turns = [_turn(message) for message in messages if message.content or not message.tools]
    tools = offered(messages)
    if not tools or tools.choice == "none":
        return str(tokenizer.apply_chat_template(turns, True))
    listed = [calls.declared(tool) for tool in tools.tools]
    return str(tokenizer.apply_chat_template(turns, True, tools=listed))


def calls_tools(tokenizer: Any) -> bool:
    """Return True if the template shows tools to the model, and asks for calls in the form that is
    read here (``models.calls``).
    """
    try:
        shown = prompt(tokenizer, _PROBE)
    except RuntimeError:
        return False
    return calls.OPEN in shown and "probe_tool" in shown


def _turn(message: Message) -> dict[str, Any]:
    """Return a turn as chat templates read it."""
    turn: dict[str, Any] = {"role": message.role, "content": utf8(message.content)}
    if message.calls:
        turn["tool_calls"] = [
            {"type": "function", "function": {"name": call.name, "arguments": call.values or {}}}
            for call in message.calls
        ]
    return turn


def utf8(text: str) -> str:
    """Return the text without lone surrogates, which no tokenizer accepts."""
    return text.encode(errors="replace").decode()
