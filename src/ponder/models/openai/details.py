"""OpenRouter's ``reasoning_details``: thinking of any vendor, with its signatures."""

from __future__ import annotations

from typing import Any

from ponder.core.text import jsontext

Json = Any  # what json.loads returns; nothing below trusts it

_GROWS = {"reasoning.text": "text", "reasoning.summary": "summary"}
"""Fields that come in pieces, by the type of the detail."""


def objects(message: dict[str, Json]) -> list[dict[str, Json]]:
    """Return the details of a message, or of a delta of one."""
    details = message.get("reasoning_details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def text_of(detail: dict[str, Json]) -> str:
    """Return the text that a detail shows."""
    text = detail.get("text") or detail.get("summary")
    return text if isinstance(text, str) else ""


def record(details: list[dict[str, Json]]) -> str:
    """Return the details as JSON, if the conversation needs them to go on; else ''."""
    if not any(detail.get("signature") or detail.get("data") for detail in details):
        return ""
    try:
        return jsontext.dumps(details)
    except (ValueError, RecursionError):  # not what a vendor would take back
        return ""


class Details:
    """Collects the details of one stream."""

    def __init__(self) -> None:
        self._details: list[dict[str, Json]] = []

    def add(self, delta: dict[str, Json]) -> str:
        """Add those of a delta; return the record of all so far."""
        for detail in objects(delta):
            self._join({name: value for name, value in detail.items() if value is not None})
        return record(self._details)

    def _join(self, detail: dict[str, Json]) -> None:
        last = self._details[-1] if self._details else {}
        kind = detail.get("type")
        grows = _GROWS.get(kind) if isinstance(kind, str) else None
        same = all(last.get(name) == detail.get(name) for name in ("type", "index"))
        if not grows or not same or last.get("signature"):
            self._details.append(detail)
            return
        texts = [part[grows] for part in (last, detail) if isinstance(part.get(grows), str)]
        last |= detail | {grows: "".join(texts)}
