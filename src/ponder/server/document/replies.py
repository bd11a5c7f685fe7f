"""The forms of replies, for the published document: JSON Schemas by name.

Each is open: a reply may have more members than these. What stands here is always there, except
the members of ``maybe``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from ponder.core.record.steering import KINDS
from ponder.server.responses.form import Status
from ponder.server.runs.shown import STATES

Schema = Mapping[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}


def shape(members: Mapping[str, Schema], maybe: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these members, and ``maybe`` others."""
    known = {**members, **(maybe or {})}
    return {"type": "object", "required": [*members], "properties": known}


def ref(name: str) -> Schema:
    """Return the reference to one of these schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas]}


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _one(*words: str) -> Schema:
    return {"enum": [*words]} if len(words) > 1 else {"const": words[0]}


_CANDIDATES = _list(shape({"answer": _or_null(TEXT), "votes": COUNT, "score": _or_null(NUMBER)}))
_MODELS = {"data": _list(ref("Model"))}
_PAGE = {"has_more": FLAG, "first_id": _or_null(TEXT), "last_id": _or_null(TEXT)}
_PONDER = shape(
    {
        "run": _or_null(TEXT),
        "effort": _or_null(TEXT),
        "strategy": TEXT,
        "knobs": OBJECT,
        "model": TEXT,
        "answer": _or_null(TEXT),
        "answer_type": TEXT,
        "confidence": _or_null({"type": "number", "minimum": 0, "maximum": 1}),
        "stopped_by": TEXT,
        "decided": _list(TEXT),
        "candidates": _CANDIDATES,
        "receipt": ref("Receipt"),
    },
    {"calibrated": TEXT, "lost": TEXT},
)
_USAGE = shape(
    {
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "total_tokens": COUNT,
        "prompt_tokens_details": shape({"cached_tokens": COUNT}),
        "completion_tokens_details": shape({"reasoning_tokens": COUNT}),
    }
)
_CALL = shape(
    {"id": TEXT, "type": _one("function"), "function": shape({"name": TEXT, "arguments": TEXT})}
)
_TOLD = {"reasoning": TEXT, "reasoning_content": TEXT}
_FINISH = _one("stop", "length", "tool_calls", "content_filter")
_CHOICE = shape(
    {
        "index": COUNT,
        "message": shape(
            {"role": _one("assistant"), "content": _or_null(TEXT), "refusal": _or_null(TEXT)},
            {"tool_calls": _list(_CALL), **_TOLD},
        ),
        "logprobs": _or_null(OBJECT),
        "finish_reason": _FINISH,
    }
)
_INCREMENT = shape(
    {
        "index": COUNT,
        "delta": shape({}, {"role": _one("assistant"), "content": _or_null(TEXT), **_TOLD}),
        "finish_reason": _or_null(_FINISH),
    }
)
_BLOCK = _either(
    shape({"type": _one("text"), "text": TEXT}),
    shape({"type": _one("thinking"), "thinking": TEXT, "signature": TEXT}),
    shape({"type": _one("tool_use"), "id": TEXT, "name": TEXT, "input": OBJECT}),
)
_SPENT = {
    "input_tokens": COUNT,
    "cache_creation_input_tokens": COUNT,
    "cache_read_input_tokens": COUNT,
    "output_tokens": COUNT,
}
_ACTION = shape({"kind": _one(*KINDS), "node": TEXT, "text": TEXT, "count": COUNT, "by": TEXT})
_NODE = shape(
    {
        "id": TEXT,
        "parent": _or_null(TEXT),
        "depth": COUNT,
        "children": _list(TEXT),
        "status": TEXT,
        "added": TEXT,
        "answer": _or_null(TEXT),
        "tokens": COUNT,
        "scores": _list(OBJECT),
        "on_path": FLAG,
    }
)
_RUN: Mapping[str, Schema] = {
    "id": TEXT,
    "object": _one("run"),
    "created": COUNT,
    "state": _one(*STATES),
    "model": _or_null(TEXT),
    "strategy": _or_null(TEXT),
    "question": _or_null(TEXT),
    "answer": _or_null(TEXT),
    "confidence": _or_null(NUMBER),
    "stopped_by": _or_null(TEXT),
}
_EVENT_OF = _either(shape({"type": TEXT}), ref("Error"))
"""An event that says its type, or a failure within the stream."""

REPLIES: Mapping[str, Schema] = {
    "Health": shape({"status": _one("ok", "ready")}),
    "Document": shape({"openapi": TEXT, "info": OBJECT, "paths": OBJECT}),
    "Model": _either(
        shape({"id": TEXT, "object": _one("model"), "created": COUNT, "owned_by": TEXT}),
        shape({"id": TEXT, "type": _one("model"), "display_name": TEXT, "created_at": TEXT}),
    ),
    "Models": _either(shape({"object": _one("list"), **_MODELS}), shape({**_MODELS, **_PAGE})),
    "Receipt": OBJECT,
    "Ponder": _PONDER,
    "Completion": shape(
        {
            "id": TEXT,
            "object": _one("chat.completion"),
            "created": COUNT,
            "model": TEXT,
            "choices": {**_list(_CHOICE), "minItems": 1},
            "usage": _USAGE,
            "ponder": _either(ref("Ponder"), shape({"runs": _list(ref("Ponder"))})),
        }
    ),
    "CompletionChunk": _either(
        shape(
            {
                "id": TEXT,
                "object": _one("chat.completion.chunk"),
                "created": COUNT,
                "model": TEXT,
                "choices": _list(_INCREMENT),
            },
            {"usage": _or_null(_USAGE)},
        ),
        ref("Error"),
    ),
    "Message": shape(
        {
            "id": TEXT,
            "type": _one("message"),
            "role": _one("assistant"),
            "model": TEXT,
            "content": _list(_BLOCK),
            "stop_reason": _one("end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"),
            "stop_sequence": _or_null(TEXT),
            "usage": shape(_SPENT),
            "ponder": ref("Ponder"),
        }
    ),
    "MessageEvent": _EVENT_OF,
    "TokenCount": shape({"input_tokens": COUNT, "ponder": shape({"exact": FLAG, "least": COUNT})}),
    "Response": shape(
        {
            "id": TEXT,
            "object": _one("response"),
            "created_at": COUNT,
            "completed_at": _or_null(COUNT),
            "status": _one(*get_args(Status)),
            "background": FLAG,
            "error": _or_null(shape({"code": TEXT, "message": TEXT})),
            "incomplete_details": _or_null(shape({"reason": TEXT})),
            "instructions": _or_null(TEXT),
            "metadata": {"type": "object", "additionalProperties": TEXT},
            "model": TEXT,
            "output": _list(shape({"id": TEXT, "type": TEXT, "status": TEXT})),
            "previous_response_id": _or_null(TEXT),
            "reasoning": OBJECT,
            "store": FLAG,
            "text": OBJECT,
            "tools": _list(OBJECT),
            "usage": _or_null(
                shape({"input_tokens": COUNT, "output_tokens": COUNT, "total_tokens": COUNT})
            ),
        },
        {"ponder": OBJECT},
    ),
    "ResponseEvent": shape({"type": TEXT, "sequence_number": COUNT}),
    "Items": shape(
        {"object": _one("list"), "data": _list(shape({"id": TEXT, "type": TEXT})), **_PAGE}
    ),
    "Deleted": shape({"id": TEXT, "object": _one("response"), "deleted": {"const": True}}),
    "Run": shape(_RUN),
    "Runs": shape({"object": _one("list"), "data": _list(ref("Run")), **_PAGE}),
    "WholeRun": shape(
        {
            **_RUN,
            "messages": _list(shape({"role": TEXT, "content": TEXT})),
            "answer_type": TEXT,
            "knobs": OBJECT,
            "verifier": _or_null(TEXT),
            "budget": {"type": "object", "additionalProperties": NUMBER},
            "seed": COUNT,
            "decided": _list(TEXT),
            "receipt": ref("Receipt"),
            "candidates": _list(OBJECT),
            "tree": shape({"chosen": _or_null(TEXT), "nodes": _list(_NODE)}),
        }
    ),
    "RunEvent": shape({"type": TEXT}),
    "Action": shape(
        {
            "id": COUNT,
            "object": _one("run.action"),
            "run": TEXT,
            "state": _one("accepted", "pending", "applied", "failed"),
            "action": _ACTION,
        },
        {"code": TEXT, "why": TEXT},
    ),
    "Reviews": shape(
        {
            "object": _one("list"),
            "data": _list(
                shape(
                    {
                        "id": TEXT,
                        "object": _one("review"),
                        "run": TEXT,
                        "created": COUNT,
                        "answer_type": TEXT,
                        "question": TEXT,
                        "candidates": _list(
                            shape(
                                {
                                    "number": COUNT,
                                    "answer": _or_null(TEXT),
                                    "text": TEXT,
                                    "tokens": COUNT,
                                    "truncated": FLAG,
                                    "count": COUNT,
                                }
                            )
                        ),
                    }
                )
            ),
        }
    ),
    "Judgement": shape(
        {
            "id": TEXT,
            "object": _one("review.judgement"),
            "run": TEXT,
            "how": TEXT,
            "scores": _list(NUMBER),
            "comment": TEXT,
            "by": TEXT,
        }
    ),
    "Decision": shape(
        {
            "id": TEXT,
            "object": _one("decision"),
            "created": COUNT,
            "model": TEXT,
            "choice": _or_null(TEXT),
            "probabilities": {"type": "object", "additionalProperties": NUMBER},
            "abstained": TEXT,
            "mass": _or_null(NUMBER),
            "usage": _USAGE,
            "ponder": OBJECT,
        }
    ),
    "Error": shape(
        {
            "error": shape(
                {
                    "message": {**TEXT, "description": "One sentence."},
                    "type": TEXT,
                    "param": {**_or_null(TEXT), "description": "The field at fault."},
                    "code": _or_null(TEXT),
                },
                {"ponder": {**OBJECT, "description": "The run, and what it has cost."}},
            )
        }
    ),
    "MessagesError": shape(
        {
            "type": _one("error"),
            "error": shape({"type": TEXT, "message": TEXT}),
            "request_id": TEXT,
        },
        {"ponder": {**OBJECT, "description": "The run, and what it has cost."}},
    ),
    "AnyError": _either(ref("Error"), ref("MessagesError")),
    "NotReady": shape({"status": _one("ending")}),
}
"""Each form by its name in the document."""
