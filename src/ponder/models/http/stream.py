"""A sample that arrives as a stream of events. Reading is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import aiohttp
from yarl import URL

from ponder.core.tools import ToolCall
from ponder.core.trace import Finish
from ponder.models import sound
from ponder.models.apart import Growing, settled
from ponder.models.base import Request
from ponder.models.http.echo import Echo
from ponder.models.http.framing import Framer
from ponder.models.http.received import Malformed, Unpacker, least_tokens
from ponder.models.http.replies import Choice, Reply, Tokens, Usage, parse
from ponder.models.http.wire import Fault, Piece, Reader

QUIET = 10.0
"""Seconds of silence after which a server is asked if it is still there."""


@dataclass(slots=True)
class Stream:
    """One sample of at most ``request.max_tokens``, in at most ``limit`` bytes.

    ``tokens`` is the server's own count if chunks carry one (vLLM's continuous usage, llama.cpp's
    timings), else the number of log-probabilities, else one per chunk. A server's count is ignored
    if a text of this length needs more tokens.
    """

    request: Request
    reader: Reader
    limit: int
    beside: int = 0
    """As in ``ModelInfo``."""
    opened: bool = False
    """True if the prompt begins the thinking."""
    tokens: int = 0
    fault: Fault | None = None
    """The error that the server reports in place of the rest."""
    hidden: bool = False
    """True if it may have cost more tokens than it has shown, so that any number is possible."""
    _framer: Framer = field(default_factory=Framer, init=False)
    _received: int = field(default=0, init=False)
    _usage: Usage | None = field(default=None, init=False)
    _counted: int = field(default=0, init=False)
    _thought: int = field(default=0, init=False)
    _answers: bool = field(default=False, init=False)
    _seen: int = field(default=0, init=False)
    _false: bool = field(default=False, init=False)
    _characters: int = field(default=0, init=False)
    _echo: Echo = field(init=False)
    _text: list[str] = field(default_factory=list, init=False)
    _reasoning: list[str] = field(default_factory=list, init=False)
    _fresh: tuple[int, int] = field(default=(0, 0), init=False)
    _halves: tuple[str, str] = field(default=("", ""), init=False)
    _growing: Growing | None = field(default=None, init=False)
    _logprobs: list[float] = field(default_factory=list, init=False)
    _top: list[Mapping[str, float]] = field(default_factory=list, init=False)
    _pieces: list[bytes] = field(default_factory=list, init=False)
    _blocks: str = field(default="", init=False)
    _calls: tuple[ToolCall, ...] = field(default=(), init=False)
    _finish: Finish | None = field(default=None, init=False)
    _refused: bool = field(default=False, init=False)
    _stopped_at: str | None = field(default=None, init=False)
    _done: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._echo = Echo(self.request.prefix)

    @property
    def complete(self) -> bool:
        """True if the sample ended, even if the connection did not."""
        return self._finish is not None

    @property
    def over(self) -> bool:
        """True if there is nothing more to read."""
        return self._done or self.overrun or self.cut or self.fault is not None

    @property
    def overrun(self) -> bool:
        """True if the server continues beyond ``max_tokens``."""
        return self.tokens > self.request.max_tokens + self.beside

    @property
    def cut(self) -> bool:
        """True if it continues beyond the limit in bytes."""
        return self._received > self.limit

    @property
    def whole(self) -> bytes | None:
        """The body, if the server sent one reply instead of a stream; else None."""
        return self._framer.whole

    @property
    def usage(self) -> Usage | None:
        """The usage that the server reports so far, unless the text must have cost more."""
        made = None if self._usage is None else self._usage.completion
        return None if made is not None and made < least_tokens(self._characters) else self._usage

    @property
    def spent(self) -> int:
        """Number of tokens to book if the sample is lost.

        It exceeds the requested number only if the server reports so.
        """
        most = self.request.max_tokens + self.beside
        if self.hidden and not self._counted:
            return most
        return max(min(self.tokens, most), self._counted)

    def feed(self, data: bytes) -> None:
        """Process received bytes, in time proportional to their number.

        Raises:
            Malformed: it is not a stream of events.
        """
        events = self._framer.feed(data[: max(0, self.limit - self._received)])
        self._take(events)
        self._received += len(data)

    def end(self) -> None:
        """Process the end of the body."""
        if not self.over:
            self._take(self._framer.end())

    def fresh(self) -> tuple[str, str]:
        """Return the text and the reasoning received since the last call."""
        told, thought = self._fresh
        self._fresh = len(self._text), len(self._reasoning)
        text, half = _encodable("".join([self._halves[0], *self._text[told:]]))
        reasoning, other = _encodable("".join([self._halves[1], *self._reasoning[thought:]]))
        if reasoning and settled(self.request.prefix):  # as in ``Choice.parted``
            text, reasoning = reasoning + text, ""
        self._halves = half, other
        if self._growing is None:
            opened = self.opened and not any(self._reasoning)
            self._growing = Growing(self.request.prefix, opened=opened)
        text, marked = self._growing.add(text) if text else ("", "")
        return text, reasoning + marked

    def reply(self) -> Reply:
        """Return the sample; one that went beyond a limit is a truncated sample.

        Raises:
            Malformed: the stream ended before the sample did.
        """
        overrun = self.overrun or (self.cut and self.tokens > 0)
        finish = self._finish or ("length" if overrun else None)
        if finish is None and self._done and self.tokens:  # it ended without saying why
            finish = "stop"
        if self.cut and finish is None:
            raise Malformed(f"its stream has {self.limit:,} bytes and no sample yet")
        if finish is None:
            raise Malformed("the stream ended before the sample did")
        choice = Choice(
            "".join(self._text) + self._echo.held,
            "refusal" if self._refused and not overrun else finish,
            Tokens(
                len(self._logprobs),
                tuple(self._logprobs) or None,
                tuple(self._top),
                tuple(self._pieces) or None,
            ),
            self._stopped_at,
            self._counted,
            "".join(self._reasoning),
            self._blocks,
            self._characters,
            self._echo.met,
            self._calls,
        )
        usage = self.usage if self.complete or self._done else None
        if usage and self._thought and not usage.reasoning:
            usage = replace(usage, reasoning=self._thought)
        return Reply([choice], usage)

    def _take(self, events: list[bytes]) -> None:
        for event in events:
            if self.over:
                return
            if event == b"[DONE]":
                self._done = True
            elif event:
                self._add(self.reader.read(parse(event)))

    def _add(self, piece: Piece) -> None:
        if piece.usage:
            self._usage = piece.usage if self._usage is None else self._usage.merged(piece.usage)
        if piece.fault:
            self.fault = piece.fault
            return
        counted, self.hidden = piece.counted, piece.hidden
        if counted is not None:
            self._counted = max(self._counted, counted)
        self._characters += len(piece.text) + len(piece.reasoning) + len(piece.refused)
        self._characters += piece.called
        self._estimate(counted, (piece.tokens.count or 1) if piece.spoken else 0)
        if not (self.complete or piece.other or self.overrun):
            self._text.append(self._echo.feed(piece.text or piece.refused))
            self._reasoning.append(piece.reasoning)
            self._refused = self._refused or bool(piece.refused and not piece.text)
            self._logprobs.extend(piece.tokens.logprobs or ())
            self._top.extend(piece.tokens.top or ())
            self._pieces.extend(piece.tokens.pieces or ())
        self._answers = self._answers or bool(piece.text)
        if piece.reasoning:  # the server's count where the thinking ends, if it tells it there
            self._thought = 0 if self._answers or counted is None else counted
        if not piece.other:
            self._blocks = piece.blocks or self._blocks
            self._calls = piece.calls or self._calls
            self._finish = self._finish or piece.finish
            self._stopped_at = piece.stopped_at if piece.finish else self._stopped_at
        self._done = self._done or piece.done

    def _estimate(self, counted: int | None, seen: int) -> None:
        self._seen += seen
        least = least_tokens(self._characters)
        self._false = self._false or (counted is not None and counted < least)
        self.tokens = self.tokens + seen if counted is None else max(self.tokens, counted)
        self.tokens = max(self.tokens, least, self._seen if self._false else 0)


def _encodable(text: str) -> tuple[str, str]:
    """Split a text into a part that can be encoded, and half a surrogate pair at its end."""
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return sound.whole(text.removesuffix(half)), half


async def receive(
    response: aiohttp.ClientResponse, stream: Stream, tell: Callable[[], None]
) -> None:
    """Feed a response to the stream until there is nothing more to read; call ``tell`` after each
    part.

    Raises:
        Malformed: it is not a stream of events, or cannot be decompressed.
        aiohttp.ServerDisconnectedError: it has fallen silent, and its server is gone.
    """
    unpacker = Unpacker(response.headers.get("Content-Encoding", ""))
    while data := await _next(response):
        for piece in unpacker.feed(data):
            stream.feed(piece)
            tell()
            if stream.over:
                return
    stream.end()


async def _next(response: aiohttp.ClientResponse) -> bytes:
    """Return the next bytes, b"" at the end; of a silent server, ask if it is still there."""
    while True:
        try:
            async with asyncio.timeout(QUIET) as timer:
                return await response.content.readany()
        except TimeoutError:
            if not timer.expired():
                raise
        if await _gone(response.url):
            raise aiohttp.ServerDisconnectedError("it has stopped")


async def _gone(url: URL) -> bool:
    """Return True if nothing takes connections there any more."""
    try:
        async with asyncio.timeout(QUIET):
            _, writer = await asyncio.open_connection(url.host, url.port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):  # perhaps only reached by a proxy
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return False
