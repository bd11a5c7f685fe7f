"""Records of turns, carried from a reply into the conversation that goes on after it.

Signatures and encrypted thinking are of use to the model that made them, and refused by others. So
a record leaves a client with the name of its maker, and enters a request only if that is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ponder.core.problem import Message
from ponder.core.text import jsontext
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.replies import Choice

SIGNED = "signed thinking"
"""Among the fields that a server refuses: records of earlier turns."""
_REFUSED = re.compile(
    r"encrypted content.* could not be|invalid .(?:signature|data). in .(?:redacted_)?thinking|"
    r"thinking.? blocks .*cannot be modified|thought signature",
    re.I,
)
"""Words of vendors about a record that another account's key, or another model, has made."""


def sealed(choice: Choice, endpoint: Endpoint) -> Choice:
    """Return a choice whose record, if it has one, names its maker."""
    if not choice.blocks:
        return choice
    maker = jsontext.dumps(_maker(endpoint))
    return replace(choice, blocks=f'{{"by": {maker}, "turn": {choice.blocks}}}')


def own(messages: Iterable[Message], endpoint: Endpoint) -> tuple[Message, ...]:
    """Return the messages with the bare records that the endpoint made, and without all others."""
    return tuple(
        replace(message, blocks=_opened(message, endpoint)) if message.blocks else message
        for message in messages
    )


def texts(parts: Iterable[dict[str, Any]]) -> str:
    """Return the texts of the parts of a record."""
    found = (part.get("text") for part in parts)
    return "".join(text for text in found if isinstance(text, str))


def unchanged(message: Message, text: str) -> bool:
    """Return True if a message still says the text of its record, which may have none."""
    return text.strip() in ("", message.content.strip())


def refused(reason: str) -> bool:
    """Return True if an error is about a record of an earlier turn."""
    return bool(_REFUSED.search(reason))


def _opened(message: Message, endpoint: Endpoint) -> str:
    if message.role != "assistant" or SIGNED in endpoint.drop:
        return ""
    try:
        record = json.loads(message.blocks)
        if isinstance(record, dict) and record.get("by") == _maker(endpoint):
            turn = record.get("turn")
            if isinstance(turn, list) and all(isinstance(part, dict) for part in turn):
                return jsontext.dumps(turn)
    except (ValueError, RecursionError):  # a caller's, and none of Ponder's
        pass
    return ""


def _maker(endpoint: Endpoint) -> list[str]:
    return [endpoint.api, endpoint.base_url, endpoint.model]
