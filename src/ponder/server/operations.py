"""The table of operations: of each route, what the published document says of it.

A route that stands in no table entry is published without a description; a test refuses that. One
whose entry is None is left out: its form is another standard's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from ponder.server.chat.body import ChatBody
from ponder.server.decisions import DecisionBody
from ponder.server.messages.body import CountBody, MessagesBody
from ponder.server.responses.body import ResponseBody
from ponder.server.runs.reviews import Judged
from ponder.server.runs.steering import Steer

JSON, EVENTS, TEXT = "application/json", "text/event-stream", "text/plain"
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
MESSAGES_ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        },
        "request_id": {"type": "string"},
        "ponder": {"type": "object", "description": "The run, and what it has cost."},
    },
}
"""The body of an error of the Messages API."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    summary: str
    """One line."""
    body: type[BaseModel] | None = None
    """The form of its body, checked by the same class."""
    members: tuple[str, ...] = ()
    """Members that every good response has."""
    status: int = 200
    """The status of a good response."""
    kind: str = JSON
    """The type of its content."""
    streams: bool = False
    """True if the request may ask for a stream of server-sent events instead."""
    empty: str = ""
    """The meaning of a response of 204, if there is one."""
    fails: tuple[int, ...] = ()
    """Statuses of errors besides those that each operation can have."""
    meanings: Mapping[int, str] = field(default_factory=dict)
    """Meanings of statuses that are others here."""
    once: bool = False
    """True if an ``Idempotency-Key`` lets clients repeat a request."""
    guarded: bool = True
    """True if it needs an API key where the server has any."""
    query: tuple[str, ...] = ()
    """Parameters of its query, all texts that may be left out."""
    headers: tuple[str, ...] = ()
    """Headers of its own, likewise."""
    error: Mapping[str, Any] = field(default_factory=lambda: ERROR)
    """The form of its errors."""


_RUN = ("id", "object", "created", "state", "model", "strategy", "question", "answer")
_ACTION = ("id", "object", "run", "state", "action")
_MESSAGE = ("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")
_RESPONSE = ("id", "object", "created_at", "status", "model", "output", "error", "usage")
_UNKNOWN = {404: "There is no such run of this API key, or the server records none."}

OPERATIONS: Mapping[tuple[str, str], Operation | None] = {
    ("GET", "/healthz"): Operation("The server runs.", members=("status",), guarded=False),
    ("GET", "/readyz"): Operation(
        "The server is ready.",
        members=("status",),
        guarded=False,
        fails=(503,),
        meanings={503: "The server ends."},
        error={"type": "object", "required": ["status"]},
    ),
    ("GET", "/metrics"): Operation("Figures for Prometheus.", kind=TEXT),
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
        once=True,
        fails=(404, *RUN),
    ),
    ("POST", "/v1/messages"): Operation(
        "Answer a chat of the Messages API.",
        MessagesBody,
        (*_MESSAGE, "ponder"),
        streams=True,
        once=True,
        fails=(404, 429, 502, 529),
        error=MESSAGES_ERROR,
    ),
    ("POST", "/v1/messages/count_tokens"): Operation(
        "Count the tokens of a chat, as far as the model can before it is asked.",
        CountBody,
        ("input_tokens", "ponder"),
        fails=(404, 502),
        meanings={502: "The model cannot be opened."},
        error=MESSAGES_ERROR,
    ),
    ("POST", "/v1/responses"): Operation(
        "Make a response.", ResponseBody, _RESPONSE, streams=True, once=True, fails=(404, *RUN)
    ),
    ("GET", "/v1/responses/{name}"): Operation(
        "A stored response, or its stream from any of its events on.",
        members=_RESPONSE,
        streams=True,
        fails=(404,),
        query=("stream", "starting_after", "include", "include_obfuscation"),
    ),
    ("DELETE", "/v1/responses/{name}"): Operation(
        "Delete a response; one in progress is cancelled.",
        members=("id", "object", "deleted"),
        fails=(404,),
    ),
    ("POST", "/v1/responses/{name}/cancel"): Operation(
        "Cancel a response in the background.",
        members=_RESPONSE,
        fails=(404, 409),
        meanings={409: "Another process of the server works on it."},
    ),
    ("GET", "/v1/runs"): Operation(
        "The runs of an API key, newest first.",
        members=("object", "data", "first_id", "last_id", "has_more"),
        fails=(404,),
        meanings={404: "The server records no runs."},
        query=("limit", "after", "state"),
    ),
    ("GET", "/v1/runs/{run}"): Operation(
        "One run, with its candidates and its tree.",
        members=(*_RUN, "messages", "knobs", "budget", "receipt", "candidates", "tree"),
        fails=(404,),
        meanings=_UNKNOWN,
    ),
    ("DELETE", "/v1/runs/{run}"): Operation(
        "End a run, with its best answer so far. One that has ended stays as it is.",
        members=_RUN,
        fails=(404, 409),
        meanings={**_UNKNOWN, 409: "The run is in progress in another process."},
    ),
    ("GET", "/v1/runs/{run}/events"): Operation(
        "What a run does, from its start or from the id of an event.",
        kind=EVENTS,
        empty="The reader has had all events.",
        fails=(404,),
        meanings=_UNKNOWN,
        query=("after",),
        headers=("last-event-id",),
    ),
    ("POST", "/v1/runs/{run}/resume"): Operation(
        "Go on with a run that was cut off, interrupted, or has lost samples.",
        members=_RUN,
        status=202,
        fails=(404, 409, *RUN),
        meanings={**_UNKNOWN, 409: "The run is done, or in progress."},
    ),
    ("POST", "/v1/runs/{run}/steer"): Operation(
        "Leave an action for a run in progress.",
        Steer,
        _ACTION,
        status=202,
        fails=(404, 409),
        meanings={**_UNKNOWN, 409: "The run has ended."},
    ),
    ("GET", "/v1/runs/{run}/actions/{number}"): Operation(
        "The state of an action: pending, applied, or failed with a code.",
        members=_ACTION,
        fails=(404,),
        meanings={404: "There is no such run of this API key, or no such action."},
    ),
    ("GET", "/v1/reviews"): Operation(
        "What runs in progress wait for a person to judge.", members=("object", "data")
    ),
    ("POST", "/v1/reviews/{item}"): Operation(
        "Judge the candidates of a run in progress.",
        Judged,
        ("id", "object", "run", "how", "scores", "comment", "by"),
        status=201,
        fails=(404, 409),
        meanings={409: "Somebody else has judged it meanwhile."},
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
