"""What a model produced, and what a verifier thinks of it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ponder.core.answer import Answer
from ponder.core.problem import Problem

Finish = Literal["stop", "length", "refusal", "error"]
"""Why a sample ended: by itself (or at a stop string), at a limit of its length, since it was
withheld or cut off for what it says, or since its server failed in the middle of it."""


@dataclass(frozen=True, slots=True)
class Delta:
    """An increment of a sample that is being generated."""

    text: str = ""
    """What was added to its text; of a sample that nobody watches, it may be left out."""
    reasoning: str = ""
    """What was added to its reasoning, likewise."""
    tokens: int = 0
    """Number of completion tokens so far."""
    prompt_tokens: int = 0
    """Number of tokens of its prompt, or a bound of it."""
    due: int | None = None
    """Number of completion tokens that it costs should it be cancelled now, if not ``tokens``."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One chain of reasoning, whole or partial.

    ``text`` is the whole assistant turn so far, ``tokens`` the completion tokens spent on it.
    ``reasoning`` is what the model thought apart from that: no answer is read from it.
    ``finish`` is None while the chain can still be continued. ``logprobs`` are natural logarithms,
    one per token, or None where none were asked for; ``top`` those of the likeliest tokens at each
    place. ``id`` is the path of the effect that made it: unique in a run, and the same in every run
    with the same seed.
    """

    problem: Problem = field(repr=False)
    text: str = ""
    tokens: int = 0
    finish: Finish | None = None
    answer: Answer | None = None
    logprobs: tuple[float, ...] | None = field(default=None, repr=False)
    id: str = ""
    parent: str = ""
    top: tuple[Mapping[str, float], ...] | None = field(default=None, repr=False, compare=False)
    reasoning: str = ""

    @classmethod
    def empty(cls, problem: Problem) -> Trace:
        """The chain of which nothing is written yet."""
        return cls(problem)

    def forked(self, name: str, text: str) -> Trace:
        """A trace of that id with another text, which can be continued."""
        return replace(self, id=name, text=text, finish=None, answer=None)

    @property
    def done(self) -> bool:
        """True if the chain has ended."""
        return self.finish is not None

    @property
    def cut(self) -> bool:
        """True if the chain has ended before the model was done with it."""
        return self.finish not in (None, "stop")

    @property
    def order(self) -> tuple[int, ...]:
        """Sorts traces as they were asked for, whatever finished first."""
        return _order(self.id)


_LATE = 2**32
"""Added to the places of what was made by steering: it was asked for after all else."""


@functools.lru_cache(maxsize=8192)
def _order(path: str) -> tuple[int, ...]:
    parts = [part for part in path.split(".") if part]
    return tuple(_LATE + int(p[1:]) if p.startswith("s") else int(p) for p in parts)


Verdict = Literal["pass", "fail", "error", "timeout", "abstain", "scored"]
ROUNDING = 1e-9
"""A score may be so far outside of [0, 1] by rounding, and is then the bound itself."""


@dataclass(frozen=True, slots=True)
class Score:
    """A verifier's opinion of one trace: ``value`` in [0, 1], or None for an abstention.

    ``verdict`` says it in a word: ``pass`` or ``fail`` where there is nothing between, ``error`` or
    ``timeout`` where what was checked did not come to its end, ``abstain`` without a value, and
    ``scored`` for any other value. ``detail`` is one line for a person.

    Whichever verifier made it, a value that is no number from 0 to 1 is an error of that verifier
    about that one trace: an abstention that says so.
    """

    value: float | None
    verifier: str
    detail: str = ""
    verdict: Verdict | None = None

    def __post_init__(self) -> None:
        if self.value is not None and not (
            type(self.value) in (float, int) and 0 <= self.value <= 1
        ):
            self._bound(self.value)
        if self.verdict is None:
            object.__setattr__(self, "verdict", "abstain" if self.value is None else "scored")

    def _bound(self, value: object) -> None:
        number = float(value) if isinstance(value, float | int) and abs(value) < 2 else math.nan
        if -ROUNDING <= number <= 1 + ROUNDING:  # not so of NaN
            object.__setattr__(self, "value", min(1.0, max(0.0, number)))
            return
        finite = isinstance(value, float) or (isinstance(value, int) and abs(value) < 1e300)
        said = f"{value:g}" if finite else f"a value of type {type(value).__name__}"
        object.__setattr__(self, "value", None)
        object.__setattr__(self, "verdict", "error")
        detail = f"expected a score from 0 to 1, not {said}"
        object.__setattr__(self, "detail", f"{detail}; {self.detail}" if self.detail else detail)


def rank(judged: tuple[Trace, Score]) -> tuple[bool, float]:
    """What to compare chains by: an answer before none, then the score; abstentions come last."""
    trace, score = judged
    return trace.answer is not None, -math.inf if score.value is None else score.value
