"""Failures as the OpenAI APIs report them: a status, and an object that says what was wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ponder.core.costs.cost import Cost
from ponder.core.errors import (
    BudgetTooSmall,
    CapabilityError,
    PonderError,
    RateLimited,
    RunFailed,
    UnknownName,
    UsageError,
)

INVALID = "invalid_request_error"
ONCE = {"x-should-retry": "false"}
"""Tells the official clients not to repeat a request that may have been paid for."""
LONG = 100
"""Most characters of a word of the client's that a sentence repeats."""
WAIT, LONGEST = 5.0, 3600.0
"""Seconds to wait for a model whose endpoint limits its requests and names none, and the most."""


@dataclass
class ApiError(Exception):
    """A request that is refused or has failed."""

    message: str
    """One sentence."""
    status: int = 400
    """The HTTP status."""
    kind: str = INVALID
    """The error's ``type``."""
    param: str | None = None
    """The field that is at fault, if it is one."""
    code: str | None = None
    """A word for programs."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers of the response."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """More members of the error object."""

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        told = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": {**told, **self.more}}

    def response(self) -> Response:
        """Return the response."""
        return JSONResponse(self.body(), self.status, dict(self.headers))


def classified(error: BaseException) -> ApiError:
    """Return the error in the API's terms. Of an unforeseen one nothing is told."""
    match error:
        case ApiError():
            return error
        case UnknownName(kind="model"):
            return ApiError(str(error), 404, param="model", code="model_not_found")
        case BudgetTooSmall():
            return ApiError(str(error), param="ponder.budget", code="budget_too_small")
        case CapabilityError():
            return ApiError(str(error), code="unsupported_by_model")
        case UsageError():
            return ApiError(str(error))
        case RunFailed():
            return _failed(error)
        case PonderError():
            return ApiError(str(error), 502, "server_error", code="model_failed", headers=ONCE)
    return ApiError("the server failed; its log has the reason.", 500, "server_error", headers=ONCE)


def _failed(error: RunFailed) -> ApiError:
    receipt = error.receipt.to_json() if error.receipt else None
    told = {"ponder": {"run": error.run or None, "receipt": receipt}}
    if not isinstance(error.__cause__, RateLimited):
        return ApiError(str(error), 502, "server_error", None, "run_failed", ONCE, told)
    seconds = math.ceil(min(error.__cause__.after or WAIT, LONGEST))
    headers = {"retry-after": str(seconds)}
    if error.receipt is None or error.receipt.total.cost != Cost():
        headers |= ONCE
    return ApiError(str(error), 429, "rate_limit_error", None, "run_failed", headers, told)


async def of_http(request: Request, error: Exception) -> Response:
    """Answer for an address, a method or a body that the framework refused."""
    assert isinstance(error, HTTPException)
    path = request.url.path[:LONG]
    told = {
        404: f"there is no {path}: see GET /v1/models, or POST /v1/chat/completions.",
        405: f"{request.method[:LONG]} is not a method of {path}.",
    }.get(error.status_code, str(error.detail))
    return ApiError(told, error.status_code, headers=error.headers or {}).response()


async def of_api(request: Request, error: Exception) -> Response:
    """Answer for a request that is refused or has failed."""
    return classified(error).response()
