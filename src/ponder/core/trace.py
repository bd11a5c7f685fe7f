"""Traces that a model generates, and the scores that a verifier gives them."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ponder.core.answer import Answer
from ponder.core.problem import Message, Problem
from ponder.core.text.marks import joined
from ponder.core.tools import ToolCall

Finish = Literal["stop", "length", "refusal", "error"]
"""Reason why a sample ended: by itself (or at a stop string, or with calls of tools), at a length
limit, because its content was withheld or truncated by a filter, or because its server failed while
generating it.
"""


@dataclass(frozen=True, slots=True)
class Delta:
    """An increment of a sample that is being generated."""

    text: str = ""
    """Text added; may be left out of a sample that nobody observes."""
    reasoning: str = ""
    """Reasoning added, likewise."""
    tokens: int = 0
    """Number of completion tokens so far."""
    prompt_tokens: int = 0
    """Number of prompt tokens, or an upper bound."""
    due: int | None = None
    """Completion tokens that a cancellation now would cost, if not ``tokens``."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One chain of reasoning, whole or partial."""

    problem: Problem = field(repr=False)
    text: str = ""
    """The whole assistant turn so far."""
    tokens: int = 0
    """Completion tokens spent on it."""
    finish: Finish | None = None
    """Reason why it ended; None while it can still be continued."""
    answer: Answer | None = None
    """The answer read from the text, if any."""
    logprobs: tuple[float, ...] | None = field(default=None, repr=False)
    """Natural log-probabilities, one per token; None if not requested."""
    id: str = ""
    """Path of the effect that made it: unique in a run, and the same in every run with the same
    seed.
    """
    parent: str = ""
    """Id of the trace that it continues; '' if none."""
    stopped_at: str = field(default="", repr=False, compare=False, kw_only=True)
    """The stop string that ended it, if its model says which; it is not recorded."""
    top: tuple[Mapping[str, float], ...] | None = field(default=None, repr=False, compare=False)
    """Natural log-probabilities of the likeliest tokens at each place; None if not requested."""
    reasoning: str = ""
    """The model's thinking, apart from the text; no answer is read from it."""
    blocks: str = field(default="", repr=False)
    """The vendor's own record of the turn as JSON (signatures, encrypted thinking), and who made
    it, for a conversation that goes on; '' if it has none.
    """
    calls: tuple[ToolCall, ...] = ()
    """The calls of tools that it ends with; they are its answer."""
    pieces: tuple[bytes, ...] | None = field(default=None, repr=False, compare=False)
    """UTF-8 bytes of each token, some of which are only a part of a character, beside ``logprobs``;
    None if not requested. Marks and stop strings may be among them that the text does not have.
    """

    @property
    def message(self) -> Message:
        """The assistant's turn, for a conversation that goes on after it."""
        text = self.text.strip() or ("" if self.calls else "(nothing)")
        return Message("assistant", text, self.blocks, self.calls)

    @property
    def turn(self) -> str:
        """The assistant's turn so far, as a model continues it: marked thinking, then text."""
        return joined(self.reasoning, self.text) if self.reasoning else self.text

    @property
    def inconclusive(self) -> bool:
        """True if it reached its length limit before it gave an answer."""
        return self.finish == "length" and self.answer is None

    @classmethod
    def empty(cls, problem: Problem) -> Trace:
        """Return an empty trace."""
        return cls(problem)

    def forked(self, name: str, text: str) -> Trace:
        """Return a trace with that id and another text, which can be continued."""
        return replace(self, id=name, text=text, finish=None, answer=None, blocks="", calls=())

    @property
    def done(self) -> bool:
        """True if the trace has ended."""
        return self.finish is not None

    @property
    def cut(self) -> bool:
        """True if the trace was truncated: it ended before the model was done."""
        return self.finish not in (None, "stop")

    @property
    def order(self) -> tuple[int, ...]:
        """Sort key: the order in which traces were requested, whatever finished first."""
        return _order(self.id)


@dataclass(frozen=True, slots=True)
class Ran:
    """The outcome of a program that was run for its output."""

    answer: Answer | None
    """The answer that it printed, if any."""
    output: str = ""
    """The end of what it printed."""
    why: str = ""
    """One sentence on why there is no answer; '' if there is one."""


_LATE = 2**32
"""Offset for traces added by steering, which sort after all others."""


@functools.lru_cache(maxsize=8192)
def _order(path: str) -> tuple[int, ...]:
    parts = [part for part in path.split(".") if part]
    return tuple(_LATE + int(p[1:]) if p.startswith("s") else int(p) for p in parts)


Verdict = Literal["pass", "fail", "error", "timeout", "abstain", "scored"]
ROUNDING = 1e-9
"""Rounding tolerance: a score this far outside [0, 1] is set to the bound."""


@dataclass(frozen=True, slots=True)
class Score:
    """A verifier's score of one trace.

    A value outside [0, 1], whichever verifier made it, counts as an error of that verifier about
    this trace: it becomes an abstention with that reason.
    """

    value: float | None
    """A number in [0, 1], or None for an abstention."""
    verifier: str
    """Name of the verifier."""
    detail: str = ""
    """One line for a person."""
    verdict: Verdict | None = None
    """``pass`` or ``fail`` if there is nothing in between, ``error`` or ``timeout`` if the check
    did not complete, ``abstain`` without a value, ``scored`` for any other value.
    """

    def __post_init__(self) -> None:
        if self.value is not None and not (
            type(self.value) in (float, int) and 0 <= self.value <= 1
        ):
            self._bound(self.value)
        if self.verdict is None:
            object.__setattr__(self, "verdict", "abstain" if self.value is None else "scored")

    def _bound(self, value: object) -> None:
        number = float(value) if isinstance(value, float | int) and abs(value) < 2 else math.nan
        if -ROUNDING <= number <= 1 + ROUNDING:  # false for NaN too
            object.__setattr__(self, "value", min(1.0, max(0.0, number)))
            return
        finite = isinstance(value, float) or (isinstance(value, int) and abs(value) < 1e300)
        said = f"{value:g}" if finite else f"a value of type {type(value).__name__}"
        object.__setattr__(self, "value", None)
        object.__setattr__(self, "verdict", "error")
        detail = f"expected a score from 0 to 1, not {said}"
        object.__setattr__(self, "detail", f"{detail}; {self.detail}" if self.detail else detail)


def rank(judged: tuple[Trace, Score]) -> tuple[bool, float]:
    """Return the sort key of a trace: an answer before none, then the score; abstentions last."""
    trace, score = judged
    return trace.answer is not None, -math.inf if score.value is None else score.value
