"""The OpenAI chat protocol as it crosses the wire, without any I/O: every reply is checked here."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ponder.core.errors import MalformedReply
from ponder.models.base import Completion, Finish, Request

Json = Any  # what json.loads returns; nothing below trusts it


class Malformed(Exception):
    """A reply, or one choice of it, is not what the protocol promises; the text says how."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply says it cost, all of its choices together."""

    prompt: int
    completion: int
    cached: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of attempts that failed."""

    prompt: int = 0
    completion: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.prompt + other.prompt, self.completion + other.completion)


@dataclass(frozen=True, slots=True)
class Choice:
    """One sample of a reply. ``weight`` is proportional to its tokens, as far as can be told.

    ``tokens`` are those with alternatives as they came, to be read if anybody wants them.
    ``stopped_at`` is as in ``Completion``.
    """

    text: str
    finish: Finish
    logprobs: tuple[float, ...] | None
    weight: int
    tokens: Json = None
    stopped_at: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of which at least one choice is usable."""

    choices: list[Choice | Malformed]
    usage: Usage | None


def parse(body: bytes | str) -> dict[str, Json]:
    """One JSON object, or ``Malformed``."""
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict):
        raise Malformed("it is not a JSON object")
    return reply


def read_reply(reply: dict[str, Json], asked: int, prefix: str = "") -> Reply:
    """The first ``asked`` choices without ``prefix``, and the usage.

    ``Malformed`` if not one choice is usable.
    """
    found = reply.get("choices")
    if not isinstance(found, list) or not found:
        raise Malformed("it has no choices")
    choices = [_outcome(choice, prefix) for choice in found[:asked]]
    if all(isinstance(choice, Malformed) for choice in choices):
        raise Malformed(str(choices[0]))
    return Reply(choices, read_usage(reply))


def read_usage(reply: dict[str, Json]) -> Usage | None:
    """The reply's token counts, None if it has none; ``Malformed`` if they are not counts."""
    usage = reply.get("usage")
    if usage is None:
        return None
    if not isinstance(usage, dict):
        raise Malformed("its usage is not an object")
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if prompt is None or completion is None:
        raise Malformed("its usage has no token counts")
    details = usage.get("prompt_tokens_details")
    cached = _count(details, "cached_tokens") if isinstance(details, dict) else None
    return Usage(prompt, completion, min(cached or 0, prompt))


def _count(counts: dict[str, Json], name: str) -> int | None:
    value = counts.get(name)
    return value if type(value) is int and value >= 0 else None


def _outcome(choice: Json, prefix: str) -> Choice | Malformed:
    try:
        return _read_choice(choice, prefix)
    except Malformed as problem:
        return problem


def _read_choice(choice: Json, prefix: str) -> Choice:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise Malformed("a choice has no message")
    finish = _finish(choice.get("finish_reason"))
    text = message.get("content")
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    if text is None and isinstance(thoughts, str) and finish == "length":
        text = ""  # cut off while it was still thinking
    if not isinstance(text, str):
        raise Malformed("a choice's content is not text")
    logprobs = _read_logprobs(choice)
    length = len(text) + (len(thoughts) if isinstance(thoughts, str) else 0)
    weight = len(logprobs) if logprobs else length + 1
    stopped_at = _stopped_at(choice)
    return Choice(text.removeprefix(prefix), finish, logprobs, weight, _tokens(choice), stopped_at)


def _stopped_at(choice: dict[str, Json]) -> str | None:
    """vLLM and SGLang say what ended a choice: a stop string, or a token's number, or null."""
    for name in ("stop_reason", "matched_stop"):
        if name in choice:
            reason = choice[name]
            return reason if isinstance(reason, str) else ""
    return None


def _finish(reason: Json) -> Finish:
    if not isinstance(reason, str):
        raise Malformed("a choice does not say why it ended")
    return "length" if reason in ("length", "content_filter") else "stop"


def _read_logprobs(choice: dict[str, Json]) -> tuple[float, ...] | None:
    tokens = _tokens(choice)
    try:
        return None if tokens is None else tuple(float(token["logprob"]) for token in tokens)
    except (TypeError, KeyError, ValueError, OverflowError):
        raise Malformed("a choice's logprobs are not numbers") from None


def _read_top(tokens: Json) -> tuple[Mapping[str, float], ...] | None:
    """Of tokens that read the same (pieces of one letter), the likeliest, which comes first."""
    try:
        top = tuple(
            {str(c["token"]): float(c["logprob"]) for c in reversed(token["top_logprobs"])}
            for token in tokens or ()
        )
    except (TypeError, KeyError, ValueError, OverflowError):
        return None  # not every server sends them
    return top if any(top) else None


def _tokens(choice: dict[str, Json]) -> Json:
    logprobs = choice.get("logprobs")
    if logprobs is None:
        return None
    return logprobs.get("content") if isinstance(logprobs, dict) else ()


def share(total: int, weights: Sequence[int], cap: int) -> list[int]:
    """Split ``total`` tokens in proportion to ``weights``, exactly, none above ``cap`` if it fits.

    The heaviest are served first and rounded up, so that the rest always fits under the cap.
    """
    left, weight = len(weights), sum(weights)
    parts = [0] * left
    cap = max(cap, -(-total // left))
    for i in sorted(range(left), key=lambda i: -weights[i]):
        part = -(-total * weights[i] // weight) if weight else -(-total // left)
        parts[i] = min(cap, part)
        total, weight, left = total - parts[i], weight - weights[i], left - 1
    return parts


def share_out(
    reply: Reply,
    request: Request,
    samples: int,
    bound: int,
    seconds: float,
    who: str,
) -> list[Completion | MalformedReply]:
    """One outcome for each sample asked for; the tokens that the reply counts are shared exactly.

    The prompt is booked on the first.
    """
    usage = reply.usage
    missing = Malformed("it has fewer choices than were asked for")
    choices = reply.choices + [missing] * (samples - len(reply.choices))
    if usage:
        weights = [c.weight if isinstance(c, Choice) else 0 for c in choices]
        counts = share(usage.completion, weights, request.max_tokens)
        prompt, cached = usage.prompt, usage.cached
    else:
        counts = [request.max_tokens] * samples
        prompt, cached = bound, 0
    outcomes: list[Completion | MalformedReply] = []
    for choice, tokens in zip(choices, counts, strict=True):
        if isinstance(choice, Choice):
            logprobs = choice.logprobs if request.logprobs else None
            top = _read_top(choice.tokens) if request.top_logprobs else None
            outcome: Completion | MalformedReply = Completion(
                choice.text, choice.finish, prompt, tokens, cached, 0, logprobs, seconds, top,
                choice.stopped_at,
            )  # fmt: skip
        else:
            outcome = MalformedReply(
                f"{who} sent a malformed reply: {choice}",
                prompt_tokens=prompt,
                completion_tokens=tokens,
            )
        outcomes.append(outcome)
        prompt, cached = 0, 0
    return outcomes


@dataclass(slots=True)
class Stream:
    """One choice that arrives as server-sent events.

    ``tokens`` counts what was seen: by the server's own count where chunks carry one (vLLM's
    continuous usage, llama.cpp's timings), else by log-probabilities, else one per chunk.
    """

    max_tokens: int
    tokens: int = 0
    usage: Usage | None = None
    error: dict[str, Json] | None = None
    _rest: bytes = b""
    _text: list[str] = field(default_factory=list)
    _logprobs: list[float] = field(default_factory=list)
    _tokens: list[Json] = field(default_factory=list)
    _finish: Finish | None = None
    _stopped_at: str | None = field(default=None, init=False)
    _done: bool = False

    @property
    def complete(self) -> bool:
        """The sample came to its end, even if the connection did not."""
        return self._finish is not None

    @property
    def over(self) -> bool:
        """There is nothing more to read."""
        return self._done or self.overrun or self.error is not None

    @property
    def overrun(self) -> bool:
        """The server goes on beyond ``max_tokens``."""
        return self.tokens > self.max_tokens

    def feed(self, data: bytes) -> None:
        """Take in what arrived; ``Malformed`` if it is not a stream of chunks."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue  # an empty line, or a comment that keeps the connection alive
            event = line[5:].strip()
            if event == b"[DONE]":
                self._done = True
            else:
                self._chunk(parse(event))
            if self.over:
                return

    def reply(self) -> Reply:
        """The whole choice; ``Malformed`` if the stream ended before it did."""
        finish = "length" if self.overrun else self._finish
        if finish is None:
            raise Malformed("the stream ended before the sample did")
        logprobs = tuple(self._logprobs) or None
        usage = None if self.overrun else self.usage
        text = "".join(self._text)
        choice = Choice(text, finish, logprobs, 1, self._tokens, self._stopped_at)
        return Reply([choice], usage)

    def _chunk(self, chunk: dict[str, Json]) -> None:
        if chunk.get("error"):
            self.error = chunk
            return
        counted = self._counted(chunk)
        choices = chunk.get("choices")
        if not choices:  # the last chunk, with nothing but the usage, and llama.cpp's pings
            return
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise Malformed("a chunk's choices are not objects")
        choice, delta = choices[0], choices[0].get("delta")
        if not isinstance(delta, dict):
            raise Malformed("a chunk has no delta")
        text = delta.get("content")
        if text is not None and not isinstance(text, str):
            raise Malformed("a chunk's content is not text")
        logprobs = _read_logprobs(choice) or ()
        if not counted and (text or delta.get("reasoning_content") or delta.get("reasoning")):
            self.tokens += len(logprobs) or 1
        if not self.overrun:
            self._text.append(text or "")
            self._logprobs.extend(logprobs)
            self._tokens.extend(_tokens(choice) or ())
        if choice.get("finish_reason") is not None:
            self._finish = _finish(choice["finish_reason"])
            self._stopped_at = _stopped_at(choice)

    def _counted(self, chunk: dict[str, Json]) -> bool:
        usage, timings = read_usage(chunk), chunk.get("timings")
        predicted = _count(timings, "predicted_n") if isinstance(timings, dict) else None
        if usage:
            self.usage = usage
            predicted = usage.completion
        self.tokens = max(self.tokens, predicted or 0)
        return predicted is not None


def error_of(reply: dict[str, Json]) -> tuple[int, str] | None:
    """(status, message) if a reply that came with status 200 is an error object after all."""
    error = reply.get("error")
    if not error or reply.get("choices"):
        return None
    code = error.get("code") if isinstance(error, dict) else None
    return (code if type(code) is int and 400 <= code < 600 else 500), error_message(reply)


def error_message(reply: dict[str, Json]) -> str:
    """What a person should read of an error's body: the dialects differ in where they keep it."""
    error = reply.get("error") or reply
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait by the Retry-After header, in either of its forms; 0 if there is none.

    A date is read against the server's own clock, if the reply shows it.
    """
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    until = _seconds(value)
    return max(0.0, until - (_seconds(headers.get("Date", "")) or time.time())) if until else 0.0


def _seconds(date: str) -> float | None:
    parsed = email.utils.parsedate_tz(date)
    return float(email.utils.mktime_tz(parsed)) if parsed else None
