"""Input and output formats of published process reward models (PRMs). Pure.

A PRM reads a question and a solution with a tag after each step, and scores each tag's place.

- ``qwen``: Qwen2.5-Math-PRM (Zhang 2025, arXiv 2501.07301). A chat whose assistant turn is the
  steps, each followed by ``<extra_0>``; two labels, (wrong, right); the softmax of the second.
- ``math_shepherd``: math-shepherd-mistral-7b-prm (Wang 2023, arXiv 2312.08935). The question, a
  blank, and each step as 'Step i: ... ки' on a line of its own; the logits of the next token at
  each ``ки``, of '+' and of '-'; the softmax of the first.
- ``skywork``: Skywork-o1-Open-PRM (2024). The question, a line break, and the steps, each encoded
  by itself and followed by the token of one line break; one value per token; the sigmoid of those
  at the line breaks behind the steps.
- ``classify``: any sequence classifier, asked once per step about the text so far; the probability
  of its last label (of two: (wrong, right)).

As the models' own cards and papers have it. Candidates are hostile: a tag, or a control token of a
chat template, inside a step is taken out, since it would add a place or end the turn.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ponder.core.errors import UnknownName, UsageError
from ponder.core.problem import Message
from ponder.core.steps import BETWEEN
from ponder.models import sound

Format = Literal["qwen", "math_shepherd", "skywork", "classify"]
FORMATS: tuple[Format, ...] = get_args(Format)
QWEN_TAG, SHEPHERD_TAG, SKYWORK_TAG = "<extra_0>", "ки", "\n"
GOOD, BAD = "+", "-"
QWEN_SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."
_CONTROL = re.compile(r"<\|[^|<>]{1,40}\|>|<extra_\d+>|ки")


class NotScores(Exception):
    """The reason why a reply does not have one score per step."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The input of a PRM."""

    question: str
    """The question as one text."""
    steps: tuple[str, ...]
    """The steps of the solution."""


def solution(messages: Sequence[Message]) -> Solution:
    """Return the solution in a request: the last message holds the steps, those before it the
    question.

    No step contains the separator.

    Raises:
        UsageError: the last message is not an assistant's: the caller wants the model to generate.
    """
    *asked, last = messages
    if last.role != "assistant":
        raise UsageError(
            "a reward model scores solutions and answers nothing: use it as --verifier "
            "process(NAME)."
        )
    return Solution(_question(asked), tuple(_clean(step) for step in last.content.split(BETWEEN)))


def _question(messages: Sequence[Message]) -> str:
    return BETWEEN.join(_CONTROL.sub("", m.content).strip() for m in messages)


def _clean(step: str) -> str:
    return _CONTROL.sub("", step).strip() or "."


def _line(step: str) -> str:
    """Return the step on one line: a line break is a tag, or part of one."""
    return " ".join(step.split("\n"))


def find_format(name: str) -> Format:
    """Return the format of that name.

    Raises:
        UnknownName: there is none.
    """
    for known in FORMATS:
        if name == known:
            return known
    raise UnknownName("format of a process reward model", name, FORMATS)


def chat(asked: Solution) -> list[dict[str, str]]:
    """Return the messages of ``qwen``."""
    return [
        {"role": "system", "content": QWEN_SYSTEM},
        {"role": "user", "content": asked.question},
        {"role": "assistant", "content": "".join(step + QWEN_TAG for step in asked.steps)},
    ]


def tagged(asked: Solution) -> str:
    """Return the text of ``math_shepherd``."""
    lines = [f"Step {i}: {_line(step)} {SHEPHERD_TAG}" for i, step in enumerate(asked.steps, 1)]
    return f"{asked.question} " + "\n".join(lines)


def pieces(asked: Solution) -> list[str]:
    """Return the texts that ``skywork`` encodes: the question with its line break, then each step.

    The token of the line break after a step is not included.
    """
    return [asked.question + SKYWORK_TAG, *map(_line, asked.steps)]


def growing(asked: Solution) -> list[str]:
    """Return the texts of ``classify``: question and steps so far, one for each step."""
    return [
        BETWEEN.join([asked.question, *asked.steps[:end]]) for end in range(1, len(asked.steps) + 1)
    ]


def scores_of(
    reply: Any, format: Format, asked: Solution, places: Sequence[int] = ()
) -> list[float]:
    """Return one score per step from a reply of vLLM's ``/pooling`` or ``/classify``.

    ``places`` are those of the steps' last tokens, for ``skywork``, whose reply is per token.

    Raises:
        NotScores: the reply has another shape.
    """
    try:
        rows = [item["probs"] if format == "classify" else item["data"] for item in reply["data"]]
        if format != "classify":
            [rows] = rows
        if format == "skywork":
            rows = [rows[place] for place in places]
        found = [score_of(row, format) for row in rows]
    except (TypeError, KeyError, ValueError, IndexError, OverflowError):
        raise NotScores("it has no scores in the shape of vLLM's API") from None
    if len(found) != len(asked.steps):
        raise NotScores(
            f"it has {len(found)} scores for {len(asked.steps)} steps: does the server pool by "
            "step (pooling type STEP, with the step tag's id)?"
        )
    return found


def score_of(row: Any, format: Format, *, logits: bool = False) -> float:
    """Return the score of one place, from 0 to 1.

    Servers send probabilities or logits, by version and flags: unless they are known to be
    ``logits``, values that sum to 1 are treated as probabilities.
    """
    values = [sound.number(value) for value in (row if isinstance(row, list) else [row])]
    if not values or not all(map(math.isfinite, values)):
        raise ValueError
    if format == "skywork" or (logits and len(values) == 1):
        [value] = values
        return sigmoid(value)
    if len(values) == 1:  # a single label with its probability
        [score] = values
    else:
        if logits or not _sums_to_one(values):
            values = _softmax(values)
        score = values[0 if format == "math_shepherd" else -1]
    if not 0 <= score <= 1.001:
        raise ValueError
    return min(1.0, score)


def _sums_to_one(values: Sequence[float]) -> bool:
    return min(values) >= 0 and math.isclose(math.fsum(values), 1.0, abs_tol=1e-3)


def _softmax(values: Sequence[float]) -> list[float]:
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    return [power / math.fsum(powers) for power in powers]


def sigmoid(value: float) -> float:
    """Return 1 / (1 + exp(-value)), without overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    power = math.exp(value)
    return power / (1 + power)


def packed(scores: Sequence[float]) -> str:
    """Return scores as the text of a completion."""
    return json.dumps(list(scores), allow_nan=False)


def usage_of(reply: Mapping[str, Any]) -> int | None:
    """Return the number of prompt tokens that the reply reports."""
    usage = reply.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return count if sound.is_count(count) else None
