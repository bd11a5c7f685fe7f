"""Malformed requests to a server: each seed gives one, the same on every machine.

A request begins as one that fits the server's own document (or the protocol of ``/mcp``), and is
then spoilt in one or several ways: values of wrong types, unknown, missing and doubled members,
nesting, numbers and texts without end, wrong encodings, truncated and misdeclared bodies, headers
that are huge or not theirs. Answers must be sound: in time, no server error that the document does
not declare, nothing of the inside told.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h11

from tests.support.lived import lived_in
from tests.support.spoiling import HEADERS, METHODS, PATHS, TEXTS, VALUES

SECONDS = 60.0
"""Most that an answer may take: far beyond any, so that only what hangs is found."""
LARGE = 200_000
"""Most bytes of a body here."""
INSIDE = (b"Traceback (most recent", b'File "', b"site-packages", b"ponder/server/", b'.py", line')
"""Marks of an answer that tells of the inside."""
WORDS = ("self_consistency", "best_of_n", "beam_search", "mean_logprob", "low", "7", "x" * 300)
PREFIX, VERSION = "io.modelcontextprotocol", "2026-07-28"
NAMED = {"name": "test", "version": "1"}
QUESTION = "How many is six times seven?"
USUAL: Mapping[str, Any] = {
    "model": "scripted",
    "messages": [{"role": "user", "content": QUESTION}],
    "question": QUESTION,
    "input": QUESTION,
    "max_tokens": 50,
    "choices": ["yes", "no"],
}
"""Values of members that get a request past its first check."""


@dataclass(frozen=True, slots=True)
class Raw:
    """One request, as it goes over the wire."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    declared: int | None = None
    """The length that its header says, if it is not the body's."""
    spoilt: tuple[str, ...] = ()
    """The ways in which it was spoilt."""
    place: str = ""
    """The path as the document writes it, if it is not the same."""

    def wire(self) -> bytes:
        """The bytes to send."""
        length = len(self.body) if self.declared is None else self.declared
        usual = {
            "host": "127.0.0.1",
            "connection": "close",
            "content-type": "application/json",
            "content-length": str(length),
        }
        lines = [f"{name}: {value}" for name, value in {**usual, **self.headers}.items() if value]
        head = "\r\n".join([f"{self.method} {self.path} HTTP/1.1", *lines])
        return head.encode("utf-8", "surrogatepass") + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is not sound."""

    seed: int
    what: str
    asked: Raw


# What fits ----------------------------------------------------------------------------------------


def fitting(schema: Mapping[str, Any], parts: Mapping[str, Any], rng: random.Random) -> Any:
    """A value that fits a schema of the document, more or less."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return fitting(parts[name], parts, rng)
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return fitting(rng.choice(schema[union]), parts, rng)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            return _object(schema, parts, rng)
        case "array":
            few = range(schema.get("minItems", 0), 3)
            return [fitting(schema.get("items", {}), parts, rng) for _ in range(rng.choice(few))]
        case "integer":
            return rng.choice((1, 2, 5))
        case "number":
            return rng.choice((0.5, 1, 1.0))
        case "null":
            return None
        case "boolean":
            return rng.random() < 0.3
        case "string":
            return rng.choice(WORDS)
    return rng.choice((None, 1, "x"))


def _object(schema: Mapping[str, Any], parts: Mapping[str, Any], rng: random.Random) -> Any:
    known, needed = schema.get("properties", {}), schema.get("required", ())
    made = {
        name: deepcopy(USUAL[name]) if name in USUAL else fitting(one, parts, rng)
        for name, one in known.items()
        if name in needed or rng.random() < 0.12
    }
    if rng.random() < 0.2 and isinstance(more := schema.get("additionalProperties"), dict):
        made[rng.choice(WORDS)] = fitting(more, parts, rng)
    return made


def _protocol(rng: random.Random) -> tuple[Any, Mapping[str, str]]:
    """A message of the Model Context Protocol, and its headers."""
    accepted = {"accept": "application/json, text/event-stream"}
    tool = rng.choice(("solve", "score", "decide"))
    more = {"candidates": ["7"], "verifier": "arithmetic"} if tool == "score" else {}
    arguments = {"question": QUESTION, "budget": {"tokens": 500}, **more}
    if rng.random() < 0.3:
        starting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": NAMED}
        return _message("initialize", starting), accepted
    about = {f"{PREFIX}/protocolVersion": VERSION, f"{PREFIX}/clientInfo": NAMED}
    meta = {**about, f"{PREFIX}/clientCapabilities": {}, "progressToken": 1}
    method = rng.choice(("tools/call", "tools/call", "tools/list"))
    headers = {**accepted, "mcp-protocol-version": VERSION, "mcp-method": method}
    if method == "tools/list":
        return _message(method, {"_meta": meta}), headers
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return _message(method, params), {**headers, "mcp-name": tool}


def _message(method: str, params: Any) -> Any:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def malformed(
    document: Mapping[str, Any], seed: int, there: Mapping[str, Sequence[str]] | None = None
) -> Raw:
    """The request of a seed, to the server that published the document. ``there`` are values of
    parameters of paths for which there is something.
    """
    rng = random.Random(seed)
    parts = document["components"]["schemas"]
    known = [(path, method) for path, one in document["paths"].items() for method in one]
    posts = [(path, method) for path, method in known if method == "post"]
    path, method = rng.choice([*known, *[*posts, ("/mcp", "post")] * 4])
    body: Any = None
    headers: Mapping[str, str] = {}
    if path == "/mcp":
        body, headers = deepcopy(_protocol(rng))
    elif form := document["paths"][path][method].get("requestBody"):
        body = fitting(form["content"]["application/json"]["schema"], parts, rng)
    ways: list[str] = []
    if body is not None:
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            ways.append(way := rng.choice([*VALUES]))
            body = VALUES[way](body, rng)
    text = json.dumps(body, ensure_ascii=rng.random() < 0.8)
    sent = b"" if body is None else text.encode("utf-8", "surrogatepass")

    def value(found: re.Match[str]) -> str:
        # The events of a run that waits for a person have no end.
        name = "ended" if path.endswith("/events") else found[1]
        return rng.choice(("scripted", *(there or {}).get(name, ())))

    made = Raw(method.upper(), re.sub(r"{(\w+)}", value, path), sent, headers, place=path)
    if body is not None and rng.random() < (0.2 if ways else 0.8):
        ways.append(way := rng.choice([*TEXTS]))
        made = replace(made, body=TEXTS[way](sent.decode("utf-8", "replace"), rng))
    if rng.random() < 0.15:
        ways.append("header")
        made = replace(made, headers={**made.headers, **rng.choice(HEADERS)})
    if rng.random() < 0.05:
        ways.append("method")
        made = replace(made, method=rng.choice(METHODS))
    if rng.random() < 0.08:
        ways.append("path")
        made = replace(made, path=f"{made.path}/{rng.choice(PATHS)}", place="")
    if rng.random() < 0.03:
        ways.append("length")
        made = replace(made, declared=len(made.body) + rng.choice((-1, 1, 10)))
    return replace(made, spoilt=tuple(ways))


# Its answer ---------------------------------------------------------------------------------------


async def answer(port: int, asked: Raw) -> bytes:
    """Send a request; return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
    try:
        writer.write(asked.wire())
        if "length" in asked.spoilt or "content-length" in asked.headers:
            writer.write_eof()
        return await reader.read()
    except (ConnectionResetError, BrokenPipeError):  # refused before all of it was read
        return b""
    finally:
        writer.close()


async def tried(seeds: Iterable[int], journal: Path) -> list[Fault]:
    """The faults of a server that is asked the requests of the seeds."""
    found: list[Fault] = []
    logged = _Logged()
    logging.getLogger().addHandler(logged)
    try:
        async with lived_in(journal, body=LARGE) as lived:
            document = (await lived.server.http.get("/openapi.json")).json()
            port = int(lived.server.url.rpartition(":")[2])
            for seed in seeds:
                asked = malformed(document, seed, lived.places)
                what = await _fault(port, document, asked) or logged.taken()
                if what:
                    found.append(Fault(seed, what, asked))
    finally:
        logging.getLogger().removeHandler(logged)
    return found


class _Logged(logging.Handler):
    """The errors that a server has logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._told = ""

    def emit(self, record: logging.LogRecord) -> None:
        # The protocol's parser has refused the request already, and answered for itself.
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, h11.LocalProtocolError):
            self._told = f"logged: {record.getMessage()}: {error!r}"

    def taken(self) -> str:
        told, self._told = self._told, ""
        return told


async def _fault(port: int, document: Mapping[str, Any], asked: Raw) -> str:
    try:
        async with asyncio.timeout(SECONDS):
            return unsound(await answer(port, asked), document, asked)
    except TimeoutError:
        return "no answer"


def unsound(said: bytes, document: Mapping[str, Any], asked: Raw) -> str:
    """What is wrong with an answer; '' if it is sound."""
    if not said:
        cut = len(asked.body) > LARGE // 2 or {"length", "header", "method"} & {*asked.spoilt}
        return "" if cut else "the connection was closed without an answer"
    head, _, body = said.partition(b"\r\n\r\n")
    if leak := next((mark for mark in INSIDE if mark in said), None):
        return f"it tells of the inside: {leak!r}"
    status = int(head.split(b" ", 2)[1])
    if status < 500:
        return ""
    known = document["paths"].get(asked.place or asked.path, {}).get(asked.method.lower(), {})
    declared = str(status) in known.get("responses", {})
    return "" if declared else f"{status}: {body[:200]!r}"
