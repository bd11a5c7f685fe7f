"""Examples of bodies, for the published document. The model is added there, one of the server's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Example = Mapping[str, Any]
QUESTION = "How many primes are there below 100?"
_CHAT: Example = {"messages": [{"role": "user", "content": QUESTION}]}
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_COUNT = {
    "type": "object",
    "properties": {"primes": {"type": "integer"}},
    "required": ["primes"],
    "additionalProperties": False,
}
_WEATHER = {"name": "get_weather", "description": "Weather of a city."}
_ASKED: Example = {"messages": [{"role": "user", "content": "How is the weather in Paris?"}]}

CHAT: Mapping[str, Example] = {
    "a question": _CHAT,
    "a stream": {**_CHAT, "stream": True, "stream_options": {"include_usage": True}},
    "the dial": {
        **_CHAT,
        "ponder": {
            "strategy": "self_consistency",
            "knobs": {"n": 5},
            "budget": {"tokens": 20_000},
        },
    },
    "JSON": {
        **_CHAT,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "count", "strict": True, "schema": _COUNT},
        },
    },
    "a tool": {
        **_ASKED,
        "tools": [{"type": "function", "function": {**_WEATHER, "parameters": _CITY}}],
    },
}
MESSAGES: Mapping[str, Example] = {
    "a question": {**_CHAT, "max_tokens": 1000},
    "a stream": {**_CHAT, "max_tokens": 1000, "stream": True},
    "an effort, and the thinking": {
        **_CHAT,
        "max_tokens": 1000,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low"},
    },
    "a tool": {**_ASKED, "max_tokens": 1000, "tools": [{**_WEATHER, "input_schema": _CITY}]},
}
COUNTED: Mapping[str, Example] = {"a question": _CHAT}
RESPONSES: Mapping[str, Example] = {
    "a question": {"input": QUESTION},
    "a stream": {"input": QUESTION, "stream": True, "reasoning": {"summary": "auto"}},
    "in the background": {"input": QUESTION, "background": True},
    "JSON": {
        "input": QUESTION,
        "text": {"format": {"type": "json_schema", "name": "count", "schema": _COUNT}},
    },
}
DECISIONS: Mapping[str, Example] = {
    "a decision": {
        "question": "Does the customer ask for a refund?",
        "input": "The kettle broke after two days. I want my money back.",
        "choices": ["yes", "no"],
    }
}
ACTIONS: Mapping[str, Example] = {
    "a hint": {"action": "hint", "text": "Try small numbers first."},
    "a pause": {"action": "pause"},
}
JUDGEMENTS: Mapping[str, Example] = {"a choice": {"best": 1}, "none of them": {"none": True}}
