"""The document that a server publishes says what the server does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from starlette.routing import Route

from ponder.server.app import application
from ponder.server.chat.body import ChatBody
from ponder.server.keys import Key
from ponder.server.openapi import document
from ponder.server.operations import OPERATIONS
from ponder.server.settings import Settings
from tests.support.published import conform
from tests.support.serving import answering, lived_in, serving


def methods(said: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, one in said["paths"].items() for method in one}


async def test_every_route_stands_in_the_table_and_the_table_has_no_others() -> None:
    async with serving(answering("no")) as server:
        published = methods((await server.http.get("/openapi.json")).json())
        app = application(server.engine, ())
    described = {named for named, operation in OPERATIONS.items() if operation is not None}
    assert published == described
    alike = [
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    ]
    assert len(alike) == len({*alike})


async def test_the_form_of_a_body_is_the_one_that_checks_it() -> None:
    async with serving(answering("no")) as server:
        said = (await server.http.get("/openapi.json")).json()
    assert said["openapi"] == "3.1.0"
    forms = said["components"]["schemas"]
    operation = said["paths"]["/v1/chat/completions"]["post"]
    there = operation["requestBody"]["content"]["application/json"]["schema"]
    assert there == {"$ref": "#/components/schemas/ChatBody"}
    assert forms["ChatBody"]["properties"].keys() == ChatBody.model_fields.keys()
    assert forms["ChatBody"]["additionalProperties"] is False
    for name in forms:
        whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": forms}}
        Draft202012Validator.check_schema(whole)
    assert "text/event-stream" in operation["responses"]["200"]["content"]
    assert "502" in operation["responses"]


def test_keys_are_needed_where_the_server_has_any() -> None:
    async def handler(request: Any) -> Any: ...

    routes = [Route("/v1/models", handler), Route("/healthz", handler), Route("/new", handler)]
    for keyed in (True, False):
        paths = document(routes, keyed=keyed)["paths"]
        assert ("security" in paths["/v1/models"]["get"]) is keyed
        assert ("401" in paths["/v1/models"]["get"]["responses"]) is keyed
        assert ("403" in paths["/v1/models"]["get"]["responses"]) is not keyed
        assert "security" not in paths["/healthz"]["get"]
        assert paths["/new"]["get"]["summary"] == "GET /new"


async def test_it_is_published_to_those_who_have_no_key_yet() -> None:
    async with serving(answering("no"), Settings(keys=(Key("team", "0" * 64),))) as server:
        said = await server.http.get("/openapi.json")
        assert (await server.http.get("/v1/models")).status_code == 401
    assert said.status_code == 200


async def test_the_server_does_as_its_document_says(tmp_path: Path) -> None:
    async with lived_in(tmp_path / "journal.sqlite") as (server, known):
        said = (await server.http.get("/openapi.json")).json()
        asked = await asyncio.to_thread(conform, said, server.url, 4, known)
    assert asked >= len(methods(said))
