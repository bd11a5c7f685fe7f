"""Tokens as OpenAI's two APIs list them, with their log-probabilities."""

from __future__ import annotations

from typing import Any

from ponder.models import sound
from ponder.models.base import Request
from ponder.models.http.replies import NOTHING, Tokens

Json = Any  # what json.loads returns; nothing below trusts it


def read_tokens(listed: Json, request: Request) -> Tokens:
    """Return the listed tokens. Not every server lists all that were requested."""
    if not isinstance(listed, list):
        return NOTHING
    rows = [row if isinstance(row, dict) else {} for row in listed]
    chances, top, most = None, None, request.top_logprobs
    if request.logprobs:
        chances = tuple(sound.number(row.get("logprob")) for row in rows)
    if most:
        top = tuple(_read_place(row.get("top_logprobs"), most) for row in rows)
    return Tokens(len(rows), chances, top, sound.pieces(rows) if request.pieces else None)


def _read_place(listed: Json, most: int) -> dict[str, float]:
    """Return the tokens of one place. Of tokens with the same text (pieces of one letter), the
    likeliest is kept, which comes first.
    """
    rows: list[Json] = listed[:most] if isinstance(listed, list) else []
    place: dict[str, float] = {}
    for row in reversed(rows):
        token = row.get("token") if isinstance(row, dict) else None
        if isinstance(token, str):
            place[sound.whole(token)] = sound.number(row.get("logprob"))
    return place
