"""LangChain's ``ChatOpenAI`` in both of its forms: prints what a user of it sees, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_openai import ChatOpenAI

QUESTION = "How many is six times seven?"
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


def told(url: str, model: str, *, responses: bool) -> dict[str, Any]:
    """Ask in each way that a user does."""
    chat = ChatOpenAI(
        base_url=url, api_key="none", model=model, max_retries=0, use_responses_api=responses
    )
    found = chat.invoke(QUESTION)
    parts = list(chat.stream(QUESTION))
    seen: dict[str, Any] = {
        "answer": found.text,
        "usage": found.usage_metadata["total_tokens"],
        "parts": len(parts),
        "stream": "".join(part.text for part in parts),
    }
    seen["structured"] = chat.with_structured_output(SCHEMA, method="json_schema").invoke(QUESTION)
    if not responses:
        asked = [("user", "How is the weather in Paris?")]
        calling = chat.bind_tools([get_weather])
        first = calling.invoke(asked)
        seen["calls"] = [(call["name"], call["args"]) for call in first.tool_calls]
        result = {"role": "tool", "tool_call_id": first.tool_calls[0]["id"], "content": "sunny"}
        seen["after"] = calling.invoke([*asked, first, result]).text
    return seen


if __name__ == "__main__":
    url, model = sys.argv[1:]
    forms = {
        "chat": told(url, model, responses=False),
        "responses": told(url, model, responses=True),
    }
    sys.stdout.write(json.dumps(forms))
