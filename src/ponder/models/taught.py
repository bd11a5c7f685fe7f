"""The thinking of a model that was taught to think (``learning.thinking``), on the dial.

The card in the file beside its weights, ``NAME.json``, declares the levels that it was taught:

    {"card": {"thinking": ["low", "medium", "high"]}}

Its chat template knows nothing of thinking, so what is asked stands in the chat itself, as it stood
in the lessons:

============  ======================================================================================
setting       prompt
============  ======================================================================================
``off``       the model's turn begins with thinking that is closed at once
a level       ``Thinking: LEVEL`` as the last line of the question, and the model's turn begins with
              the mark that opens thinking
``auto``      the prompt as it is, as without a setting: the model begins as it likes
============  ======================================================================================

Of levels that it was not taught the nearest is asked for, and a number of tokens is a level.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ponder.core.problem import Message, offered
from ponder.core.text.marks import split
from ponder.core.thinking import Thinking
from ponder.models.base import (
    Capability,
    Completion,
    Counting,
    Model,
    ModelInfo,
    Mortal,
    Progress,
    Request,
    silent,
)
from ponder.models.thinking import LEVELS, level_of, nearest

FIELD = "thinking"
"""Name of the card's field that declares the levels."""
OPEN = "<think>\n"
"""Beginning of a turn with thinking, as ``core.marks.joined`` writes it."""
CLOSED = "<think>\n\n</think>\n\n"
"""Beginning of a turn without thinking."""


def levels_of(weights: Path) -> tuple[str, ...]:
    """Return the levels of thinking that a GGUF file's model was taught, weakest first; none if the
    file beside it declares none.
    """
    beside = weights.with_name(f"{weights.name.removesuffix('.gguf')}.json")
    try:
        facts = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    card = facts.get("card") if isinstance(facts, dict) else None
    declared = card.get(FIELD) if isinstance(card, dict) else None
    return _known(declared) if isinstance(declared, list) else ()


def declaration(levels: Iterable[object]) -> dict[str, list[str]]:
    """Return the part of a card that declares the levels of the lessons that a model learned; empty
    if none of them thinks.
    """
    known = _known(list(levels))
    return {FIELD: list(known)} if known else {}


def _known(levels: Sequence[object]) -> tuple[str, ...]:
    return tuple(level for level in LEVELS if level in levels and level != "off")


def asked(messages: Sequence[Message], level: str) -> tuple[Message, ...]:
    """Return a chat whose last question asks for a level of thinking; ``off`` and '' change
    nothing.
    """
    last = max((i for i, m in enumerate(messages) if m.role == "user"), default=None)
    if level in ("", "off") or last is None:
        return tuple(messages)
    question = messages[last]
    line = f"{question.content}\n\nThinking: {level}"
    return (*messages[:last], replace(question, content=line), *messages[last + 1 :])


class Taught:
    """A ``Model`` (with ``prefill``) that was taught to think at some levels."""

    def __init__(self, model: Model, levels: Sequence[str]) -> None:
        self._model, self._levels = model, tuple(levels)
        able: frozenset[Capability] = frozenset({"native_thinking"})
        self._info = replace(model.info, capabilities=model.info.capabilities | able)

    @property
    def info(self) -> ModelInfo:
        """The model's own, with thinking among its capabilities."""
        return self._info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return a bound for every setting."""
        forms = self._forms(messages, prefix)
        return max(self._model.prompt_bound(*form) for form in forms)

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return a bound for every setting."""
        forms = self._forms(messages, prefix)
        return min(self._model.prompt_least(*form) for form in forms)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Generate one sample, asking for its thinking in the chat."""
        level = self._level(request.thinking)
        messages, prefix = _form(request.messages, request.prefix, level)
        made = replace(request, messages=messages, prefix=prefix, thinking=None)
        return await self._model.generate(made, progress)

    async def count(self, text: str) -> int | None:
        """Return the model's own count, if it has one."""
        return await self._model.count(text) if isinstance(self._model, Counting) else None

    @property
    def dead(self) -> bool:
        """True once the model has ended (see ``Mortal``)."""
        return isinstance(self._model, Mortal) and self._model.dead

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()

    def _forms(
        self, messages: Sequence[Message], prefix: str
    ) -> Iterator[tuple[tuple[Message, ...], str]]:
        """Yield the chat and the prefix for each setting."""
        return (_form(messages, prefix, level) for level in ("", "off", *self._levels))

    def _level(self, thinking: Thinking | None) -> str:
        """Return ``off`` or the level to ask for; '' if the model chooses."""
        if thinking is None or thinking.level == "auto":
            return ""
        wanted = level_of(thinking)
        if wanted == "off":
            return wanted
        level = nearest(wanted, self._levels)
        if thinking.tokens:
            how = f"takes no number of tokens to think: thinking={thinking} is asked for as {level}"
            self._remark(f"{self._info.name} {how}.")
        elif level != wanted:
            how = f"was not taught thinking={wanted}: {level} is the nearest"
            self._remark(f"{self._info.name} {how}.")
        return level

    def _remark(self, remark: str) -> None:
        if remark not in self._info.remarks:
            self._info = replace(self._info, remarks=(*self._info.remarks, remark))


def _form(messages: Sequence[Message], prefix: str, level: str) -> tuple[tuple[Message, ...], str]:
    """Return the chat and the beginning of the model's turn that ask for a level.

    A turn that has begun says itself if it thinks. Calls of tools stand outside of a prefix, so
    where they are expected only the question asks.
    """
    tools = offered(messages)
    begins = not tools or tools.choice == "none"
    if level == "off" and begins and split(prefix) == ("", prefix, True):
        prefix = CLOSED + prefix
    elif level not in ("", "off") and begins and not prefix:
        prefix = OPEN
    return asked(messages, level), prefix
