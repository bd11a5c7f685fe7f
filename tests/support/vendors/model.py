"""The model behind every fixture: it thinks in sentences, answers 42, and its tokens are words.

So the tokens that a server bills have a closed form, whatever the wire they are told over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Finish = Literal["stop", "length", "content_filter"]

ANSWER = "Six times seven is \\boxed{42}."
REFUSAL = "I cannot help with that."
SENTENCES = {
    "none": 0,
    "minimal": 1,
    "low": 2,
    "medium": 4,
    "high": 8,
    "xhigh": 12,
    "max": 16,
}
"""Number of sentences that a level of effort makes the model think."""
PER_MESSAGE = 4
"""Tokens that the chat template adds to each message."""


def tokens(text: str) -> tuple[str, ...]:
    """The words of a text, each with the space before it: joined they are the text."""
    return tuple(re.findall(r"\s*\S+\s*\Z|\s*\S+|\s+", text))


def thoughts(effort: str) -> str:
    """The thinking of one level: six tokens a sentence."""
    return " ".join(f"Six times {k} is {6 * k}, on." for k in range(1, SENTENCES[effort] + 1))


def content(message: Mapping[str, Any]) -> str:
    """The text of a message, whether it is a string or a list of parts."""
    body = message.get("content") or ""
    return body if isinstance(body, str) else "".join(part.get("text", "") for part in body)


def prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Number of tokens of a prompt."""
    return sum(PER_MESSAGE + len(tokens(content(message))) for message in messages)


@dataclass(frozen=True)
class Script:
    """What a model generates when nothing limits it."""

    text: str = ANSWER
    effort: str = "none"
    """Its level of thinking unless the request names another."""
    finish: Finish = "stop"
    refuses: bool = False
    """True if the text is a refusal, in the field that the wire has for one."""
    cached: int = 0
    """Tokens of the prompt that were in the server's cache."""


@dataclass(frozen=True)
class Generated:
    """One sample, in tokens."""

    thinking: tuple[str, ...]
    text: tuple[str, ...]
    finish: Finish
    refuses: bool = False
    unseen: int = 0
    """Tokens that were generated and not returned: those of the stop string."""
    stop: str | None = None
    """The stop string that ended it."""
    echoed: str = ""
    """A prefix that the server returns again before the text; it is not generated."""

    @property
    def tokens(self) -> int:
        """All tokens that were generated."""
        return len(self.thinking) + len(self.text) + self.unseen


def generate(
    script: Script,
    *,
    effort: str | None = None,
    limit: int | None = None,
    budget: int | None = None,
    stop: Sequence[str] = (),
    prefix: str = "",
    raw: str | None = None,
) -> Generated:
    """Let the script run: ``limit`` is for thinking and text together, ``budget`` for thinking.

    With a prefix that the text begins with, what is generated is the rest of the text, without
    thinking. Stop strings are looked for in the text alone. ``raw`` writes the thinking into the
    text, where a server has no parser for it.
    """
    thinking = tokens(thoughts(effort or script.effort))[:budget]
    text = script.text
    if prefix:
        thinking, text = (), text.removeprefix(prefix)
    if raw and thinking:
        thinking, text = (), raw.format(thinking="".join(thinking), text=text)
    if limit is not None and len(thinking) >= limit:
        return Generated(thinking[:limit], (), "length", script.refuses)
    left = None if limit is None else limit - len(thinking)
    words, met = tokens(text), None
    found = [(text.find(mark), mark) for mark in stop if mark in text]
    unseen = 0
    if found:
        at, met = min(found)
        needed = _needed(words, at + len(met))
        words = tokens(text[:at])
        unseen = needed - len(words)
    if left is not None and left < len(words) + unseen:
        return Generated(thinking, tokens(text)[:left], "length", script.refuses)
    finish: Finish = "stop" if met else script.finish
    return Generated(thinking, words, finish, script.refuses, unseen, met)


def _needed(words: Sequence[str], length: int) -> int:
    """Number of words that a beginning of that many characters needs."""
    reached = 0
    for count, word in enumerate(words, 1):
        reached += len(word)
        if reached >= length:
            return count
    return len(words)


def pieces(words: Sequence[str], size: int) -> list[str]:
    """The words as a stream sends them, ``size`` to a piece."""
    return ["".join(words[at : at + size]) for at in range(0, len(words), size)]
