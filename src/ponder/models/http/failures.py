"""Refusals, errors and losses, without any I/O: status, message, cost, the time to wait."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from ponder.core.errors import ModelError, RateLimited, RequestRefused, ServerFault
from ponder.models.base import Request
from ponder.models.http.callers import Caller, Outcomes
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.received import Malformed, clean
from ponder.models.http.replies import Spent, parse, share
from ponder.models.http.wire import Change, Fault

Json = Any  # what json.loads returns; nothing below trusts it


def fault_of(reply: dict[str, Json]) -> Fault | None:
    """Return the error object of a reply, in any of the shapes that servers use; None if there is
    none.
    """
    error = reply.get("error")
    if not error and (reply.get("object") == "error" or _is_bare(reply)):
        error = reply
    if not error:
        return None
    message = error_message(reply)
    return Fault(_status(error, reply, message), message)


def _is_bare(reply: dict[str, Json]) -> bool:
    """Return True for an error that is the whole reply (DashScope): a code and a message."""
    told = isinstance(reply.get("code"), str) and isinstance(reply.get("message"), str)
    return told and not _SAMPLES & reply.keys()


_SAMPLES = {"choices", "content", "candidates", "output", "response"}
"""Fields of the vendors' replies that hold samples."""


def _status(error: Json, reply: dict[str, Json], message: str) -> int:
    kinds = ""
    for part in (error, reply):
        if isinstance(part, dict):
            for name in ("code", "status", "status_code", "http_code"):
                code = part.get(name)
                if isinstance(code, str) and re.fullmatch("[45][0-9]{2}", code):
                    return int(code)
                if type(code) is int and 400 <= code < 600:
                    return code
            kinds += f"{part.get('type', '')} {part.get('code', '')} ".lower()
    for table, text in ((_KINDS, kinds), (_PHRASES, message.lower())):
        for word, status in table.items():
            if word in text:
                return status
    return 500


_KINDS = {
    "overloaded": 529, "rate_limit": 429, "insufficient_quota": 429, "server_error": 500,
    "not_found": 404, "authentication": 401, "api_key": 401, "apikey": 401, "permission": 403,
    "invalid": 400, "badrequest": 400, "bad_request": 400, "context": 400,
}  # fmt: skip
"""Words of an error's type or code."""
_PHRASES = {
    "overloaded": 529, "rate limit": 429, "unexpected endpoint": 404, "not found": 404,
    "not loaded": 404, "does not exist": 404, "context length": 400, "context size": 400,
}  # fmt: skip
"""Words of its message."""


def error_message(reply: dict[str, Json]) -> str:
    """Return the message in an error's body: the dialects store it in different places."""
    error = reply.get("error") or reply
    try:
        message = _words(error)
    except RecursionError:  # reading it needs less of the stack than this
        return "no reason that could be read"
    metadata = error.get("metadata") if isinstance(error, dict) else None
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if raw and isinstance(raw, str):  # OpenRouter passes on its provider's words
        message = f"{message}: {raw}"
    return message


def _words(error: Json) -> str:
    if isinstance(error, dict):
        for name in ("message", "detail", "msg"):
            if found := error.get(name):
                return _placed(error, _words(found)) if name == "msg" else _words(found)
    if isinstance(error, list) and error and all(_is_told(one) for one in error):
        return "; ".join(_words(one) for one in error)
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)


def _is_told(error: Json) -> bool:
    return isinstance(error, dict) and any(error.get(name) for name in ("msg", "message"))


def _placed(error: dict[str, Json], message: str) -> str:
    """Return the message of a form that is not valid, with the field that it is about."""
    place = error.get("loc")
    if not isinstance(place, list):
        return message
    return ".".join(str(part) for part in place if part != "body") + f": {message}"


def reason_of(body: bytes) -> str:
    """Return the message in an error's body: JSON, alone or in a list (Gemini), or not."""
    try:
        return error_message(parse(body.strip().removeprefix(b"[").removesuffix(b"]")))
    except Malformed:
        return body.decode(errors="replace") or "no reason given"


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait by the Retry-After header, in either of its forms; 0 if there is
    none.

    A date is compared with the server's own clock, if the reply shows it.
    """
    milliseconds = _number(headers.get("Retry-After-Ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("Retry-After", "")
    seconds = _number(value)
    if seconds is not None:
        return seconds
    until = _seconds(value)
    return max(0.0, until - (_seconds(headers.get("Date", "")) or time.time())) if until else 0.0


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return max(0.0, number) if not math.isnan(number) else 0.0


def _seconds(date: str) -> float | None:
    try:
        parsed = email.utils.parsedate_tz(date)
        return float(email.utils.mktime_tz(parsed)) if parsed else None
    except (ValueError, OverflowError):  # a date beyond the calendar
        return None


def retry_in(reason: str) -> float:
    """Return the seconds to wait by the words of a refusal (Gemini has no header for it); 0 if it
    names none.
    """
    found = re.search(r"retry in (\d{1,9}(?:\.\d{1,9})?)s", reason, re.I)
    return float(found[1]) if found else 0.0


def _is_final(reason: str) -> bool:
    """True if a 429 says that money or a quota is used up, so that waiting cannot help."""
    if retry_in(reason):
        return False
    reason = reason.lower()
    return any(word in reason for word in ("insufficient_quota", "exceeded your current quota"))


def reached(problem: aiohttp.ClientError | OSError) -> str:
    """Return the reason why a server was not reached, without the HTTP client's own words."""
    if isinstance(problem, aiohttp.ClientConnectorError):
        why = problem.os_error.strerror or str(problem.os_error)
        return f"{problem.host}:{problem.port}: {why}"
    return str(problem)


@dataclass(slots=True)
class Failure:
    """An attempt that yielded nothing."""

    kind: type[ModelError]
    message: str
    spent: Spent = Spent()
    """Tokens spent on all its samples together."""
    after: float = 0.0  # seconds that the server asks to wait
    change: Change | None = None
    """A change after which it may be accepted."""


def refused(
    endpoint: Endpoint, key: str, status: int, reason: str, headers: Mapping[str, str]
) -> Failure:
    """Return the failure that a server's refusal is."""
    kind: type[ModelError] = RequestRefused
    if status == 429 and not _is_final(reason):
        kind = RateLimited
    elif status >= 500:
        kind = ServerFault
    elif status < 400:
        reason = "it redirects elsewhere, which is not followed; base_url must be the final one"
    elif status == 404 and not re.search(r"/v\d\w*/*$", endpoint.base_url):
        reason = f"{reason} (most servers want a base_url that ends in /v1)"
    message = clean(f"endpoint {endpoint.name!r} answered {status}: {reason}", key)
    return Failure(kind, message, after=retry_after(headers) or retry_in(reason))


def lost(failure: Failure, request: Request, callers: list[Caller]) -> Outcomes:
    """Return the error of each caller; the cost is divided among them."""
    outcomes: Outcomes = []
    prompt = failure.spent.prompt
    parts = share(failure.spent.completion, [1] * len(callers), request.max_tokens)
    for caller, tokens in zip(callers, parts, strict=True):
        error = failure.kind(
            failure.message,
            prompt_tokens=prompt,
            completion_tokens=tokens,
        )
        if isinstance(error, RateLimited):
            error.after = failure.after
        outcomes.append((caller, error))
        prompt = 0
    return outcomes
