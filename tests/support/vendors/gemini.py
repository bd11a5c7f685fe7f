"""The Gemini API, generateContent and what goes with it: refusals, answers, and their cost.

Written from the types of google-genai 3.6 and from the vendor's documents. One word is one token.
The model's name picks what happens: ``MODELS``. Not verified: a conversation that ends with the
model's turn (taken here, and not continued), and the bill of a stream that broke (the whole reply
here).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aiohttp import web

from tests.support.vendors import gemini_rules as rules
from tests.support.vendors.gemini_rules import KEY, SIGNATURE, Refused, Takes
from tests.support.vendors.serving import Asked, Billed, Book, Reply, application

__all__ = ["KEY", "MODELS", "SIGNATURE", "TEXT", "THOUGHT", "Model", "reply_to", "server"]

THOUGHT = "**Multiplying**\n\nSix sevens are forty-two."
TEXT = "Six times seven is 42.\n\nAnswer: 42"
Json = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A model: what it takes, what it says, and what goes wrong."""

    takes: Takes = Takes()
    says: tuple[str, ...] = (TEXT,)
    """One part each."""
    thinks: int = 40
    """Tokens of its thinking, of which the thought is a summary."""
    signs: bool = False
    """True if the last part has a thought signature; streamed, it is an empty part's."""
    stop: str | None = "STOP"
    """The finish reason, unless the length came first; None if it has none, to the end."""
    explained: str | None = None
    """finishMessage, which the vendor's own client does not pass on."""
    ratings: tuple[str, ...] = ()
    """Categories that a filter found."""
    blocked: str | None = None
    """The reason for which the prompt is blocked, without a candidate."""
    cached: int = 0
    """Tokens of the prompt that are read from the cache."""
    error: tuple[int, str, str] | None = None
    """Code, status and message, instead of a reply."""
    breaks: bool = False
    """True if that error comes within a stream."""
    cut: bool = False
    """True if its streams break off without a word."""
    hang: bool = False
    """True if its replies stop in the middle until the client goes away."""


BUDGET = Takes(budget=(0, 24_576), off=True)
"""As Gemini 2.5 Flash."""
LEVEL = Takes(levels=("LOW", "MEDIUM", "HIGH"), budget=(1, 32_768))
"""As Gemini 3.8 Flash; a budget is taken for older clients."""
HARM = "HARM_CATEGORY_DANGEROUS_CONTENT"

MODELS = {
    "gemini-plain": Model(),
    "gemini-small": Model(replace(BUDGET, context=20)),
    "gemini-budget": Model(BUDGET),
    "gemini-budget-always": Model(Takes(budget=(128, 32_768))),
    "gemini-budget-quiet": Model(replace(BUDGET, budget=(512, 24_576), thinks=False)),
    "gemini-level": Model(LEVEL, signs=True),
    "gemini-level-pro": Model(replace(LEVEL, levels=("LOW", "HIGH")), signs=True),
    "gemini-level-minimal": Model(replace(LEVEL, levels=rules.LEVELS[:4]), signs=True),
    "gemini-level-xhigh": Model(replace(LEVEL, levels=rules.LEVELS[1:]), signs=True),
    "gemini-eats-length": Model(BUDGET, thinks=10**9),
    "gemini-parts": Model(LEVEL, ("First, ", TEXT), signs=True),
    "gemini-candidates": Model(replace(BUDGET, candidates=8)),
    "gemini-cached": Model(BUDGET, cached=3),
    "gemini-quiet": Model(says=()),
    "gemini-endless": Model(stop=None),
    "gemini-blocks-prompt": Model(blocked="PROHIBITED_CONTENT", ratings=(HARM,)),
    "gemini-unsafe": Model(says=(), stop="SAFETY", ratings=(HARM,)),
    "gemini-unsafe-midway": Model(BUDGET, ("Well, first you",), stop="SAFETY", ratings=(HARM,)),
    "gemini-recites": Model(says=("It was the best of",), stop="RECITATION"),
    "gemini-prohibited": Model(says=(), stop="PROHIBITED_CONTENT"),
    "gemini-blocklist": Model(says=(), stop="BLOCKLIST"),
    "gemini-personal": Model(says=(), stop="SPII"),
    "gemini-language": Model(says=(), stop="LANGUAGE"),
    "gemini-other": Model(says=(), stop="OTHER"),
    "gemini-malformed": Model(
        says=(), stop="MALFORMED_RESPONSE", explained="The reply was malformed."
    ),
    "gemini-malformed-call": Model(
        says=(), stop="MALFORMED_FUNCTION_CALL", explained="Malformed function call: print(42)"
    ),
    "gemini-elsewhere": Model(
        error=(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
    ),
    "gemini-forbidden": Model(error=(403, "PERMISSION_DENIED", "Your project was denied access.")),
    "gemini-limited": Model(
        error=(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota. Please retry in 7s.")
    ),
    "gemini-fails": Model(error=(500, "INTERNAL", "An internal error has occurred.")),
    "gemini-overloaded": Model(
        error=(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
    ),
    "gemini-times-out": Model(error=(504, "DEADLINE_EXCEEDED", "Deadline expired.")),
    "gemini-breaks": Model(
        BUDGET, error=(503, "UNAVAILABLE", "The model is overloaded."), breaks=True
    ),
    "gemini-cut": Model(BUDGET, cut=True),
    "gemini-hangs": Model(BUDGET, hang=True),
}


def server(book: Book, *, delta: int = 7, write: int | None = None) -> web.Application:
    """The vendor's server; each chunk has so many characters, each write so many bytes."""
    return application(partial(reply_to, delta=delta), book, write=write)


def reply_to(asked: Asked, *, delta: int = 7) -> Reply:
    """Answer one request, as Gemini does."""
    try:
        rules.check_key(asked)
        path = re.fullmatch(r"/v1(?:beta)?/models(?:/([^/:]+))?(?::(\w+))?", asked.path)
        name, method = path.groups() if path else (None, None)
        match asked.method, name, method:
            case "GET", None, None if path:
                return Reply(body=_listed(asked.query))
            case "GET", str(), None:
                return Reply(body=_described(name, _model(name)))
            case "POST", str(), "countTokens":
                return Reply(body=_counted(asked, name))
            case "POST", str(), "generateContent" | "streamGenerateContent":
                return _generated(asked, name, method, delta)
        raise Refused(404, "NOT_FOUND", "Requested entity was not found.")
    except Refused as refused:
        return Reply(refused.code, body=_error(refused))


def _error(refused: Refused) -> Json:
    details = list(refused.details)
    if refused.code == 429:
        details = [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"},
        ]
    error = {"code": refused.code, "message": refused.message, "status": refused.status}
    return {"error": {**error, "details": details} if details else error}


def _model(name: str) -> Model:
    if name not in MODELS:
        raise Refused(
            404,
            "NOT_FOUND",
            f"models/{name} is not found for API version v1beta, or is not supported for "
            "generateContent. Call ListModels to see the list of available models and their "
            "supported methods.",
        )
    return MODELS[name]


def _generated(asked: Asked, name: str, method: str, delta: int) -> Reply:
    model = _model(name)
    body = rules.checked_body(asked)
    rules.check(body, name, model.takes)
    if model.error and not (model.breaks and method == "streamGenerateContent"):
        raise Refused(*model.error)
    if model.blocked:
        prompt = rules.prompt_tokens(body)
        reply, billed = _blocked(name, model, prompt), Billed(prompt)
    else:
        reply, billed = _reply(body, name, model)
    if method == "generateContent":
        return Reply(body=reply, hang=model.hang, billed=billed)
    chunks = list(_chunks(reply, model, delta))
    if model.breaks or model.cut or model.hang:
        chunks = chunks[: len(chunks) // 2]
    if asked.query.get("alt") != "sse":
        return Reply(body=chunks, billed=billed)
    events = [f"data: {json.dumps(chunk)}\r\n\r\n".encode() for chunk in chunks]
    if model.error:  # in the middle of a stream it comes as it is, over several lines
        events.append(json.dumps(_error(Refused(*model.error)), indent=2).encode() + b"\n")
    return Reply(events=tuple(events), cut=model.cut, hang=model.hang, billed=billed)


def _common(name: str) -> Json:
    return {"modelVersion": name, "responseId": "mVgoaZqTNuCVz7IP_7mXkAM"}


def _usage(prompt: int, *, candidates: int = 0, thoughts: int = 0, cached: int = 0) -> Json:
    """The usage; a count of none is absent, as in all of this vendor's JSON."""
    counts = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": cached,
        "totalTokenCount": prompt + candidates + thoughts,
    }
    details = [{"modality": "TEXT", "tokenCount": prompt}]
    return {name: n for name, n in counts.items() if n} | {"promptTokensDetails": details}


def _ratings(model: Model) -> list[Json]:
    return [{"category": name, "probability": "HIGH", "blocked": True} for name in model.ratings]


def _blocked(name: str, model: Model, prompt: int) -> Json:
    feedback = {"blockReason": model.blocked, "safetyRatings": _ratings(model)}
    return {"promptFeedback": feedback, "usageMetadata": _usage(prompt), **_common(name)}


def _reply(body: Json, name: str, model: Model) -> tuple[Json, Billed]:
    """The whole reply, and its bill."""
    config = body.get("generationConfig") or {}
    count, limit = config.get("candidateCount", 1), config.get("maxOutputTokens")
    thinking = config.get("thinkingConfig") or {}
    spent = 0
    if rules.thinks(config, model.takes):
        spent = min(model.thinks, limit or model.takes.longest)
        if thinking.get("thinkingBudget", -1) > 0 and model.thinks < 10**9:
            spent = min(spent, thinking["thinkingBudget"])
    room = (limit or model.takes.longest) - spent
    candidate, said = _candidate(config, model, room)
    if spent and thinking.get("includeThoughts"):
        parts = candidate["content"].setdefault("parts", [])
        parts.insert(0, {"text": THOUGHT, "thought": True})
    prompt = rules.prompt_tokens(body)
    thoughts, generated = spent * count, said * count
    usage = _usage(prompt, candidates=generated, thoughts=thoughts, cached=model.cached)
    candidates = [{**candidate, "index": index} for index in range(count)]
    reply = {"candidates": candidates, "usageMetadata": usage, **_common(name)}
    return reply, Billed(prompt, model.cached, 0, generated + thoughts, thoughts)


def _candidate(config: Json, model: Model, room: int) -> tuple[Json, int]:
    """One candidate without its thoughts, and the tokens of its text."""
    stop, parts, left = model.stop, [], room
    for said in model.says:
        halted = False
        for mark in config.get("stopSequences") or ():
            if mark in said:
                said, halted = said.partition(mark)[0], True
        words = re.findall(r"\s*\S+\s*", said)
        if len(words) > left:
            said, stop, halted = "".join(words[:left]), "MAX_TOKENS", True
        left -= min(len(words), left)
        if said:
            parts.append({"text": said})
        if halted:
            break
    if parts and model.signs:
        parts[-1]["thoughtSignature"] = SIGNATURE
    candidate: Json = {"content": {"role": "model"}}
    if parts:
        candidate["content"]["parts"] = parts
    if stop:
        candidate["finishReason"] = stop
    if model.explained:
        candidate["finishMessage"] = model.explained
    if model.ratings:
        candidate["safetyRatings"] = _ratings(model)
    if stop == "RECITATION":
        source = {"startIndex": 0, "endIndex": 18, "uri": "https://example.org/tale"}
        candidate["citationMetadata"] = {"citationSources": [source]}
    return candidate, room - left


def _chunks(reply: Json, model: Model, delta: int) -> Iterator[Json]:
    """The reply in pieces, each with the usage so far."""
    if "candidates" not in reply:
        yield reply
        return
    whole, total = reply["candidates"][0], reply["usageMetadata"]
    ending = {k: v for k, v in whole.items() if k not in ("content", "index")}
    pieces: list[Json | None] = [*_pieces(whole["content"].get("parts", []), delta)] or [None]
    thoughts = sum(1 for piece in pieces if piece and piece.get("thought"))
    shown, words = 0, ""
    for at, piece in enumerate(pieces, 1):
        if piece and piece.get("thought"):
            shown += 1
        elif piece:
            words += piece["text"]
        spent = total.get("thoughtsTokenCount", 0)
        usage = _usage(
            total["promptTokenCount"],
            candidates=len(words.split()) * len(reply["candidates"]),
            thoughts=spent * shown // thoughts if thoughts else spent,
            cached=model.cached,
        )
        content = {"role": "model", **({"parts": [piece]} if piece else {})}
        last = at == len(pieces)
        candidate = {"content": content, **(ending if last else {})}
        candidates = [{**candidate, "index": index} for index in range(len(reply["candidates"]))]
        yield {**reply, "candidates": candidates, "usageMetadata": total if last else usage}


def _pieces(parts: list[Json], delta: int) -> Iterator[Json]:
    for part in parts:
        for at in range(0, len(part["text"]), delta):
            piece = {**part, "text": part["text"][at : at + delta]}
            piece.pop("thoughtSignature", None)
            yield piece
        if "thoughtSignature" in part:
            yield {"text": "", "thoughtSignature": part["thoughtSignature"]}


def _counted(asked: Asked, name: str) -> Json:
    model = _model(name)
    if not isinstance(asked.body, dict):
        raise rules.invalid("Invalid JSON payload received. Unexpected token.")
    body = rules.named(asked.body)
    body = body.get("generateContentRequest", body)
    rules.check(body, name, model.takes)
    count = rules.prompt_tokens(body)
    return {
        "totalTokens": count,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": count}],
    }


def _listed(query: dict[str, str]) -> Json:
    """One page of the models."""
    names = list(MODELS)
    begin, size = int(query.get("pageToken", 0)), int(query.get("pageSize", 50))
    page: Json = {"models": [_described(name, MODELS[name]) for name in names[begin:][:size]]}
    if begin + size < len(names):
        page["nextPageToken"] = str(begin + size)
    return page


def _described(name: str, model: Model) -> Json:
    described = {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "inputTokenLimit": model.takes.context,
        "outputTokenLimit": model.takes.longest,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
    }
    return described | ({"thinking": True} if model.takes.thinking else {})
