"""``GET /openapi.json``: the document of the API, made of the routes and of the forms of bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ponder._version import __version__
from ponder.server.asking.served import listed
from ponder.server.document.operations import EVENTS, JSON, OPERATIONS, TEXT, WORD, Operation
from ponder.server.document.replies import REPLIES, ref
from ponder.server.telling.conducted import House

SCHEMAS = "#/components/schemas/{model}"
MEANINGS = {
    400: "A field is not valid, or the model cannot do it; nothing was spent.",
    401: "There is no API key, or it is not one of this server's.",
    403: "A page of another place asks, and the server has no API keys.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    409: "Another process of the server answers this request, or a run of it is in progress.",
    413: "The body is too large.",
    415: "The body is not application/json, or is compressed.",
    422: "The Idempotency-Key came with another request before.",
    429: "The queue is full, the key has used its budget or its rate up, or the model's endpoint "
    "limits its requests.",
    502: "The model failed, or no sample gave an answer.",
    503: "The deadline passed before the run could begin.",
    529: "The deadline passed before the run could begin.",
}
CHUNK = "CompletionChunk"
"""The form of the events of Chat Completions."""
ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A request that is sent again with it gets the reply of the first one.",
    "schema": {"type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$", "maxLength": 255},
}
_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")


async def answer(request: Request) -> Response:
    """Return the document of this server."""
    house: House = request.app.state.house
    keyed = bool(house.settings.keys)
    return JSONResponse(document(request.app.routes, house.served.names, keyed=keyed))


def document(routes: Iterable[BaseRoute], models: Sequence[str], *, keyed: bool) -> dict[str, Any]:
    """Return the OpenAPI document of routes; ``models`` can be asked there; ``keyed``: they need
    an API key.
    """
    described = [*_described(routes)]
    forms = {operation.body for _, _, operation in described if operation.body is not None}
    ordered = sorted(forms, key=lambda form: form.__name__)
    refs, schemas = models_json_schema(
        [(form, "validation") for form in ordered], ref_template=SCHEMAS
    )
    bodies = {form: refs[form, "validation"] for form in ordered}
    parts: dict[str, Any] = {**schemas.get("$defs", {}), **REPLIES}
    for _, _, operation in described:
        if operation.body is not None and "model" in operation.body.model_fields:
            name = bodies[operation.body]["$ref"].rpartition("/")[2]
            parts[name]["properties"]["model"]["enum"] = _names(models, operation)
    paths: dict[str, dict[str, Any]] = {}
    for method, path, operation in described:
        shown = _operation(path, operation, bodies, models, keyed=keyed and operation.guarded)
        shown = {"operationId": _id(method, path), **shown}
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
            "schemas": parts,
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


def _names(models: Sequence[str], operation: Operation) -> list[str]:
    """Return the names that a request may give as its model."""
    return listed(models) if operation.efforts else [*models]


def _id(method: str, path: str) -> str:
    return re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")


def _operation(
    path: str,
    operation: Operation,
    bodies: Mapping[type[BaseModel], Any],
    models: Sequence[str],
    *,
    keyed: bool,
) -> dict[str, Any]:
    shown: dict[str, Any] = {"summary": operation.summary}
    named = [
        {"name": name, "in": "path", "required": True, "schema": WORD}
        for name in _PARAMETER.findall(path)
    ]
    named += [
        {"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()
    ]
    named += [{"name": name, "in": "header", "schema": WORD} for name in operation.headers]
    if operation.once:
        named.append(ONCE)
    if named:
        shown["parameters"] = named
    if operation.body is not None:
        content: dict[str, Any] = {"schema": bodies[operation.body]}
        own = {"model": models[0]} if models and "model" in operation.body.model_fields else {}
        content["examples"] = {
            name: {"value": {**own, **example}} for name, example in operation.examples.items()
        }
        shown["requestBody"] = {"required": True, "content": {JSON: content}}
    shown["responses"] = _responses(operation, keyed=keyed)
    if keyed:
        shown["security"] = [{"bearer": []}, {"key": []}]
    return shown


def _responses(operation: Operation, *, keyed: bool) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.reply:
        content[JSON] = {"schema": ref(operation.reply)}
    if operation.event:
        content[EVENTS] = {"schema": _event(operation.event)}
    if operation.kind == TEXT:
        content[TEXT] = {"schema": WORD}
    usual = [400, 408, 413, 415] if operation.body is not None else [400]
    if operation.once:
        usual += [409, 422]
    if operation.guarded:
        usual.append(401 if keyed else 403)
    good: dict[str, Any] = {"description": operation.summary, "content": content}
    if operation.links:
        good["links"] = {
            name: {"operationId": _id(link.method, link.path), "parameters": link.parameters}
            for name, link in operation.links.items()
        }
    found: dict[str, Any] = {str(operation.status): good}
    if operation.empty:
        found["204"] = {"description": operation.empty}
    for status in sorted({*usual, *operation.fails}):
        error = {JSON: {"schema": ref(operation.error)}}
        meaning = operation.meanings.get(status, MEANINGS[status])
        found[str(status)] = {"description": meaning, "content": error}
    return found


def _event(form: str) -> dict[str, Any]:
    """Return the form of one server-sent event. Its data are JSON, but for the last ones of a
    stream of Chat Completions.
    """
    text = {"type": "string"}
    data: dict[str, Any] = {**text, "contentMediaType": JSON, "contentSchema": ref(form)}
    if form == CHUNK:
        data = {"anyOf": [{"const": "[DONE]"}, data]}
    return {
        "type": "object",
        "description": "Each event.",
        "required": ["data"],
        "properties": {"data": data, "event": text, "id": text},
    }
