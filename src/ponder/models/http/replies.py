"""Replies of any vendor, without any I/O: samples, usage, and its division among samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from ponder.core.errors import MalformedReply
from ponder.core.tools import ToolCall
from ponder.core.trace import Finish
from ponder.models import sound
from ponder.models.apart import part, settled
from ponder.models.base import Completion, Request
from ponder.models.calls import length, named
from ponder.models.http.echo import Echo
from ponder.models.http.received import CHARACTERS, Malformed, least_tokens

Json = Any  # what json.loads returns; nothing below trusts it
WIDEST = 12
"""Most characters per token, on average over a whole text, that are credible."""
SHORT = 64
"""Characters of a text that may be longer than that: it is too short for an average."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of attempts that failed."""

    prompt: int = 0
    completion: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage that a reply reports, all of its samples together; None for a missing count."""

    prompt: int | None = None
    completion: int | None = None
    """Every token that is billed as output, thinking included."""
    cached: int = 0
    reasoning: int = 0
    """Number of completion tokens spent on thinking, as far as it is reported."""
    stored: int = 0
    """As in ``Completion``, like the next."""
    hour: int = 0

    @classmethod
    def of(
        cls,
        prompt: object,
        completion: object,
        total: object = None,
        cached: object = None,
        reasoning: object = None,
        stored: object = None,
        hour: object = None,
    ) -> Usage | None:
        """Return the usage by the values of a reply, whatever they are; None if none is a count.

        Some vendors count thinking within the completion, others beside it. ``total`` decides: what
        it holds beyond the prompt was generated.
        """
        asked, made, both = sound.count(prompt), sound.count(completion), sound.count(total)
        if asked is None and made is None and not both:
            return None
        thought = sound.count(reasoning) or 0
        if asked is None and both and made is not None and both > made:
            asked = both - made
        if both and asked is not None and both >= asked:
            made = max(made or 0, both - asked)
        if made is not None and not both and thought > made:
            made += thought
        reused = min(sound.count(cached) or 0, asked or 0)
        written = min(sound.count(stored) or 0, (asked or 0) - reused)
        return cls(
            asked,
            made,
            reused,
            thought if made is None else min(thought, made),
            written,
            min(sound.count(hour) or 0, written),
        )

    def spent(self, worst: Spent, prompt: int, completion: int) -> Spent:
        """Return the cost of a lost sample: a count that is missing at its ``worst``, none below
        ``prompt`` and ``completion`` tokens.
        """
        return Spent(
            worst.prompt if self.prompt is None else max(self.prompt, prompt),
            worst.completion if self.completion is None else max(self.completion, completion),
        )

    def merged(self, later: Usage | None) -> Usage:
        """Return the usage after a later report: its counts, where it has them."""
        if later is None:
            return self
        return Usage(
            self.prompt if later.prompt is None else later.prompt,
            self.completion if later.completion is None else later.completion,
            later.cached or self.cached,
            later.reasoning or self.reasoning,
            later.stored or self.stored,
            later.hour or self.hour,
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a choice or of a chunk of one, as far as they are listed and were requested."""

    count: int = 0
    """Number of tokens listed."""
    logprobs: tuple[float, ...] | None = None
    """One per token; NaN for one that is not a number."""
    top: tuple[Mapping[str, float], ...] | None = None
    """The likeliest tokens at each place, at most as many as were requested."""
    pieces: tuple[bytes, ...] | None = None
    """The UTF-8 bytes of each; None if not requested, or not listed for each."""


NOTHING = Tokens()


@dataclass(frozen=True, slots=True)
class Choice:
    """One sample of a reply."""

    text: str
    finish: Finish
    tokens: Tokens = NOTHING
    stopped_at: str | None = None
    """As in ``Completion``, but not checked: any text."""
    counted: int = 0
    """Number of its tokens by the server's count, if that is above the requested number."""
    reasoning: str = ""
    """The thinking before the text."""
    blocks: str = ""
    """As in ``Completion``, without its maker."""
    characters: int = 0
    """Length of all that was generated, as far as known."""
    doubled: bool = False
    """True if it began with the prefix that it was to continue, which was taken out."""
    calls: tuple[ToolCall, ...] = ()
    """As in ``Completion``; ids may be missing."""

    @property
    def size(self) -> int:
        """Number of characters that must have been generated."""
        return max(self.characters, len(self.text) + len(self.reasoning) + length(self.calls))

    @property
    def weight(self) -> int:
        """Return a number proportional to its tokens, as far as known."""
        return self.tokens.count or self.size + 1

    def least(self, most: int) -> int:
        """Return the fewest tokens that it can have; ``most`` is the requested number."""
        cut = most if self.finish == "length" and self.size > most * 2 else 0
        return max(self.tokens.count, cut, least_tokens(self.size))

    def undoubled(self, prefix: str) -> Choice:
        """Return it without the prefix, if it begins with that again."""
        echo = Echo(prefix)
        text = echo.feed(self.text)
        return replace(self, text=text, characters=self.size, doubled=True) if echo.met else self

    def parted(self, prefix: str, *, opened: bool) -> Choice:
        """Return it with the thinking that is marked in its text taken out of it.

        ``prefix`` was continued; ``opened`` if the prompt begins the thinking, which counts only
        where the server has not taken any out itself. Whatever continues a text is text: vLLM's
        parsers take it for thinking, since it has no closing mark.
        """
        if self.reasoning and settled(prefix):
            text = self.reasoning + self.text
            return replace(self, text=text, reasoning="", characters=self.size)
        reasoning, text = part(self.text, prefix, opened=opened and not self.reasoning)
        if text == self.text and not reasoning:
            return self
        between = "\n\n" if self.reasoning and reasoning else ""
        return replace(
            self, text=text, reasoning=self.reasoning + between + reasoning, characters=self.size
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with at least one usable choice."""

    choices: list[Choice | Malformed]
    usage: Usage | None
    """None if it was not reported, or is not credible."""
    partial: bool = field(default=False, kw_only=True)
    """True if the usage that was reported covers only the first of several choices."""

    def checked(self, request: Request) -> Reply:
        """Return the reply with a usage that is credible.

        A usage is not, if texts of this length must have cost more. With several choices, some
        servers count the first alone; the rest is then booked in proportion.
        """
        usage, made = self.usage, [c for c in self.choices if isinstance(c, Choice)]
        if usage is None or usage.completion is None:
            return self
        if self.partial or len(made) > 1:
            floors = sum(choice.least(request.max_tokens) for choice in made)
            size = sum(choice.size for choice in made)
            most = usage.completion * WIDEST + SHORT  # characters that so many tokens may well have
            short = usage.completion < floors or size > most * len(made)
            if self.partial or (made[0].size <= most and short):
                scaled = -(-usage.completion * sum(c.weight for c in made) // made[0].weight)
                completion = min(max(scaled, floors), request.max_tokens * len(made))
                return replace(self, usage=replace(usage, completion=completion), partial=True)
        if usage.completion < sum(least_tokens(choice.size) for choice in made):
            return replace(self, usage=None)
        return self


def parse(body: bytes | str) -> dict[str, Json]:
    """Return one JSON object, or raise ``Malformed``."""
    try:
        reply = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        reply = _leniently(body)
    if not isinstance(reply, dict):
        raise Malformed("it is not a JSON object")
    return reply


def _leniently(body: bytes | str) -> Json:
    """Return JSON that is not strict (NaN, half of a character), which takes longer; else None."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


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

    The prompt is booked on the first. A count that is missing is booked at its worst case.
    """
    usage, most = reply.usage or Usage(), request.max_tokens
    choices = list(reply.choices)
    if len(choices) < samples:
        missing = Malformed("it has fewer choices than were asked for")
        choices += [missing] * (samples - len(choices))
    if usage.completion is None:
        counts = [max(most, c.counted) if isinstance(c, Choice) else most for c in choices]
    else:
        weights = [c.weight if isinstance(c, Choice) else 0 for c in choices]
        counts = share(usage.completion, weights, most)
    lengths = [len(c.reasoning) if isinstance(c, Choice) else 0 for c in choices]
    thoughts = share(usage.reasoning, lengths, most) if usage.reasoning else [0] * len(choices)
    prompt, cached = bound if usage.prompt is None else usage.prompt, usage.cached
    stored, hour = usage.stored, usage.hour
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
                choice.blocks,
                stored,
                hour,
                named(choice.calls, request),
                choice.tokens.pieces,
            )
        else:
            outcome = MalformedReply(
                f"{who} sent a malformed reply: {choice}",
                prompt_tokens=prompt,
                completion_tokens=tokens,
            )
        outcomes.append(outcome)
        prompt = cached = stored = hour = 0
    return outcomes
