"""LangChain's ``ChatOpenAI`` in both of its forms: prints what a user of it sees, as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import openai
from langchain_openai import ChatOpenAI

os.environ["LANGSMITH_TRACING"] = "false"
SCHEMA = {
    "title": "n",
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"21 degrees in {city}"


def refused(ask: Callable[[], Any]) -> Any:
    """Return what is answered, or why the server refused to."""
    try:
        return ask()
    except openai.APIStatusError as error:
        return {"refused": error.code}


def told(chat: ChatOpenAI, question: str) -> dict[str, Any]:
    """Ask in each way that a user does."""
    found = chat.invoke(question)
    parts = list(chat.stream(question))
    writing = chat.with_structured_output(SCHEMA, method="json_schema")
    return {
        "answer": found.text,
        "usage": found.usage_metadata,
        "parts": len(parts),
        "stream": "".join(part.text for part in parts),
        "structured": refused(lambda: writing.invoke(question)),
    }


def tooled(chat: ChatOpenAI) -> dict[str, Any]:
    """Offer a tool, and tell its result if it is called."""
    asked = [("user", "How is the weather in Paris?")]
    calling = chat.bind_tools([get_weather])
    first = calling.invoke(asked)
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        for call in first.tool_calls
    ]
    calls = [(call["name"], call["args"]) for call in first.tool_calls]
    return {"calls": calls, "after": calling.invoke([*asked, first, *results]).text}


def main(url: str, model: str, question: str, limits: str = "{}") -> None:
    """Ask in both forms."""
    asked = {"base_url": url, "api_key": "none", "model": model, "max_retries": 0}
    chat, responses = (
        ChatOpenAI(**asked, **json.loads(limits), use_responses_api=form) for form in (False, True)
    )
    seen = {
        "chat": told(chat, question),
        "responses": told(responses, question),
        "tools": refused(lambda: tooled(chat)),
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
