"""The one Protocol that every model speaks, and the values that cross it.

One request is one sample. Batching is the engine's business, not the signature's: callers start as
many requests as they want at once, and the engine batches what is in flight. That keeps the sample
the unit of everything else (journal, budget, failure, cancellation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from ponder.core.errors import CapabilityError, MalformedReply
from ponder.core.problem import Message
from ponder.core.thinking import Thinking
from ponder.core.trace import Delta, Finish
from ponder.models import sound

Capability = Literal["prefill", "logprobs", "top_logprobs", "seed", "stop", "n", "native_thinking"]


@dataclass(frozen=True, slots=True)
class Request:
    """One sample to generate.

    ``prefix`` is the beginning of the assistant's turn, to be continued (needs ``prefill``); it is
    not repeated in the completion. ``max_tokens`` bounds the completion. ``temperature`` 0 is
    greedy. ``seed`` is in [0, 2**31). Generation stops before any string of ``stop``.
    ``top_logprobs`` is how many of the likeliest tokens are wanted at each place (0: none).
    ``thinking`` is asked of the model's own thinking (needs ``native_thinking``). ``watched`` is
    True if somebody reads the text as it grows: otherwise a model need not tell it before its end.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    prefix: str = ""
    temperature: float = 0.8
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    thinking: Thinking | None = None
    watched: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back.

    ``cached_tokens`` of the ``prompt_tokens`` were not evaluated anew. ``wasted_tokens`` were
    generated in attempts that failed before this one. ``logprobs`` has one natural logarithm per
    completion token (untempered), or is None where none were asked for. ``seconds`` is wall time.
    ``top`` has, per completion token, the likeliest tokens and their natural log-probabilities.
    ``stopped_at`` is the stop string that ended it, '' if the model ended by itself, None if that
    is unknown. ``reasoning`` is what the model thought by itself, apart from the text, and
    ``reasoning_tokens``, where it says so, are the part of ``completion_tokens`` spent on that.

    Every completion is sound, whichever model made it: the text can be written as UTF-8, and
    log-probabilities are finite and not above 0; if one of them is not, there are none.

    Raises:
        MalformedReply: a count is not a whole number from 0 to 2**53.
    """

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    wasted_tokens: int = 0
    logprobs: tuple[float, ...] | None = None
    seconds: float = 0.0
    top: tuple[Mapping[str, float], ...] | None = None
    stopped_at: str | None = None
    reasoning: str = ""
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        prompt, completion = self.prompt_tokens, self.completion_tokens
        for count in (
            prompt, completion, self.cached_tokens, self.wasted_tokens, self.reasoning_tokens,
        ):  # fmt: skip
            if type(count) is not int or not 0 <= count <= sound.MOST_TOKENS:
                raise MalformedReply(
                    "the model counts tokens in other than whole numbers up to 2**53."
                )
        if (text := sound.whole(self.text)) is not self.text:
            object.__setattr__(self, "text", text)
        if self.reasoning:
            object.__setattr__(self, "reasoning", sound.whole(self.reasoning))
        if self.logprobs and (chances := sound.chances(self.logprobs)) is not self.logprobs:
            object.__setattr__(self, "logprobs", chances)
        if self.top:
            object.__setattr__(self, "top", sound.alternatives(self.top))


@dataclass(frozen=True, slots=True)
class Shape:
    """What FLOPs are computed from. Zero ``parameters`` means unknown: FLOPs are then zero.
    A table of embeddings that is only looked up is not among them.

    ``attention`` is the number of layers times the width of the attention output
    (heads x head dimension): attending from one token to one earlier token costs 4 x that.
    """

    parameters: int = 0
    attention: int = 0

    def flops(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> int:
        """FLOPs of one request: 2 x parameters per evaluated token (Kaplan 2020, section 2.1), plus
        4 x attention for each earlier token that it attends to. Cached tokens are not evaluated.
        """
        end = prompt_tokens + completion_tokens
        attended = (end * (end - 1) - cached_tokens * (cached_tokens - 1)) // 2
        return 2 * self.parameters * (end - cached_tokens) + 4 * self.attention * attended


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model before the first request.

    ``context`` is the most tokens that prompt and completion may have together (0: unknown).
    ``local`` models cost no dollars.
    """

    name: str
    capabilities: frozenset[Capability]
    shape: Shape = Shape()
    context: int = 0
    local: bool = False

    def check(self, thinking: Thinking | None) -> None:
        """Refuse a wish about thinking that the model knows nothing of.

        Raises:
            CapabilityError: it has no thinking of its own.
        """
        if thinking is not None and "native_thinking" not in self.capabilities:
            raise CapabilityError(
                f"thinking={thinking} is asked of {self.name}, which has no thinking of its own "
                "that could be set: leave it out, or, if this endpoint has it, say capabilities = "
                '["native_thinking", ...] in ponder.toml.'
            )


Progress = Callable[[Delta], None]
"""Called as a sample grows. If the caller cancels, the last call says what the sample has cost. Of
a request that is ``watched``, the deltas' texts, one after the other, are the completion's."""


def silent(delta: Delta) -> None:
    """The Progress of a caller who does not watch."""


class Pricing(Protocol):
    """Dollars of a request, as picodollars (1e-12 USD), so that sums are exact."""

    def __call__(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> int:
        """Price of one request with these counts; ``cached_tokens`` is part of the prompt's."""
        ...


class Model(Protocol):
    """A language model that continues a chat."""

    @property
    def info(self) -> ModelInfo:
        """Name, capabilities, size."""
        ...

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """An upper bound on the prompt's tokens: exact where the tokenizer is at hand."""
        ...

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Generate one sample; many may be in flight at once.

        Cancelling the awaiting task stops the generation at its source. With failed attempts
        included, no more than ``prompt_bound`` prompt tokens are spent, and no more than
        ``request.max_tokens`` generated.

        Raises:
            ModelError: the sample is lost (see ``core.errors``).
        """
        ...

    async def close(self) -> None:
        """Release connections, threads and memory. Idempotent."""
        ...


@runtime_checkable
class Mortal(Protocol):
    """A model in a process that may end by itself; then it is of no more use."""

    @property
    def dead(self) -> bool:
        """True once it has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Priced:
    """A model and what its requests cost, if anybody knows."""

    model: Model
    pricing: Pricing | None = None
