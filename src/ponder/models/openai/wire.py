"""The OpenAI chat protocol as it crosses the wire, without any I/O: every reply is checked here."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import MalformedReply
from ponder.core.trace import Finish
from ponder.models import sound
from ponder.models.base import Completion, Request
from ponder.models.finish import read_finish
from ponder.models.received import CHARACTERS, Malformed, least_tokens

Json = Any  # what json.loads returns; nothing below trusts it


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage that a reply reports, all of its choices together."""

    prompt: int
    completion: int
    cached: int
    reasoning: int = 0
    """Number of completion tokens spent on thinking, as far as it is reported."""


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
class Tokens:
    """The tokens of a choice or of a chunk of one, as far as they are listed and were requested."""

    count: int = 0
    """Number of tokens listed."""
    logprobs: tuple[float, ...] | None = None
    """One per token; NaN for one that is not a number."""
    top: tuple[Mapping[str, float], ...] | None = None
    """The likeliest tokens at each place, at most as many as were requested."""


NOTHING = Tokens()


@dataclass(frozen=True, slots=True)
class Choice:
    """One sample of a reply."""

    text: str
    finish: Finish
    weight: int
    """Proportional to its tokens, as far as known."""
    characters: int
    """Length of the text and of the thinking before it."""
    tokens: Tokens = NOTHING
    stopped_at: str | None = None
    """As in ``Completion``, but not checked: any text."""
    counted: int = 0
    """Number of its tokens by the server's count, if that is above the requested number."""
    reasoning: str = ""
    """The thinking before the text."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with at least one usable choice."""

    choices: list[Choice | Malformed]
    usage: Usage | None

    def credible(self) -> Usage | None:
        """Return the usage, unless texts of this length must have cost more."""
        usage, least = self.usage, 0
        for choice in self.choices:
            if isinstance(choice, Choice):
                least += least_tokens(choice.characters)
        return None if usage is None or usage.completion < least else usage


def parse(body: bytes | str) -> dict[str, Json]:
    """Return one JSON object, or raise ``Malformed``."""
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict):
        raise Malformed("it is not a JSON object")
    return reply


def read_reply(reply: dict[str, Json], request: Request, asked: int, prefix: str = "") -> Reply:
    """Return the first ``asked`` choices without ``prefix``, and the usage.

    Raises ``Malformed`` if not one choice is usable.
    """
    found = reply.get("choices")
    if not isinstance(found, list) or not found:
        raise Malformed("it has no choices")
    choices = [_outcome(choice, request, prefix) for choice in found[:asked]]
    if all(isinstance(choice, Malformed) for choice in choices):
        raise Malformed(str(choices[0]))
    return Reply(choices, read_usage(reply))


def read_usage(reply: dict[str, Json]) -> Usage | None:
    """Return the reply's token counts, None if it has none; ``Malformed`` if they are invalid."""
    usage = reply.get("usage")
    if usage is None:
        return None
    if not isinstance(usage, dict):
        raise Malformed("its usage is not an object")
    prompt, completion = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    if prompt is None or completion is None:
        raise Malformed("its usage has no token counts")
    details = usage.get("prompt_tokens_details")
    cached = count(details, "cached_tokens") if isinstance(details, dict) else None
    details = usage.get("completion_tokens_details")
    thought = count(details, "reasoning_tokens") if isinstance(details, dict) else None
    return Usage(prompt, completion, min(cached or 0, prompt), min(thought or 0, completion))


def count(counts: dict[str, Json], name: str) -> int | None:
    """Return the number of tokens of that name, None if it is not a count."""
    value = counts.get(name)
    return value if sound.is_count(value) else None


def _outcome(choice: Json, request: Request, prefix: str) -> Choice | Malformed:
    try:
        return _read_choice(choice, request, prefix)
    except Malformed as problem:
        return problem


def _read_choice(choice: Json, request: Request, prefix: str) -> Choice:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise Malformed("a choice has no message")
    finish = _finish_of(choice)
    text, refused, thoughts = message.get("content"), message.get("refusal"), thoughts_of(message)
    if not text and isinstance(refused, str) and refused:
        text, finish = refused, "refusal"
    elif text is None and (thoughts and finish != "stop"):
        text = ""  # truncated while it was still thinking
    if not isinstance(text, str):
        raise Malformed("a choice's content is not text")
    tokens = read_tokens(choice, request)
    weight = tokens.count or len(text) + len(thoughts) + 1
    text = text.removeprefix(prefix)
    characters, stop = len(text) + len(thoughts), read_stop(choice)
    return Choice(text, finish, weight, characters, tokens, stop, reasoning=thoughts)


def thoughts_of(message: dict[str, Json]) -> str:
    """Return the model's thinking in a message, or in a delta of one: servers use
    different fields.
    """
    for name in ("reasoning_content", "reasoning"):
        if isinstance(thoughts := message.get(name), str) and thoughts:
            return thoughts
    return ""


def read_stop(choice: dict[str, Json]) -> str | None:
    """Return the stop reason of vLLM and SGLang: a stop string, or a token's number, or null."""
    for name in ("stop_reason", "matched_stop"):
        if name in choice:
            reason = choice[name]
            return reason if isinstance(reason, str) else ""
    return None


def _finish_of(choice: dict[str, Json]) -> Finish:
    """Return the finish reason of a complete choice; ``Malformed`` if it has none."""
    reason = choice.get("finish_reason")
    found = read_finish(reason, ended=True) if isinstance(reason, str) else None
    if found is None:
        raise Malformed("a choice does not say why it ended")
    return found


def read_tokens(choice: dict[str, Json], request: Request) -> Tokens:
    """Return the tokens that a choice lists. Not every server lists all that were requested."""
    logprobs = choice.get("logprobs")
    if logprobs is None:
        return NOTHING
    listed = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(listed, list):
        return NOTHING
    rows = [row if isinstance(row, dict) else {} for row in listed]
    chances, top, most = None, None, request.top_logprobs
    if request.logprobs:
        chances = tuple(sound.number(row.get("logprob")) for row in rows)
    if most:
        top = tuple(_read_place(row.get("top_logprobs"), most) for row in rows)
    return Tokens(len(rows), chances, top)


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


def share(total: int, weights: Sequence[int], cap: int) -> list[int]:
    """Split ``total`` tokens in proportion to ``weights``, exactly, none above ``cap`` if it fits.

    The heaviest are served first and rounded up, so that the rest always fits under the cap.
    """
    if len(weights) == 1:
        return [total]
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
    """Return one outcome for each requested sample; the reply's token counts are divided exactly.

    The prompt is booked on the first.
    """
    usage, most = reply.usage, request.max_tokens
    missing = Malformed("it has fewer choices than were asked for")
    choices = reply.choices + [missing] * (samples - len(reply.choices))
    if usage:
        weights = [c.weight if isinstance(c, Choice) else 0 for c in choices]
        counts = share(usage.completion, weights, most)
        prompt, cached = usage.prompt, usage.cached
        lengths = [len(c.reasoning) if isinstance(c, Choice) else 0 for c in choices]
        thoughts = share(usage.reasoning, lengths, most)
    else:
        thoughts = [0] * samples
        counts = [max(most, c.counted) if isinstance(c, Choice) else most for c in choices]
        prompt, cached = bound, 0
    outcomes: list[Completion | MalformedReply] = []
    for choice, tokens, thought in zip(choices, counts, thoughts, strict=True):
        if isinstance(choice, Choice):
            logprobs, top = choice.tokens.logprobs, choice.tokens.top
            text, finish, stop = choice.text, choice.finish, choice.stopped_at
            if len(text) > most * CHARACTERS:
                text, finish = text[: most * CHARACTERS], "length"
            outcome: Completion | MalformedReply = Completion(
                text,
                finish,
                prompt,
                tokens,
                cached,
                0,
                logprobs if logprobs is None or len(logprobs) <= max(most, tokens) else None,
                seconds,
                top if top and len(top) <= max(most, tokens) and any(top) else None,
                stop if stop is None or stop in request.stop else "",
                choice.reasoning[: most * CHARACTERS],
                min(thought, tokens),
            )
        else:
            outcome = MalformedReply(
                f"{who} sent a malformed reply: {choice}",
                prompt_tokens=prompt,
                completion_tokens=tokens,
            )
        outcomes.append(outcome)
        prompt, cached = 0, 0
    return outcomes


def error_of(reply: dict[str, Json]) -> tuple[int, str] | None:
    """Return (status, message) if a reply with status 200 is an error object after all."""
    error = reply.get("error")
    if not error or reply.get("choices"):
        return None
    code = error.get("code") if isinstance(error, dict) else None
    return (code if type(code) is int and 400 <= code < 600 else 500), error_message(reply)


def error_message(reply: dict[str, Json]) -> str:
    """Return the message in an error's body: the dialects store it in different places."""
    error = reply.get("error") or reply
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    try:
        return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    except RecursionError:  # reading it needs less of the stack than writing it
        return "no reason that could be read"


def reason_of(body: bytes) -> str:
    """Return the message in an error's body, JSON or not."""
    try:
        return error_message(parse(body))
    except Malformed:
        return body.decode(errors="replace") or "no reason given"


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait by the Retry-After header, in either of its forms; 0 if there is
    none.

    A date is compared with the server's own clock, if the reply shows it.
    """
    value = headers.get("Retry-After")
    if not value:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    until = _seconds(value)
    return max(0.0, until - (_seconds(headers.get("Date", "")) or time.time())) if until else 0.0


def _seconds(date: str) -> float | None:
    try:
        parsed = email.utils.parsedate_tz(date)
        return float(email.utils.mktime_tz(parsed)) if parsed else None
    except (ValueError, OverflowError):  # a date beyond the calendar
        return None
