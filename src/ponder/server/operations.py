"""The table of operations: of each route, what the published document says of it.

A route that stands in no table entry is published without a description; a test refuses that. One
whose entry is None is left out: its form is another standard's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from ponder.server.chat_body import ChatBody
from ponder.server.decisions import DecisionBody

RUN = (429, 502, 503)
"""Statuses of operations that start a run: the queue is full, the model failed, the deadline."""
ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string", "description": "One sentence."},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "The field at fault."},
                "code": {"type": ["string", "null"]},
                "ponder": {"type": "object", "description": "The run, and what it has cost."},
            },
        }
    },
}
"""The body of an error."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    summary: str
    """One line."""
    body: type[BaseModel] | None = None
    """The form of its body, checked by the same class."""
    members: tuple[str, ...] = ()
    """Members that every response of 200 has."""
    streams: bool = False
    """True if the body may ask for a stream of server-sent events."""
    fails: tuple[int, ...] = ()
    """Statuses of errors besides those that each operation can have."""
    guarded: bool = True
    """True if it needs an API key where the server has any."""
    query: tuple[str, ...] = ()
    """Parameters of its query, all texts that may be left out."""
    error: Mapping[str, Any] = field(default_factory=lambda: ERROR)
    """The form of its errors."""


OPERATIONS: Mapping[tuple[str, str], Operation | None] = {
    ("GET", "/healthz"): Operation("The server runs.", members=("status",), guarded=False),
    ("GET", "/readyz"): Operation("The server is ready.", members=("status",), guarded=False),
    ("GET", "/openapi.json"): Operation(
        "This document.", members=("openapi", "info", "paths"), guarded=False
    ),
    ("GET", "/v1/models"): Operation(
        "The models, each also with every effort.", members=("object", "data")
    ),
    ("GET", "/v1/models/{name}"): Operation(
        "One model.", members=("id", "object", "created", "owned_by"), fails=(404,)
    ),
    ("POST", "/v1/chat/completions"): Operation(
        "Answer a chat.",
        ChatBody,
        ("id", "object", "created", "model", "choices", "usage", "ponder"),
        streams=True,
        fails=(404, *RUN),
    ),
    ("POST", "/v1/decisions"): Operation(
        "Choose between a few answers about a text, after one look.",
        DecisionBody,
        ("id", "object", "created", "model", "choice", "probabilities", "abstained", "usage"),
        fails=(404, *RUN),
    ),
    **dict.fromkeys((("GET", "/mcp"), ("POST", "/mcp"), ("DELETE", "/mcp"))),
}
"""Each operation by its method and its path, as in the document."""
