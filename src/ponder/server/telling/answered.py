"""From a run's result to the parts of a reply that every API has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ponder.core.trace import Trace
from ponder.runtime.continuing import begun
from ponder.runtime.result import Result
from ponder.server.asking.asked import Planned
from ponder.server.errors import ONCE, ApiError

Ending = Literal["stop", "length", "refusal", "calls"]
"""Reason why the reply ended."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a reply, all that its run has spent."""

    prompt: int = 0
    """Prompt tokens of all requests."""
    cached: int = 0
    """The part of them that was read from a cache."""
    completion: int = 0
    """Tokens that were generated, wasted ones included."""
    reasoning: int = 0
    """The part of them that is not in the reply: all thinking, of all samples."""

    def plus(self, other: Tokens) -> Tokens:
        """Return the sum of both."""
        return Tokens(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, whichever API it goes out by."""

    content: str
    """The text of the answer."""
    reasoning: str
    """The model's own thinking that led to it."""
    ending: Ending
    """Reason why it ended."""
    tokens: Tokens
    """The tokens that were spent."""
    ponder: dict[str, Any]
    """The run: its ID, what was decided, the confidence, and the receipt."""
    trace: Trace
    """The sample that it came from."""


def reply(result: Result, planned: Planned) -> Reply:
    """Return the reply.

    Raises:
        ApiError: there is no answer, or none of the form that was asked for: valid JSON, or a
            call of a tool.
    """
    trace = result.trace
    if trace is None:
        raise _none(
            f"the run ended by {result.stopped_by} before a sample was complete: give it a larger "
            "budget or more time.",
            "no_answer",
            result,
            planned,
        )
    content = _content(result, planned, trace)
    ending: Ending = "length"
    if trace.finish == "refusal":
        ending = "refusal"
    elif trace.finish == "stop" or (trace.answer is not None and not planned.plain):
        ending = "calls" if trace.calls else "stop"
    return Reply(content, trace.reasoning, ending, tokens(result), told(result, planned), trace)


def _content(result: Result, planned: Planned, trace: Trace) -> str:
    answer, text, tools = result.answer, trace.text, planned.spec.problem.tools
    if begun(planned.spec.problem.messages):
        return text
    if trace.calls:
        return text.strip()
    if tools and tools.forced and trace.finish == "stop":
        raise _none(
            "no sample called a tool, as tool_choice asks: try again with more effort, or take a "
            "model that calls tools more reliably.",
            "no_valid_answer",
            result,
            planned,
        )
    if planned.spec.problem.answer_type == "json":
        if answer is None:
            raise _none(
                "no sample gave JSON of the form that was asked for: try again with more effort, a "
                "higher limit of tokens, or a simpler schema.",
                "no_valid_answer",
                result,
                planned,
            )
        return answer
    if planned.plain or answer is None or answer in text:
        return text.strip() if text else (answer or "")
    return f"{text.strip()}\n\n{answer}".strip()  # a program's output, or a choice's name


def _none(message: str, code: str, result: Result, planned: Planned) -> ApiError:
    more = {"ponder": told(result, planned)}
    return ApiError(message, 502, "server_error", code=code, headers=ONCE, more=more)


def tokens(result: Result) -> Tokens:
    """Return what a run has spent."""
    total = result.receipt.total
    made = total.completion_tokens + total.wasted_tokens
    shown = _shown(result.trace, total.reasoning_tokens, alone=total.calls <= 1)
    return Tokens(total.prompt_tokens, total.cached_tokens, made, made - min(shown, made))


def _shown(trace: Trace | None, thought: int, *, alone: bool) -> int:
    """Return the tokens of the reply itself. Of several samples only the sum of their thinking is
    known; this one's part of it is taken by the length of its texts.
    """
    if trace is None:
        return 0
    if alone or not trace.reasoning or not thought:
        return max(0, trace.tokens - thought) if alone else trace.tokens
    whole = len(trace.text) + len(trace.reasoning)
    return trace.tokens * len(trace.text) // max(1, whole)


def told(result: Result, planned: Planned) -> dict[str, Any]:
    """Return the ``ponder`` object of a reply."""
    known = {
        "run": result.run,
        "effort": planned.effort,
        "strategy": result.strategy,
        "knobs": result.knobs,
        "model": result.model,
        "answer": result.answer,
        "answer_type": planned.spec.problem.answer_type,
        "confidence": result.confidence,
        "stopped_by": result.stopped_by,
        "decided": [f"{result.strategy}: {planned.why}", *result.decided],
        "candidates": [
            {"answer": c.answer, "votes": c.votes, "score": c.score} for c in result.candidates
        ],
        "receipt": result.receipt.to_json(),
    }
    rare = {"calibrated": result.calibrated, "lost": result.lost}
    return {**known, **{name: value for name, value in rare.items() if value}}
