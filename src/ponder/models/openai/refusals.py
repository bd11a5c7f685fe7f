"""Lessons from the words of refusals, of OpenAI and its kin: no code is common to all.

A refusal names a field that the server does not take, the levels of thinking that it takes, or the
length that it has. Each becomes a ``Change``; the request is then sent again, which costs nothing.
"""

from __future__ import annotations

import re
from typing import Any

from ponder.models.base import Request
from ponder.models.http.carried import SIGNED, refused
from ponder.models.http.failures import reason_of
from ponder.models.http.received import Malformed
from ponder.models.http.replies import parse
from ponder.models.http.wire import Change
from ponder.models.thinking import LEVELS

Json = Any  # what json.loads returns; nothing below trusts it

THINKING = frozenset(
    {"reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget"}
    | {"thinking_token_budget", "chat_template_kwargs", "reasoning.effort"}
)
"""Fields that ask for thinking."""
ENCRYPTED = "reasoning.encrypted_content"
_FIELDS = THINKING | {
    "continue_final_message", "add_generation_prompt", "include", "logprobs", "min_p",
    "max_completion_tokens", "max_tokens", "n", "parallel_tool_calls", "random_seed",
    "reasoning.summary", "repeat_penalty", "repetition_penalty", "response_format", "seed", "stop",
    "store", "stream_options",
    "temperature", "text.format", "top_k", "top_logprobs", "top_p",
}  # fmt: skip
"""Fields that Ponder sends, and could do without."""
_REFUSED = re.compile(
    r"not support|unsupported|unrecogni[sz]ed|unknown|unexpected|extra|not enabled|"
    r"not (?:permitted|allowed|available|configured)|must be verified|only the default",
    re.I,
)
_LENGTHS = (
    re.compile(
        r"(?P<prompt>[\d,]+) (?:tokens )?(?:in|from|of) the (?:messages|input|prompt)", re.I
    ),
    re.compile(r"\(?(?P<prompt>[\d,]+) (?:tokens )?of text input", re.I),
    re.compile(r"prompt contains (?:at least )?(?P<prompt>[\d,]+) (?:input )?tokens", re.I),
    re.compile(r"(?P<prompt>[\d,]+) input tokens", re.I),
    re.compile(r"(?:request|input|prompt) \((?P<prompt>[\d,]+) tokens\)", re.I),
    re.compile(r"messages resulted in (?P<prompt>[\d,]+) tokens", re.I),
)
_CONTEXT = re.compile(
    r"(?:maximum context length|available context size|context length|context window|max_model_len)"
    r"(?: is| of|:)?[ (]*(?P<context>\d[\d,]*)",
    re.I,
)
_TOTAL = re.compile(r"(?:requested )?a total of (?P<total>\d[\d,]*) tokens", re.I)
_MOST = re.compile(r"at most (?P<most>\d[\d,]*) (?:completion|output) tokens", re.I)
_LEVEL = rf"(?:none|{'|'.join(LEVELS)}|true|false)"
_LEVELS = re.compile(
    r"(?:values are|must be|expected|should be|\buse|one of|is|are)[:\s(]*(?:one of[:\s]*)?"
    rf"(?P<levels>['\"`]?{_LEVEL}\b['\"`]?(?:(?:,|\s|\band\b|\bor\b)+['\"`]?{_LEVEL}\b['\"`]?)*)",
    re.I,
)
_NAMED = re.compile(
    r"(?:parameters?|argument supplied|arguments?|fields?|model|inputs?)[:\s]+['\"`]?([\w.]+)", re.I
)


def read(status: int, body: bytes, request: Request) -> Change | None:
    """Return the change that a refusal asks for; None if it names none."""
    if status not in (400, 404, 413, 422):
        return None
    reason, param = reason_of(body), _param(body)
    if change := _length(reason, request):
        return change
    if found := _MOST.search(reason):
        return Change(most_tokens=_number(found["most"]))
    words = f"{param} {reason}".lower()
    if re.search(r"false for non-stream|only supports? stream|stream\w* (?:only|mode only)", words):
        return Change(stream=True)
    if re.search(r"\bn must be (?:1|one)\b", words):
        return Change(drop=frozenset({"n"}))
    if re.search(r"invalid schema for (?:response_format|text)", words):
        return Change(drop=frozenset({"response_format", "text.format"}))
    if change := _efforts(words):
        return change
    if refused(reason):
        return Change(drop=frozenset({SIGNED}))
    if _REFUSED.search(reason) or status == 422:
        return _field(param, reason)
    return None


def _number(text: str) -> int:
    return int(text.replace(",", "")[:18])


def _length(reason: str, request: Request) -> Change | None:
    """Return the lengths that a refusal for length names."""
    found = _CONTEXT.search(reason)
    if not found:
        return None
    context = _number(found["context"])
    for form in _LENGTHS:
        if prompt := form.search(reason):
            return Change(context=context, prompt=_number(prompt["prompt"]))
    total = _TOTAL.search(reason)
    prompt_tokens = _number(total["total"]) - request.max_tokens if total else 0
    return Change(context=context, prompt=max(0, prompt_tokens))


def _efforts(words: str) -> Change | None:
    """Return the levels of thinking that a refusal lists, or that thinking cannot be off."""
    if not re.search(r"effort|reasoning|thinking", words):
        return None
    if re.search(r"mandatory|cannot be (?:disabled|turned off|switched off)", words):
        return Change(efforts=LEVELS[1:])
    for found in _LEVELS.finditer(words):
        named = set(re.findall(_LEVEL, found["levels"]))
        named = {"off" if name in ("none", "false") else name for name in named}
        if taken := tuple(level for level in LEVELS if level in named):
            return Change(efforts=taken)
    return None


def _field(param: str, reason: str) -> Change | None:
    """Return the loss of the field that a refusal names."""
    lowered = reason.lower()
    if param == "include" or "encrypted content" in lowered:
        if "logprobs" in lowered:
            return Change(drop=frozenset({"logprobs", "top_logprobs"}))
        return Change(drop=frozenset({ENCRYPTED}))
    named = [param, *re.findall(r"['\"`]([\w.]+)['\"`]", reason), *_NAMED.findall(reason)]
    named += re.findall(r"\b\w+_\w+\b", reason)
    for name in named:
        name = re.sub(r"(?<=[a-z])[A-Z]", lambda big: "_" + big[0].lower(), name.rstrip("."))
        if name in ("max_tokens", "max_completion_tokens"):
            others = {"max_tokens": "max_completion_tokens"}
            return Change(max_tokens_field=others.get(name, "max_tokens"))
        if name in _FIELDS:
            return Change(drop=frozenset({name}))
    if re.search(r"not support (?:thinking|reasoning)|(?:thinking|reasoning) is not", lowered):
        return Change(drop=THINKING)
    return None


def _param(body: bytes) -> str:
    """Return the name of the refused field, where the refusal has a place for it; else ''."""
    try:
        reply = parse(body)
    except Malformed:
        return ""
    error = reply.get("error")
    for part in (error, reply):
        if not isinstance(part, dict):
            continue
        param = part.get("param")
        if isinstance(param, str) and param:
            return param
        for details in (part.get("detail"), part.get("message")):
            if isinstance(details, dict):
                details = details.get("detail")
            if isinstance(details, list) and details and isinstance(details[0], dict):
                place = details[0].get("loc")
                if isinstance(place, list) and place and isinstance(place[-1], str):
                    return place[-1]
    return ""
