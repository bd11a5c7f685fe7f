"""The input of a response as a list of items, page by page: pure, without a wire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ponder.core.problem import Message
from ponder.core.tools import Image
from ponder.server.errors import ApiError
from ponder.server.responses import form

MOST = 100
"""Most items of one page."""
ORDERS = ("asc", "desc")
"""The order of a list: oldest first, or newest first."""


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that is asked for."""

    limit: int
    order: Literal["asc", "desc"]
    after: str
    """ID of the item before the first one; '' to begin at the beginning."""


def page(query: Mapping[str, str]) -> Page:
    """Return the page that the fields of a query ask for.

    Raises:
        ApiError: a field is invalid.
    """
    limit, order = query.get("limit", "20"), query.get("order", "desc")
    if not (re.fullmatch("[0-9]{1,3}", limit) and 1 <= int(limit) <= MOST):
        raise ApiError(f"limit must be a number from 1 to {MOST}.", param="limit")
    if order not in ORDERS:
        raise ApiError(f"order must be {' or '.join(ORDERS)}.", param="order")
    return Page(int(limit), "asc" if order == "asc" else "desc", query.get("after", ""))


def listed(response: str, conversation: Sequence[Message], asked: Page) -> dict[str, Any]:
    """Return a page of the items of a conversation.

    Raises:
        ApiError: it begins after an item that is not there.
    """
    items = [*_items(response.partition("_")[2], conversation)]
    if asked.order == "desc":
        items.reverse()
    if asked.after:
        places = {item["id"]: at for at, item in enumerate(items, start=1)}
        if asked.after not in places:
            raise ApiError("after must be the ID of an item, such as last_id.", param="after")
        items = items[places[asked.after] :]
    data = items[: asked.limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(items) > len(data),
    }


def _items(tail: str, conversation: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """Yield the items, each with an ID that is made of the response's and of its place."""
    for at, message in enumerate(conversation):
        name, done = f"{tail}i{at:03x}", "completed"
        if message.role == "tool":
            output = _parts(message) if message.images else message.content
            yield {
                "id": f"fco_{name}",
                "type": "function_call_output",
                "call_id": message.call,
                "output": output,
                "status": done,
            }
        elif message.role == "assistant":
            if message.content:
                yield form.message(f"msg_{name}", message.content, done)
            for place, call in enumerate(message.calls):
                yield form.function_call(f"fc_{name}{place:02x}", call, done)
        else:
            yield {
                "id": f"msg_{name}",
                "type": "message",
                "role": message.role,
                "status": done,
                "content": _parts(message),
            }


def _parts(message: Message) -> list[dict[str, Any]]:
    text = [{"type": "input_text", "text": message.content}] if message.content else []
    return [*map(_image, message.images), *text]


def _image(image: Image) -> dict[str, Any]:
    detail = image.detail or "auto"
    return {"type": "input_image", "image_url": image.url, "detail": detail, "file_id": None}
