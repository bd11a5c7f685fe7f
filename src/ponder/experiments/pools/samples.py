"""The values that a pool is made of: samples of problems, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ponder.core.problem import AnswerType

FORMAT = 1
"""The version of the format, in the header's field ``pool``."""
SCORE = "score"
"""The name of a score that is a bare number."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One recorded sample. None is unknown; ``answer`` None is a sample that gave no answer.

    Answers of the same ``key`` are one vote. ``cut`` samples ended at their limit of tokens.
    ``reasoning`` is what the model thought apart from its text.
    ``verified`` is what each score cost to find, by the score's name and then by unit. ``extra``
    are fields that the format does not know; they are kept as they are.
    """

    answer: str | None
    correct: bool | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    tokens: float | None = None
    prompt_tokens: float | None = None
    seconds: float | None = None
    usd: float | None = None
    key: str | None = None
    cut: bool = False
    text: str | None = None
    verified: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    reasoning: str = ""

    def to_json(self) -> dict[str, Any]:
        """As in the file; what is unknown is left out, but for the answer and the tokens."""
        known: dict[str, Any] = {"answer": self.answer}
        if self.correct is not None:
            known["correct"] = self.correct
        if self.scores:
            only = self.scores.get(SCORE) if len(self.scores) == 1 else None
            known["score"] = dict(self.scores) if only is None else only
        known["tokens"] = self.tokens
        for name in ("prompt_tokens", "seconds", "usd", "key", "cut", "text"):
            value = getattr(self, name)
            if value is not None and value is not False:
                known[name] = value
        if self.reasoning:
            known["reasoning"] = self.reasoning
        if self.verified:
            known["verified"] = self.verified
        return {**known, **self.extra}


@dataclass(frozen=True, slots=True)
class Entry:
    """One problem of a pool: its gold answer and its samples, in the order of recording."""

    problem_id: str
    gold: Any
    answer_type: AnswerType
    samples: tuple[Sample, ...]
    level: str | float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As in the file."""
        known: dict[str, Any] = {
            "problem_id": self.problem_id,
            "gold": self.gold,
            "answer_type": self.answer_type,
        }
        if self.level is not None:
            known["level"] = self.level
        samples = [sample.to_json() for sample in self.samples]
        return {**known, **self.extra, "samples": samples}


@dataclass(frozen=True, slots=True)
class Header:
    """Where the samples come from. ``models`` is empty if that is unknown; ``rest`` is kept."""

    models: tuple[str, ...] = ()
    rest: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As in the file: one model as a string, several as a list."""
        model: Any = self.models[0] if len(self.models) == 1 else list(self.models)
        return {"pool": FORMAT, **({"model": model} if self.models else {}), **self.rest}

    def __str__(self) -> str:
        name = " and ".join(repr(m) for m in self.models) or "an unknown model"
        digest = self.rest.get("file_sha256")
        return f"{name} (file {str(digest)[:12]})" if digest else name

    @property
    def source(self) -> tuple[Any, ...]:
        """What must be equal for samples to count as those of one model."""
        return (self.models, self.rest.get("file_sha256"))

    @property
    def seeds(self) -> list[Any]:
        """The seeds that went into this pool."""
        parts = [self.rest, *(self.rest.get("merged") or [])]
        return [part["seed"] for part in parts if part.get("seed") is not None]


def first(entry: Entry, n: int) -> Entry:
    """The problem with the first n of its samples."""
    return replace(entry, samples=entry.samples[:n])
