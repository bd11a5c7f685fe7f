"""The table of operations: of each route, what the published document says of it.

A route that stands in no table entry is published without a description; a test refuses that. One
whose entry is None is left out: its form is another standard's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from ponder.server.chat.body import ChatBody
from ponder.server.decisions import DecisionBody
from ponder.server.document import examples
from ponder.server.document.examples import Example
from ponder.server.document.replies import Schema
from ponder.server.messages.body import CountBody, MessagesBody
from ponder.server.responses import listing
from ponder.server.responses.body import INCLUDABLE, ResponseBody
from ponder.server.runs.listing import MOST
from ponder.server.runs.reviews import Judged
from ponder.server.runs.shown import STATES
from ponder.server.runs.steering import Steer

JSON, EVENTS, TEXT = "application/json", "text/event-stream", "text/plain"
RUN = (429, 502, 503)
"""Statuses of operations that start a run: the queue is full, the model failed, the deadline."""
WORD: Schema = {"type": "string"}
_FLAG: Schema = {"enum": ["true", "false"]}


def _number(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


@dataclass(frozen=True, slots=True)
class Link:
    """The way from a response to another operation."""

    method: str
    path: str
    parameters: Mapping[str, str]
    """Expressions for the values of its parameters."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    summary: str
    """One line."""
    body: type[BaseModel] | None = None
    """The form of its body, checked by the same class."""
    reply: str = ""
    """The form of a good response, by its name among ``REPLIES``; '' if it is no JSON."""
    examples: Mapping[str, Example] = field(default_factory=dict)
    """Examples of its body, without the model."""
    status: int = 200
    """The status of a good response."""
    kind: str = JSON
    """The type of its content."""
    event: str = ""
    """The form of the events, likewise, if the request may ask for a stream; '' if it may not."""
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
    query: Mapping[str, Schema] = field(default_factory=dict)
    """Parameters of its query, which may all be left out."""
    headers: tuple[str, ...] = ()
    """Headers of its own, likewise, with texts."""
    error: str = "Error"
    """The form of its errors, by its name among ``REPLIES``."""
    efforts: bool = True
    """True if the model that its body names may be named with an effort."""
    links: Mapping[str, Link] = field(default_factory=dict)
    """Operations that go on from a good response."""


_UNKNOWN = {404: "There is no such run of this API key, or the server records none."}
_VERSION = ("anthropic-version",)
"""The header by which clients of the Messages API are known where there is one path for two."""
_RUN = {"run": Link("GET", "/v1/runs/{run}", {"run": "$response.body#/ponder/run"})}
_MADE = {"name": "$response.body#/id"}

OPERATIONS: Mapping[tuple[str, str], Operation | None] = {
    ("GET", "/healthz"): Operation("The server runs.", reply="Health", guarded=False),
    ("GET", "/readyz"): Operation(
        "The server is ready.",
        reply="Health",
        guarded=False,
        fails=(503,),
        meanings={503: "The server ends."},
        error="NotReady",
    ),
    ("GET", "/metrics"): Operation("Figures for Prometheus.", kind=TEXT),
    ("GET", "/openapi.json"): Operation("This document.", reply="Document", guarded=False),
    ("GET", "/v1/models"): Operation(
        "The models, each also with every effort.",
        reply="Models",
        query={"limit": _number(1, 1000), "after_id": WORD, "before_id": WORD},
        headers=_VERSION,
        error="AnyError",
    ),
    ("GET", "/v1/models/{name}"): Operation(
        "One model.", reply="Model", fails=(404,), headers=_VERSION, error="AnyError"
    ),
    ("POST", "/v1/chat/completions"): Operation(
        "Answer a chat.",
        ChatBody,
        "Completion",
        examples.CHAT,
        event="CompletionChunk",
        once=True,
        fails=(404, *RUN),
        links=_RUN,
    ),
    ("POST", "/v1/messages"): Operation(
        "Answer a chat of the Messages API.",
        MessagesBody,
        "Message",
        examples.MESSAGES,
        event="MessageEvent",
        once=True,
        fails=(404, 429, 502, 529),
        error="MessagesError",
        links=_RUN,
    ),
    ("POST", "/v1/messages/count_tokens"): Operation(
        "Count the tokens of a chat, as far as the model can before it is asked.",
        CountBody,
        "TokenCount",
        examples.COUNTED,
        fails=(404, 502),
        meanings={502: "The model cannot be opened."},
        error="MessagesError",
    ),
    ("POST", "/v1/responses"): Operation(
        "Make a response.",
        ResponseBody,
        "Response",
        examples.RESPONSES,
        event="ResponseEvent",
        once=True,
        fails=(404, *RUN),
        links={
            "retrieve": Link("GET", "/v1/responses/{name}", _MADE),
            "items": Link("GET", "/v1/responses/{name}/input_items", _MADE),
            "delete": Link("DELETE", "/v1/responses/{name}", _MADE),
            "cancel": Link("POST", "/v1/responses/{name}/cancel", _MADE),
        },
    ),
    ("GET", "/v1/responses/{name}"): Operation(
        "A stored response, or its stream from any of its events on.",
        reply="Response",
        event="ResponseEvent",
        fails=(404,),
        query={
            "stream": _FLAG,
            "starting_after": _number(0, 10**9 - 1),
            "include": {"enum": sorted(INCLUDABLE)},
            "include_obfuscation": {"const": "false"},
        },
    ),
    ("GET", "/v1/responses/{name}/input_items"): Operation(
        "The items that a response goes on from, newest first.",
        reply="Items",
        fails=(404,),
        query={
            "limit": _number(1, listing.MOST),
            "order": {"enum": [*listing.ORDERS]},
            "after": WORD,
            "include": {"enum": sorted(INCLUDABLE)},
        },
    ),
    ("DELETE", "/v1/responses/{name}"): Operation(
        "Delete a response; one in progress is cancelled.", reply="Deleted", fails=(404,)
    ),
    ("POST", "/v1/responses/{name}/cancel"): Operation(
        "Cancel a response in the background.",
        reply="Response",
        fails=(404, 409),
        meanings={409: "Another process of the server works on it."},
    ),
    ("GET", "/v1/runs"): Operation(
        "The runs of an API key, newest first.",
        reply="Runs",
        fails=(404,),
        meanings={404: "The server records no runs."},
        query={"limit": _number(1, MOST), "after": WORD, "state": {"enum": [*STATES]}},
        links={"last": Link("GET", "/v1/runs/{run}", {"run": "$response.body#/last_id"})},
    ),
    ("GET", "/v1/runs/{run}"): Operation(
        "One run, with its candidates and its tree.",
        reply="WholeRun",
        fails=(404,),
        meanings=_UNKNOWN,
    ),
    ("DELETE", "/v1/runs/{run}"): Operation(
        "End a run, with its best answer so far. One that has ended stays as it is.",
        reply="Run",
        fails=(404, 409),
        meanings={**_UNKNOWN, 409: "The run is in progress in another process."},
    ),
    ("GET", "/v1/runs/{run}/events"): Operation(
        "What a run does, from its start or from the id of an event.",
        kind=EVENTS,
        event="RunEvent",
        empty="The reader has had all events.",
        fails=(404,),
        meanings=_UNKNOWN,
        query={"after": WORD},
        headers=("last-event-id",),
    ),
    ("POST", "/v1/runs/{run}/resume"): Operation(
        "Go on with a run that was cut off, interrupted, or has lost samples.",
        reply="Run",
        status=202,
        fails=(404, 409, *RUN),
        meanings={**_UNKNOWN, 409: "The run is done, or in progress."},
    ),
    ("POST", "/v1/runs/{run}/steer"): Operation(
        "Leave an action for a run in progress.",
        Steer,
        "Action",
        examples.ACTIONS,
        status=202,
        fails=(404, 409),
        meanings={**_UNKNOWN, 409: "The run has ended."},
        links={
            "state": Link(
                "GET",
                "/v1/runs/{run}/actions/{number}",
                {"run": "$request.path.run", "number": "$response.body#/id"},
            )
        },
    ),
    ("GET", "/v1/runs/{run}/actions/{number}"): Operation(
        "The state of an action: pending, applied, or failed with a code.",
        reply="Action",
        fails=(404,),
        meanings={404: "There is no such run of this API key, or no such action."},
    ),
    ("GET", "/v1/reviews"): Operation(
        "What runs in progress wait for a person to judge.",
        reply="Reviews",
        links={"judge": Link("POST", "/v1/reviews/{item}", {"item": "$response.body#/data/0/id"})},
    ),
    ("POST", "/v1/reviews/{item}"): Operation(
        "Judge the candidates of a run in progress.",
        Judged,
        "Judgement",
        examples.JUDGEMENTS,
        status=201,
        fails=(404, 409),
        meanings={409: "Somebody else has judged it meanwhile."},
    ),
    ("POST", "/v1/decisions"): Operation(
        "Choose between a few answers about a text, after one look.",
        DecisionBody,
        "Decision",
        examples.DECISIONS,
        fails=(404, *RUN),
        efforts=False,
    ),
    **dict.fromkeys((("GET", "/mcp"), ("POST", "/mcp"), ("DELETE", "/mcp"))),
}
"""Each operation by its method and its path, as in the document."""
