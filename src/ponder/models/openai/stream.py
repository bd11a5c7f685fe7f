"""A choice that arrives as server-sent events. Reading is bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ponder.core.trace import Finish
from ponder.models import sound
from ponder.models.base import Request
from ponder.models.finish import read_finish
from ponder.models.openai.wire import (
    Choice,
    Json,
    Reply,
    Tokens,
    Usage,
    count,
    parse,
    read_stop,
    read_tokens,
    read_usage,
    thoughts_of,
)
from ponder.models.received import Malformed, Unpacker, least_tokens

_SPOKEN = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call")


@dataclass(slots=True)
class Stream:
    """One choice of at most ``request.max_tokens``, in at most ``limit`` bytes.

    ``tokens`` is the server's own count if chunks carry one (vLLM's continuous usage, llama.cpp's
    timings), else the number of log-probabilities, else one per chunk. A server's count is ignored
    if a text of this length needs more tokens.
    """

    request: Request
    limit: int
    tokens: int = 0
    error: dict[str, Json] | None = None
    _line: bytearray = field(default_factory=bytearray, init=False)
    _received: int = field(default=0, init=False)
    _usage: Usage | None = field(default=None, init=False)
    _counted: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False)
    _false: bool = field(default=False, init=False)
    _characters: int = field(default=0, init=False)
    _text: list[str] = field(default_factory=list, init=False)
    _reasoning: list[str] = field(default_factory=list, init=False)
    _taken: tuple[int, int] = field(default=(0, 0), init=False)
    _halves: tuple[str, str] = field(default=("", ""), init=False)
    _logprobs: list[float] = field(default_factory=list, init=False)
    _top: list[Any] = field(default_factory=list, init=False)
    _finish: Finish | None = field(default=None, init=False)
    _refused: bool = field(default=False, init=False)
    _vague: bool = field(default=False, init=False)
    _stopped_at: str | None = field(default=None, init=False)
    _done: bool = field(default=False, init=False)

    @property
    def complete(self) -> bool:
        """True if the sample ended, even if the connection did not."""
        return self._finish is not None

    @property
    def over(self) -> bool:
        """True if there is nothing more to read."""
        return self._done or self.overrun or self.cut or self.error is not None

    @property
    def overrun(self) -> bool:
        """True if the server continues beyond ``max_tokens``."""
        return self.tokens > self.request.max_tokens

    @property
    def cut(self) -> bool:
        """True if it continues beyond the limit in bytes."""
        return self._received > self.limit

    @property
    def usage(self) -> Usage | None:
        """The usage that the server reports, unless the text must have cost more."""
        usage = self._usage
        least = least_tokens(self._characters)
        return None if usage is None or usage.completion < least else usage

    @property
    def spent(self) -> int:
        """Number of tokens to book if the sample is lost.

        It exceeds the requested number only if the server reports so.
        """
        return max(min(self.tokens, self.request.max_tokens), self._counted)

    def feed(self, data: bytes) -> None:
        """Process received bytes, in time proportional to their number.

        Raises:
            Malformed: it is not a stream of chunks.
        """
        *lines, rest = data[: max(0, self.limit - self._received)].split(b"\n")
        for line in lines:
            self._line += line
            whole, self._line = bytes(self._line), bytearray()
            self._read(whole)
            if self.over:
                return
        self._line += rest
        self._received += len(data)

    def fresh(self) -> tuple[str, str]:
        """Return the text and the reasoning received since the last call."""
        told, thought = self._taken
        self._taken = len(self._text), len(self._reasoning)
        text, half = _split("".join([self._halves[0], *self._text[told:]]))
        reasoning, other = _split("".join([self._halves[1], *self._reasoning[thought:]]))
        self._halves = half, other
        return text, reasoning

    def reply(self) -> Reply:
        """Return the choice; one that went beyond a limit is a truncated sample.

        Raises:
            Malformed: the stream ended before the sample did.
        """
        overrun = self.overrun or (self.cut and self.tokens > 0)
        finish = self._finish or ("length" if overrun else None)
        if self.cut and finish is None:
            raise Malformed(f"its stream has {self.limit:,} bytes and no sample yet")
        if finish is None:
            raise Malformed("the stream ended before the sample did")
        tokens = Tokens(len(self._logprobs), tuple(self._logprobs) or None, tuple(self._top))
        choice = Choice(
            "".join(self._text),
            finish,
            1,
            self._characters,
            tokens,
            self._stopped_at,
            self._counted,
            "".join(self._reasoning),
        )
        return Reply([choice], self._usage if self.complete else None)

    def _read(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return  # an empty line, or a comment that keeps the connection alive
        event = line[5:].strip()
        if event == b"[DONE]":
            self._done = True
            if self._vague:  # an empty finish reason
                self._finish = self._finish or read_finish("", ended=True)
        else:
            self._chunk(parse(event))

    def _chunk(self, chunk: dict[str, Json]) -> None:
        if chunk.get("error"):
            self.error = chunk
            return
        counted = self._count(chunk)
        choices = chunk.get("choices")
        if not choices:  # the last chunk, with only the usage, and llama.cpp's pings
            self._estimate(counted, 0)
            return
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise Malformed("a chunk's choices are not objects")
        own = (c for c in choices if isinstance(c, dict) and _is_first(c))
        choice = next(own, choices[0])
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            raise Malformed("a chunk has no delta")
        text = delta.get("content")
        if text is not None and not isinstance(text, str):
            raise Malformed("a chunk's content is not text")
        tokens = read_tokens(choice, self.request)
        thoughts, refused = thoughts_of(delta), delta.get("refusal")
        refused = refused if isinstance(refused, str) else ""
        self._characters += len(text or "") + len(thoughts) + len(refused)
        seen = (tokens.count or 1) if any(map(delta.get, _SPOKEN)) else 0
        self._estimate(counted, seen)
        if self.complete or not _is_first(choice):
            return  # not requested: it is counted and otherwise ignored
        if not self.overrun:
            self._text.append(text or refused)
            self._reasoning.append(thoughts)
            self._refused = self._refused or bool(refused and not text)
            self._logprobs.extend(tokens.logprobs or ())
            self._top.extend(tokens.top or ())
            self._end(choice)

    def _end(self, choice: dict[str, Json]) -> None:
        reason = choice.get("finish_reason")
        if reason is None:
            return
        if not isinstance(reason, str):
            raise Malformed("a choice does not say why it ended")
        finish = read_finish(reason, ended=False)
        self._vague = finish is None
        self._finish = "refusal" if finish and self._refused else finish
        self._stopped_at = read_stop(choice)

    def _count(self, chunk: dict[str, Json]) -> int | None:
        """Return the number of tokens so far by the server's own count."""
        usage, timings = read_usage(chunk), chunk.get("timings")
        predicted = count(timings, "predicted_n") if isinstance(timings, dict) else None
        if usage:
            self._usage = usage
            predicted = usage.completion
        self._counted = max(self._counted, predicted or 0)
        return predicted

    def _estimate(self, counted: int | None, seen: int) -> None:
        self._seen += seen
        least = least_tokens(self._characters)
        self._false = self._false or (counted is not None and counted < least)
        self.tokens = self.tokens + seen if counted is None else max(self.tokens, counted)
        self.tokens = max(self.tokens, least, self._seen if self._false else 0)


def _split(text: str) -> tuple[str, str]:
    """Split a text into a part that can be encoded, and half a surrogate pair at its end."""
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return sound.whole(text.removesuffix(half)), half


def _is_first(choice: dict[str, Json]) -> bool:
    """True unless the choice is marked as another sample than the one requested."""
    index = choice.get("index")
    return type(index) is not int or index == 0


async def receive(
    response: aiohttp.ClientResponse, stream: Stream, tell: Callable[[], None]
) -> None:
    """Feed a response to the stream until there is nothing more to read; call ``tell`` after each
    part.

    Raises:
        Malformed: it is not a stream of chunks, or cannot be decompressed.
    """
    unpacker = Unpacker(response.headers.get("Content-Encoding", ""))
    async for data in response.content.iter_any():
        for piece in unpacker.feed(data):
            stream.feed(piece)
            tell()
            if stream.over:
                return
