"""Rows to learn from, as ``ponder learn export --format sft`` writes them, and their tokens.

A row's tokens are those of its prompt, as the chat template shows it before a reply, and then those
of the completion up to the mark that ends the turn. The two are tokenised apart, since the engine
that samples begins a reply after the prompt's own tokens, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import UsageError
from ponder.learning.rows.questions import digest, normalised
from ponder.models.fetch import sha256_of
from ponder.util.decoding import Malformed, decode, parse
from ponder.util.files import open_regular, raw_rows

LINE_LIMIT = 16 << 20
"""Most bytes of a row."""
_HASH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Row:
    """A lesson."""

    prompt: tuple[Mapping[str, str], ...]
    """The messages that the model is shown."""
    completion: tuple[Mapping[str, str], ...]
    """The messages that it learns to write."""
    side: str
    """Hash of its question, by which it is held out or not."""
    thinking: str = ""
    """The level of thinking that it teaches; '' if it says none."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of rows, for the card."""

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Example:
    """The tokens of a row."""

    tokens: tuple[int, ...]
    start: int
    """Number of tokens of the prompt: those after it are learned."""


def read(path: Path) -> tuple[list[Row], Source]:
    """Return the rows of a file.

    Raises:
        UsageError: it cannot be read, has no row, or a line is none; names the line.
    """
    found = []
    with open_regular(path, "the rows") as file:
        for number, line in raw_rows(file, path, LINE_LIMIT):
            try:
                found.append(_row(parse(line)))
            except Malformed as error:
                raise UsageError(
                    f"{path}, line {number}: {error}; expected a row of 'ponder learn export "
                    "--format sft', an object with the messages 'prompt' and 'completion'."
                ) from None
    if not found:
        raise UsageError(f"{path} has no rows: there is nothing to learn from.")
    return found, Source(path.name, sha256_of(path), len(found))


def _row(value: Any) -> Row:
    if not isinstance(value, dict):
        raise Malformed("it is not a JSON object")
    prompt, completion = _messages(value, "prompt"), _messages(value, "completion")
    asked = [one["content"] for one in prompt if one["role"] == "user"] or [""]
    known = value.get("ponder")
    about = known if isinstance(known, dict) else {}
    side, thinking = about.get("question_hash"), about.get("thinking")
    if not (isinstance(side, str) and _HASH.fullmatch(side)):
        side = digest(normalised(asked[-1]))
    return Row(prompt, completion, side, thinking if isinstance(thinking, str) else "")


def _messages(value: Mapping[str, Any], name: str) -> tuple[Mapping[str, str], ...]:
    if name not in value:
        raise Malformed(f"it has no {name!r}")
    found: tuple[Mapping[str, str], ...] = decode(
        tuple[Mapping[str, str], ...], value[name], repr(name)
    )
    if not found or any({"role", "content"} - one.keys() for one in found):
        raise Malformed(f"{name!r} must be messages, each with 'role' and 'content'")
    return found


def encode(rows: Sequence[Row], tokenizer: Any, longest: int) -> tuple[list[Example], int]:
    """Return the tokens of the rows, and the number of rows left out for their length.

    Raises:
        UsageError: the model has no chat template, or one that shows a prompt differently once a
            reply follows it.
    """
    if not tokenizer.chat_template:
        raise UsageError(
            "the model has no chat template, so its prompts cannot be told from its replies: use a "
            "model that follows instructions."
        )
    found = [_encoded(row, tokenizer) for row in rows]
    kept = [one for one in found if len(one.tokens) <= longest]
    return kept, len(found) - len(kept)


def _encoded(row: Row, tokenizer: Any) -> Example:
    prompt = _shown(tokenizer, row.prompt, add_generation_prompt=True)
    whole = _shown(tokenizer, (*row.prompt, *row.completion))
    if not whole.startswith(prompt):
        raise UsageError(
            "the model's chat template shows a prompt differently once a reply follows it: it "
            "cannot be trained on replies alone."
        )
    before = _tokens(tokenizer, prompt)
    after = _tokens(tokenizer, whole[len(prompt) :])
    ends = [i for i, token in enumerate(after) if token == tokenizer.eos_token_id]
    if ends:  # what a template writes after the mark, such as a line feed, is never sampled
        after = after[: ends[-1] + 1]
    return Example((*before, *after), len(before))


def _shown(tokenizer: Any, messages: Iterable[Mapping[str, str]], **how: bool) -> str:
    return str(tokenizer.apply_chat_template([*map(dict, messages)], tokenize=False, **how))


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
