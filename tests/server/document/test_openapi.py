"""The document that a server publishes says what the server does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from schemathesis.core.failures import FailureGroup
from starlette.routing import Route

from ponder.server.app import application
from ponder.server.chat.body import ChatBody
from ponder.server.document.openapi import document
from ponder.server.document.operations import EVENTS, JSON, OPERATIONS
from ponder.server.keys import Key
from ponder.server.settings import Settings
from tests.support.lived import lived_in
from tests.support.published import conform, promised
from tests.support.serving import USER, answering, scripted, serving


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
        paths = document(routes, ["one"], keyed=keyed)["paths"]
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


async def test_bodies_name_the_models_that_there_are_and_have_examples() -> None:
    async with serving(answering("no")) as server:
        said = (await server.http.get("/openapi.json")).json()
        listed = [one["id"] for one in (await server.http.get("/v1/models")).json()["data"]]
    forms = said["components"]["schemas"]
    for name in ("ChatBody", "MessagesBody", "CountBody", "ResponseBody"):
        assert forms[name]["properties"]["model"]["enum"] == listed
    assert forms["DecisionBody"]["properties"]["model"]["enum"] == ["scripted"]
    for path, method in ((p, m) for m, p in methods(said)):
        if body := said["paths"][path][method.lower()].get("requestBody"):
            assert body["content"]["application/json"]["examples"], path


async def test_a_link_leads_to_an_operation_that_has_its_parameters() -> None:
    async with serving(answering("no")) as server:
        said = (await server.http.get("/openapi.json")).json()
    operations = [one for methods in said["paths"].values() for one in methods.values()]
    by_id = {one["operationId"]: one for one in operations}
    assert len(by_id) == len(operations)
    links = [
        link
        for operation in operations
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    for link in links:
        there = by_id[link["operationId"]]["parameters"]
        assert link["parameters"].keys() == {p["name"] for p in there if p["in"] == "path"}
    assert len(links) == 9


async def test_the_server_does_as_its_document_says(tmp_path: Path) -> None:
    """Every good answer that the document speaks of was had, and its form is the published one."""
    async with lived_in(tmp_path / "journal.sqlite") as lived:
        said = (await lived.server.http.get("/openapi.json")).json()
        asked = await asyncio.to_thread(
            conform, said, lived.server.url, 4, lived.places, lived.good
        )
    assert asked.good.keys() == promised(said)
    assert asked.count >= 4 * len(methods(said))


async def test_a_whole_number_may_have_a_point_as_the_forms_say() -> None:
    async with serving(answering("no")) as server:
        asked: dict[str, Any] = {"model": "scripted", "messages": USER}
        assert (await server.post(**asked, max_tokens=50.0, seed=7.0)).status_code == 200
        said = await server.post(**asked, max_tokens=50.5)
        assert (said.status_code, said.json()["error"]["param"]) == (400, "max_tokens")


@pytest.mark.parametrize(
    ("path", "where", "wrong"),
    [
        ("/healthz", ("responses", "200", "content", JSON, "schema"), {"required": ["no"]}),
        ("/v1/chat/completions", ("responses",), {"201": {"description": "another status"}}),
        (
            "/v1/chat/completions",
            ("responses", "200", "content", EVENTS, "schema", "properties"),
            {"data": {"contentSchema": {"required": ["no"]}}},
        ),
    ],
)
async def test_a_document_that_says_something_else_is_found(
    path: str, where: tuple[str, ...], wrong: dict[str, Any]
) -> None:
    async with serving(scripted(lambda request: "so \\boxed{25}")) as server:
        said = (await server.http.get("/openapi.json")).json()
        said["paths"] = {path: said["paths"][path]}
        for found in said["paths"][path].values():
            for name in where[:-1]:
                found = found[name]
            found[where[-1]] = wrong
        with pytest.raises((AssertionError, ValidationError, FailureGroup)):
            await asyncio.to_thread(conform, said, server.url, 1, {}, {})
