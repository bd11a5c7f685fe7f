"""Limits in bytes on replies, derived from the request.

A sender chooses how a reply is compressed, so it is unpacked piece by piece here and never by the
HTTP client, which would unpack 300 KB into 300 MiB before anything can count them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import aiohttp
from aiohttp.hdrs import CONTENT_ENCODING

from ponder.models.base import Request
from ponder.models.sound import whole

CHARACTERS = 128
"""The longest token of a vocabulary in common use: 128 blanks, in those of GPT-4o and Llama 3."""
FIXED = 1 << 20  # bytes of a reply that do not depend on its length
PER_TOKEN = 64  # bytes of text, as JSON, on average over a whole reply; English takes 5
PER_CHUNK = 1 << 10  # bytes of a stream's chunk around the text of one token
PER_CHANCE = 256  # bytes of one token with its log-probability
ERROR = 1 << 16  # bytes of an error's body: a person reads its first sentence
PIECE = 1 << 16  # bytes that are unpacked at once
ACCEPTED = "gzip, deflate"


class Malformed(Exception):
    """The reason why a reply, or one choice of it, breaks the protocol."""


def least_tokens(characters: int) -> int:
    """Return the least number of tokens in a text of so many characters."""
    return -(-characters // CHARACTERS)


def most_bytes(request: Request, samples: int, *, streamed: bool) -> int:
    """Return the maximum size of a reply to the request."""
    asked = request.logprobs or request.top_logprobs > 0
    chances = 1 + max(1, request.top_logprobs) if asked else 0
    per_token = PER_TOKEN + PER_CHUNK * streamed + PER_CHANCE * chances
    return FIXED + samples * request.max_tokens * per_token


class Unpacker:
    """Decompresses one reply.

    Raises:
        Malformed: its compression was not requested.
    """

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise Malformed(f"it is compressed as {name[:40]!r}, and not as {ACCEPTED}")
        packed = name not in ("", "identity")
        self._engine = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None
        self._bare = name == "deflate"  # some servers leave out the header

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the content of the received bytes, in pieces of bounded size; the caller may stop
        at any.

        Raises:
            Malformed: it cannot be decompressed.
        """
        if self._engine is None:
            yield data
            return
        if self._bare and data:
            self._bare = False
            if data[0] & 15 != zlib.DEFLATED:
                self._engine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            full = False
            while data or full:
                piece = self._engine.decompress(data, PIECE)
                data, full = self._engine.unconsumed_tail, len(piece) == PIECE
                if piece:
                    yield piece
                if self._engine.eof:
                    data, full = self._engine.unused_data, False
                    self._engine = zlib.decompressobj(zlib.MAX_WBITS | 32)
        except zlib.error:
            raise Malformed("it cannot be unpacked") from None


async def read_body(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """Return the first ``limit`` bytes of a body, and True if it has more, which stay unread.

    Raises:
        Malformed: it cannot be decompressed.
    """
    encoding = response.headers.get(CONTENT_ENCODING, "")
    length = response.content_length
    if not encoding and length is not None and length <= limit:
        return await response.read(), False
    unpacker, body = Unpacker(encoding), bytearray()
    async for data in response.content.iter_any():
        for piece in unpacker.feed(data):
            body += piece
            if len(body) > limit:
                return bytes(body[:limit]), True
    return bytes(body), False


async def read_error(response: aiohttp.ClientResponse, key: str) -> bytes:
    """Return the start of an error's body, without a part of the key at its end.

    Raises:
        Malformed: it cannot be decompressed.
    """
    body, more = await read_body(response, ERROR)
    if not more or not key:
        return body
    return body.replace(key.encode(), b"[key]")[: -len(key)]


def clean(text: str, key: str) -> str:
    """Return one short line, without the key."""
    text = " ".join(whole(text).split())
    if key:
        text = text.replace(key, "[key]")
    return text if len(text) <= 240 else text[:239] + "…"
