"""``GET /openapi.json``: the document of the API, made of the routes and of the forms of bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ponder._version import __version__
from ponder.server.conducted import House
from ponder.server.operations import EVENTS, JSON, OPERATIONS, TEXT, Operation

SCHEMAS = "#/components/schemas/{model}"
MEANINGS = {
    400: "A field is not valid, or the model cannot do it; nothing was spent.",
    401: "There is no API key, or it is not one of this server's.",
    403: "A page of another place asks, and the server has no API keys.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    409: "Another process of the server answers this request, or a run of it is in progress.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "The Idempotency-Key came with another request before.",
    429: "The queue is full, the key has used its budget or its rate up, or the model's endpoint "
    "limits its requests.",
    502: "The model failed, or no sample gave an answer.",
    503: "The deadline passed before the run could begin.",
    529: "The deadline passed before the run could begin.",
}
EVENT = {
    "type": "object",
    "description": "Each event.",
    "required": ["data"],
    "properties": {name: {"type": "string"} for name in ("data", "event", "id")},
}
ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A request that is sent again with it gets the reply of the first one.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")


async def answer(request: Request) -> Response:
    """Return the document of this server."""
    house: House = request.app.state.house
    return JSONResponse(document(request.app.routes, keyed=bool(house.settings.keys)))


def document(routes: Iterable[BaseRoute], *, keyed: bool) -> dict[str, Any]:
    """Return the OpenAPI document of routes; ``keyed``: they need an API key."""
    described = [*_described(routes)]
    forms = {operation.body for _, _, operation in described if operation.body is not None}
    ordered = sorted(forms, key=lambda form: form.__name__)
    refs, schemas = models_json_schema(
        [(form, "validation") for form in ordered], ref_template=SCHEMAS
    )
    bodies = {form: refs[form, "validation"] for form in ordered}
    paths: dict[str, dict[str, Any]] = {}
    for method, path, operation in described:
        shown = _operation(path, operation, bodies, keyed=keyed and operation.guarded)
        paths.setdefault(path, {})[method.lower()] = shown
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ponder",
            "version": __version__,
            "description": "Models that think, behind the APIs that programs already speak.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _described(routes: Iterable[BaseRoute]) -> Iterator[tuple[str, str, Operation]]:
    """Yield the method, the path and the description of each route that is published."""
    for route in routes:
        if not isinstance(route, Route):
            continue
        path = _PARAMETER.sub(r"{\1}", route.path)
        for method in sorted((route.methods or set()) - {"HEAD"}):
            found = OPERATIONS.get((method, path), Operation(f"{method} {path}"))
            if found is not None:
                yield method, path, found


def _operation(
    path: str, operation: Operation, bodies: Mapping[type[BaseModel], Any], *, keyed: bool
) -> dict[str, Any]:
    shown: dict[str, Any] = {"summary": operation.summary}
    named = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]
    named += [
        {"name": name, "in": "query", "schema": {"type": "string"}} for name in operation.query
    ]
    named += [
        {"name": name, "in": "header", "schema": {"type": "string"}} for name in operation.headers
    ]
    if operation.once:
        named.append(ONCE)
    if named:
        shown["parameters"] = named
    if operation.body is not None:
        content = {JSON: {"schema": bodies[operation.body]}}
        shown["requestBody"] = {"required": True, "content": content}
    shown["responses"] = _responses(operation, keyed=keyed)
    if keyed:
        shown["security"] = [{"bearer": []}, {"key": []}]
    return shown


def _responses(operation: Operation, *, keyed: bool) -> dict[str, Any]:
    forms: dict[str, Any] = {
        JSON: {"type": "object", "required": [*operation.members]},
        EVENTS: EVENT,
        TEXT: {"type": "string"},
    }
    kinds = (operation.kind, EVENTS) if operation.streams else (operation.kind,)
    content = {kind: {"schema": forms[kind]} for kind in kinds}
    usual = [400, 408, 413, 415] if operation.body is not None else [400]
    if operation.once:
        usual += [409, 422]
    if operation.guarded:
        usual.append(401 if keyed else 403)
    good = {"description": operation.summary, "content": content}
    found: dict[str, Any] = {str(operation.status): good}
    if operation.empty:
        found["204"] = {"description": operation.empty}
    for status in sorted({*usual, *operation.fails}):
        error = {JSON: {"schema": operation.error}}
        meaning = operation.meanings.get(status, MEANINGS[status])
        found[str(status)] = {"description": meaning, "content": error}
    return found
