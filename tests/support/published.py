"""Requests that a server's own document describes, and answers as it says: schemathesis."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.core.result import Ok
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
"""``not_a_server_error`` is left to the first: a failing model is a status that is declared."""
EVENTS, DONE = "text/event-stream", "[DONE]"

Answer = tuple[str, str, str, str]
"""A good answer: method, path, status, and type of its content ('' if it has none)."""


@dataclass
class Asked:
    """What was asked, and answered as published."""

    count: int = 0
    """Number of requests."""
    good: dict[Answer, int] = field(default_factory=dict)
    """Number of good answers of each sort."""


def promised(document: Mapping[str, Any]) -> set[Answer]:
    """All sorts of good answers that a document speaks of."""
    return {
        (method.upper(), path, status, kind)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for status, response in operation["responses"].items()
        if status < "300"
        for kind in response.get("content", {"": None})
    }


def conform(
    document: Mapping[str, Any],
    url: str,
    examples: int,
    places: Mapping[str, Sequence[str]],
    good: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
) -> Asked:
    """Ask every operation: first what ``good`` says by method and path, with each example of a
    body, which must be answered well; then data that fits and data that does not.

    ``places`` are values of parameters of paths for which there is something.

    Raises:
        AssertionError: an answer is not as the document says.
    """
    asked = Asked()
    schema = schemathesis.openapi.from_dict(dict(document))
    operations = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operations.append(found.ok())

    def ask(case: Any) -> Any:
        asked.count += 1
        said = case.call(base_url=url, timeout=60)
        case.validate_response(said, checks=CHECKS)
        if said.status_code < 300:
            kind = said.headers.get("content-type", [""])[0].partition(";")[0]
            if kind == EVENTS:
                _check_events(document, case.method, case.operation.path, said.content.decode())
            sort = (case.method, case.operation.path, str(said.status_code), kind)
            asked.good[sort] = asked.good.get(sort, 0) + 1
        return said

    for operation in operations:
        method, path = operation.method.upper(), operation.path
        askings = good.get((method, path), [{}])
        bodies = _examples(document, method, path)
        for at in range(max(len(askings), len(bodies))):
            asking = dict(askings[at % len(askings)])
            if bodies:
                asking |= {"body": bodies[at % len(bodies)], "media_type": "application/json"}
            said = ask(operation.Case(**asking))
            assert said.status_code < 300, (method, path, said.status_code, said.content)
    for operation in operations:
        method, path = operation.method.upper(), operation.path
        _generate(operation, ask, examples, places, _examples(document, method, path))
    return asked


def _generate(
    operation: Any,
    ask: Any,
    examples: int,
    places: Mapping[str, Sequence[str]],
    bodies: Sequence[Mapping[str, Any]],
) -> None:
    names_of_requests = itertools.count()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        if mode.is_negative and not operation.body:
            continue

        fits, names = mode.is_positive, [one.name for one in operation.path_parameters]
        there = {name: st.sampled_from(places[name]) for name in names if name in places}
        placed: st.SearchStrategy[dict[str, str]] = (
            st.just({}) | st.fixed_dictionaries(there) if fits and there else st.just({})
        )
        # What fits a form may still contradict itself; an example with more members seldom does.
        based = st.sampled_from([{}, *bodies]) if fits else st.just({})

        @given(case=operation.as_strategy(generation_mode=mode), place=placed, base=based)
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
        )
        def one(case: Any, place: dict[str, str], base: Mapping[str, Any]) -> None:
            if place:
                case.path_parameters = {**case.path_parameters, **place}
            if base:
                case.body = {**case.body, **base}
            if "Idempotency-Key" in case.headers:
                case.headers["Idempotency-Key"] = str(next(names_of_requests))
            ask(case)

        one()


def _examples(document: Mapping[str, Any], method: str, path: str) -> list[Mapping[str, Any]]:
    body = document["paths"][path][method.lower()].get("requestBody")
    found = body["content"]["application/json"]["examples"] if body else {}
    return [example["value"] for example in found.values()]


def _check_events(document: Mapping[str, Any], method: str, path: str, text: str) -> None:
    """Check the data of each event against the form that the document has for them."""
    responses = document["paths"][path][method.lower()]["responses"]
    [event] = [
        response["content"][EVENTS]["schema"]
        for status, response in responses.items()
        if status < "300" and EVENTS in response.get("content", {})
    ]
    data = event["properties"]["data"]
    [of_json] = [one for one in data.get("anyOf", [data]) if "const" not in one]
    form = {**of_json["contentSchema"], "components": document["components"]}
    validator = Draft202012Validator(form)
    for data in _data(text):
        if data != DONE:
            validator.validate(json.loads(data))


def _data(text: str) -> Iterator[str]:
    found = re.findall("^data: (.*)$", text, re.M)
    assert found, text
    yield from found
