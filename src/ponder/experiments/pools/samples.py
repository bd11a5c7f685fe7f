"""The values in a pool: samples of problems, and their origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ponder.core.problem import AnswerType

FORMAT = 1
"""Version of the format, in the header's field ``pool``."""
SCORE = "score"
"""Name of a score that is a bare number."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One recorded sample. None means unknown, except for ``answer``."""

    answer: str | None
    """None if the sample gave no answer."""
    correct: bool | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    """Scores by name."""
    tokens: float | None = None
    prompt_tokens: float | None = None
    seconds: float | None = None
    usd: float | None = None
    key: str | None = None
    """Answers with the same key are one vote."""
    cut: bool = False
    """True if the sample was truncated at its token limit."""
    text: str | None = None
    verified: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Cost of each score, by the score's name and then by unit."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields unknown to the format, kept as they are."""
    reasoning: str = ""
    """The model's thinking, which its API returns apart from the text."""

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in the file.

        Unknown values are omitted, except for answer and tokens.
        """
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
        """Return its JSON in the file."""
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
    """The origin of a pool's samples."""

    models: tuple[str, ...] = ()
    """Empty if unknown."""
    rest: Mapping[str, Any] = field(default_factory=dict)
    """Other fields, kept as they are."""

    def to_json(self) -> dict[str, Any]:
        """Return its JSON in the file: one model as a string, several as a list."""
        model: Any = self.models[0] if len(self.models) == 1 else list(self.models)
        return {"pool": FORMAT, **({"model": model} if self.models else {}), **self.rest}

    def __str__(self) -> str:
        name = " and ".join(repr(m) for m in self.models) or "an unknown model"
        digest = self.rest.get("file_sha256")
        return f"{name} (file {str(digest)[:12]})" if digest else name

    @property
    def source(self) -> tuple[Any, ...]:
        """The properties that samples of one model have in common."""
        return (self.models, self.rest.get("file_sha256"))

    @property
    def seeds(self) -> list[Any]:
        """The seeds that went into this pool."""
        parts = [self.rest, *(self.rest.get("merged") or [])]
        return [part["seed"] for part in parts if part.get("seed") is not None]


def first(entry: Entry, n: int) -> Entry:
    """Return the problem with the first n of its samples."""
    return replace(entry, samples=entry.samples[:n])
