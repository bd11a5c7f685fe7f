"""Replies of all vendors that call two tools, whole and streamed, in their recorded shapes."""

from __future__ import annotations

import json
from typing import Any

from tests.support.vendors.chat import events as chat_events
from tests.support.vendors.serving import Asked, Reply

PARIS, TIME = '{"city": "Paris"}', "{}"
IDS = ("call_1", "call_2")
TEXT = "I look."
SIGNATURE = "c2lnbmF0dXJl"
COUNTS = 30, 40
"""Tokens of the prompt and of the completion."""


def named(values: list[dict[str, Any]]) -> list[bytes]:
    """Server-sent events with the name that each has for its type."""
    return [f"event: {v['type']}\ndata: {json.dumps(v)}\n\n".encode() for v in values]


# Chat Completions ---------------------------------------------------------------------------------


def _function(name: str, arguments: str) -> dict[str, str]:
    return {"name": name, "arguments": arguments}


_HEAD = {"id": "chatcmpl-1", "created": 1, "model": "m"}
_USAGE = {"prompt_tokens": 30, "completion_tokens": 40, "total_tokens": 70}


def chat(asked: Asked) -> Reply:
    """OpenAI's Chat Completions."""
    calls: list[dict[str, Any]] = [
        {"id": IDS[0], "type": "function", "function": _function("get_weather", PARIS)},
        {"id": IDS[1], "type": "function", "function": _function("get_time", TIME)},
    ]
    if not asked.body.get("stream"):
        message = {"role": "assistant", "content": TEXT, "refusal": None, "tool_calls": calls}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
        body = {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
        return Reply(body=body)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": TEXT}]
    for index, call in enumerate(calls):
        begun = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        for piece in call["function"]["arguments"]:
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    choices: list[Any] = [[{"index": 0, "delta": d, "finish_reason": None}] for d in deltas]
    choices += [[{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]]
    chunks = [{**_HEAD, "object": "chat.completion.chunk", "choices": c} for c in choices]
    last = {**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE}
    return Reply(events=tuple(chat_events([*chunks, last])))


# Responses ----------------------------------------------------------------------------------------

_SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": TEXT, "annotations": []}],
}


def responses(asked: Asked) -> Reply:
    """OpenAI's Responses, with encrypted thinking before the calls."""
    items: list[dict[str, Any]] = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
        _SAID,
    ]
    for call_id, name, arguments in zip(
        IDS, ("get_weather", "get_time"), (PARIS, TIME), strict=True
    ):
        item = {"type": "function_call", "id": f"fc_{call_id}", "status": "completed"}
        items.append({**item, "call_id": call_id, "name": name, "arguments": arguments})
    body = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "output": items,
        "usage": {
            "input_tokens": 30,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 4},
            "total_tokens": 70,
        },
    }
    if not asked.body.get("stream"):
        return Reply(body=body)
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**body, "status": "in_progress", "output": []}}
    ]
    for at, item in enumerate(items):
        place = {"output_index": at, "item_id": item["id"]}
        told.append({"type": "response.output_item.added", "output_index": at, "item": item})
        if item["type"] == "message":
            part = {"type": "output_text", "text": "", "annotations": []}
            inner = {**place, "content_index": 0}
            told.append({"type": "response.content_part.added", **inner, "part": part})
            delta = {"delta": TEXT, "logprobs": []}
            told.append({"type": "response.output_text.delta", **inner, **delta})
        if item["type"] == "function_call":
            for piece in item["arguments"]:
                kind = "response.function_call_arguments.delta"
                told.append({"type": kind, **place, "delta": piece})
        told.append({"type": "response.output_item.done", "output_index": at, "item": item})
    told.append({"type": "response.completed", "response": body})
    return Reply(events=tuple(named([{**v, "sequence_number": n} for n, v in enumerate(told)])))


# Messages -----------------------------------------------------------------------------------------


def messages(asked: Asked) -> Reply:
    """Anthropic's Messages, with signed thinking before the calls."""
    blocks: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "Two tools.", "signature": SIGNATURE},
        {"type": "text", "text": TEXT},
        {"type": "tool_use", "id": IDS[0], "name": "get_weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": IDS[1], "name": "get_time", "input": {}},
    ]
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": blocks,
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 30, "output_tokens": 40},
    }
    if not asked.body.get("stream"):
        return Reply(body=body)
    usage = {"input_tokens": 30, "output_tokens": 1}
    begun = {**body, "content": [], "stop_reason": None, "usage": usage}
    told: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for at, block in enumerate(blocks):
        first, deltas = _pieces(block)
        told.append({"type": "content_block_start", "index": at, "content_block": first})
        told += [{"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas]
        told.append({"type": "content_block_stop", "index": at})
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    told.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": 40}})
    return Reply(events=tuple(named([*told, {"type": "message_stop"}])))


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it begins, and the deltas that complete it."""
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": block["text"]}]
    if block["type"] == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    whole = json.dumps(block["input"]) if block["input"] else ""
    pieces = ["", whole[:5], whole[5:]]
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return {**block, "input": {}}, deltas


# generateContent ----------------------------------------------------------------------------------


def gemini(asked: Asked) -> Reply:
    """Gemini, which gives calls no ids, and signs the first of several."""
    weather = {"name": "get_weather", "args": {"city": "Paris"}}
    parts: list[dict[str, Any]] = [
        {"text": TEXT},
        {"functionCall": weather, "thoughtSignature": SIGNATURE},
        {"functionCall": {"name": "get_time", "args": {}}},
    ]
    usage = {"promptTokenCount": 30, "candidatesTokenCount": 40, "totalTokenCount": 70}

    def candidate(parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, **more}]}

    if "stream" not in asked.path:
        return Reply(body=candidate(parts, finishReason="STOP") | {"usageMetadata": usage})
    told = [candidate([part]) for part in parts[:-1]]
    told.append(candidate(parts[-1:], finishReason="STOP") | {"usageMetadata": usage})
    lines = [b"data: " + json.dumps(value).encode() + b"\r\n\r\n" for value in told]
    return Reply(events=tuple(lines))
