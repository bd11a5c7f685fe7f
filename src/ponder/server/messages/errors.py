"""Failures as the Messages API reports them."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ponder.server.errors import INVALID, LONG, ApiError, classified

Answer = Callable[[Request, Exception], Awaitable[Response]]

PATH = "/v1/messages"
"""The address below which errors have this form."""
VERSION = "anthropic-version"
"""The header by which clients of this API are known at other addresses."""
OVERLOADED = 529
"""Status of a server that has no room."""
THREAD = "thread"
"""The field of a chat that the server is to keep: told by its code, clients send all of it."""
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def id_of(request: Request) -> str:
    """Return the request's ID, the same whenever it is asked for."""
    found: str = request.scope.setdefault("ponder.request_id", f"req_{secrets.token_hex(12)}")
    return found


def body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the JSON body of an error, with the ``ponder`` object of a run that has failed."""
    kind = _KINDS.get(error.status, INVALID if error.status < 500 else "api_error")
    told: dict[str, Any] = {"type": kind, "message": error.message}
    if error.param == THREAD:
        told["details"] = {"error_code": "thread_unsupported_request"}
    return {"type": "error", "error": told, "request_id": request_id, **error.more}


def in_its_form(usual: Mapping[Any, Answer]) -> dict[Any, Answer]:
    """Return the handlers of errors, each of which answers in this form to this API's clients."""

    def either(answer: Answer) -> Answer:
        async def shaped(request: Request, error: Exception) -> Response:
            if not _mine(request) or isinstance(error, ClientDisconnect):
                return await answer(request, error)
            return _response(request, error)

        return shaped

    return {kind: either(answer) for kind, answer in usual.items()}


def refused(request: Request, error: ApiError) -> Response:
    """Return the response of a refusal, in the form of the API that was asked."""
    return _response(request, error) if _mine(request) else error.response()


def _mine(request: Request) -> bool:
    path = request.url.path
    return path == PATH or path.startswith(f"{PATH}/") or VERSION in request.headers


def _response(request: Request, error: Exception) -> Response:
    found = _of_http(request, error) if isinstance(error, HTTPException) else classified(error)
    status = OVERLOADED if found.status == 503 else found.status
    headers = {**found.headers, "request-id": id_of(request)}
    return JSONResponse(body(found, id_of(request)), status, headers)


def _of_http(request: Request, error: HTTPException) -> ApiError:
    path = request.url.path[:LONG]
    told = {
        404: f"there is no {path}: see POST {PATH} and POST {PATH}/count_tokens.",
        405: f"{request.method[:LONG]} is not a method of {path}.",
    }.get(error.status_code, str(error.detail))
    return ApiError(told, error.status_code, headers=error.headers or {})
