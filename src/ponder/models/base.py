"""The Protocol of every model, and the values that cross it.

One request is one sample. Batching is the engine's task, not the signature's: callers start as many
requests as they want at once, and the engine batches those in flight. So the sample stays the unit
of everything else (journal, budget, failure, cancellation).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from ponder.core.errors import CapabilityError, MalformedReply
from ponder.core.problem import Message
from ponder.core.steps import check_stops
from ponder.core.thinking import Thinking
from ponder.core.tools import ToolCall
from ponder.core.trace import Delta, Finish
from ponder.models import sound

Capability = Literal[
    "prefill", "logprobs", "top_logprobs", "first_logprobs", "seed", "stop", "n", "native_thinking",
    "tools", "images", "schema",
]  # fmt: skip
"""``first_logprobs``: the likeliest tokens can be reported for a greedy sample of one token alone;
``top_logprobs``: at each place of every sample. ``tools``: it calls tools; ``images``: it sees
them; ``schema``: its server holds a text to a JSON Schema.
"""

Api = Literal["chat", "responses", "messages", "gemini"]
"""The API that an endpoint speaks: OpenAI's Chat Completions or Responses, Anthropic's Messages, or
Gemini's generateContent.
"""


Stores = Literal["", "5m", "1h"]
"""The longest time for which prompts may be stored in a cache at a price; '' for never."""


@dataclass(frozen=True, slots=True)
class Request:
    """One sample to generate.

    Raises:
        UsageError: a stop string is empty.
    """

    messages: tuple[Message, ...]
    """The chat so far, with the tools that may be called (``core.problem.offered``)."""
    max_tokens: int
    """Most tokens of the completion."""
    prefix: str = ""
    """Prefix of the assistant's turn, to be continued (needs ``prefill``); it is not repeated in
    the completion.
    """
    temperature: float = 0.8
    """0 is greedy."""
    top_p: float = 1.0
    """Nucleus: tokens are drawn from this share of the probability mass."""
    seed: int = 0
    """In [0, 2**31)."""
    stop: tuple[str, ...] = ()
    """Generation stops before any of these strings."""
    logprobs: bool = False
    """True to request the log-probability of each sampled token."""
    top_logprobs: int = 0
    """Number of the likeliest tokens to report at each place (0: none)."""
    thinking: Thinking | None = None
    """Setting for the model's own thinking (needs ``native_thinking``)."""
    watched: bool = False
    """True if an observer reads the text as it grows: otherwise a model need not report it before
    its end.
    """
    schema: str = ""
    """A JSON Schema that the whole text must satisfy (needs ``schema``); '' for any text."""
    pieces: bool = False
    """True to request the text of each sampled token, beside its log-probability."""

    def __post_init__(self) -> None:
        check_stops(self.stop)

    @property
    def json_schema(self) -> dict[str, Any] | None:
        """The JSON Schema as an object; None if there is none, or it is no object."""
        found = json.loads(self.schema or "null")
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Completion:
    """A generated sample.

    Every completion is sound, whichever model made it: the text can be written as UTF-8, and
    log-probabilities are finite and not above 0; if one of them is not, ``logprobs`` is None.

    Raises:
        MalformedReply: a count is not an integer from 0 to 2**53.
    """

    text: str
    finish: Finish
    prompt_tokens: int
    """Tokens of the prompt."""
    completion_tokens: int
    """Tokens of the completion."""
    cached_tokens: int = 0
    """The part of ``prompt_tokens`` that was not evaluated again."""
    wasted_tokens: int = 0
    """Tokens generated in earlier attempts that failed."""
    logprobs: tuple[float, ...] | None = None
    """One natural log-probability per completion token (untempered); None if not requested."""
    seconds: float = 0.0
    """Wall time."""
    top: tuple[Mapping[str, float], ...] | None = None
    """The likeliest tokens per completion token, with natural log-probabilities."""
    stopped_at: str | None = None
    """The stop string that ended it, '' if the model ended by itself, None if unknown."""
    reasoning: str = ""
    """The model's own thinking, apart from the text."""
    reasoning_tokens: int = 0
    """The part of ``completion_tokens`` spent on thinking; 0 if the model does not report it."""
    blocks: str = ""
    """The vendor's own record of the turn as JSON (signatures, encrypted thinking), and who made
    it, for a conversation that goes on; '' if it has none.
    """
    stored_tokens: int = 0
    """The part of ``prompt_tokens`` that was written to a cache, which may have its own price."""
    hour_tokens: int = 0
    """The part of ``stored_tokens`` that is kept for an hour."""
    calls: tuple[ToolCall, ...] = ()
    """The calls of tools that it ends with."""
    pieces: tuple[bytes, ...] | None = None
    """UTF-8 bytes of each token of ``logprobs``; None if not requested, or not known of each."""

    def __post_init__(self) -> None:
        prompt, completion = self.prompt_tokens, self.completion_tokens
        for count in (
            prompt, completion, self.cached_tokens, self.wasted_tokens, self.reasoning_tokens,
            self.stored_tokens, self.hour_tokens,
        ):  # fmt: skip
            if type(count) is not int or not 0 <= count <= sound.MOST_TOKENS:
                raise MalformedReply(
                    "the model reports token counts that are not whole numbers up to 2**53."
                )
        if (text := sound.whole(self.text)) is not self.text:
            object.__setattr__(self, "text", text)
        if self.reasoning:
            object.__setattr__(self, "reasoning", sound.whole(self.reasoning))
        if self.logprobs and (chances := sound.chances(self.logprobs)) is not self.logprobs:
            object.__setattr__(self, "logprobs", chances)
        if self.pieces is not None and len(self.pieces) != len(self.logprobs or ()):
            object.__setattr__(self, "pieces", None)
        if self.top:
            object.__setattr__(self, "top", sound.alternatives(self.top))
        if self.calls:
            object.__setattr__(self, "calls", tuple(map(_whole, self.calls)))


def _whole(call: ToolCall) -> ToolCall:
    return ToolCall(sound.whole(call.id), sound.whole(call.name), sound.whole(call.arguments))


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a model, for FLOPs."""

    parameters: int = 0
    """Parameters that each token is multiplied with, without embeddings that are only looked up; 0
    if unknown (FLOPs are then zero).
    """
    attention: int = 0
    """Number of layers times the width of the attention output (heads x head dimension): attending
    from one token to one earlier token costs 4 x that.
    """

    def flops(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> int:
        """Return the FLOPs of one request.

        They are 2 x parameters per evaluated token (Kaplan 2020, section 2.1), plus 4 x attention
        for each earlier token that it attends to. Cached tokens are not evaluated.
        """
        end = prompt_tokens + completion_tokens
        attended = (end * (end - 1) - cached_tokens * (cached_tokens - 1)) // 2
        return 2 * self.parameters * (end - cached_tokens) + 4 * self.attention * attended


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of generation when several chains are written at once."""

    seconds: float = 0.02
    """Seconds per token of a chain that is alone."""
    each: float = 1.0
    """The part of that time which each further chain adds: 1 if they take turns."""
    at_once: int = 256
    """Most chains that are written at once; more of them wait."""

    def time(self, tokens: float, chains: int) -> float:
        """Return the seconds that so many chains of so many tokens take together."""
        rounds, rest = divmod(chains, self.at_once)
        whole = rounds * (1 + (self.at_once - 1) * self.each)
        return self.seconds * tokens * (whole + (1 + (rest - 1) * self.each if rest else 0))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The facts about a model that are known before the first request."""

    name: str
    capabilities: frozenset[Capability]
    shape: Shape = Shape()
    context: int = 0
    """Most tokens of prompt and completion together (0: unknown)."""
    local: bool = False
    """True if it costs no dollars."""
    beside: int = 0
    """Most tokens of thinking that one sample may cost beside ``max_tokens``; 0 for the many models
    that count thinking within it.
    """
    think_open: bool = False
    """True if the chat template begins the thinking, so that a reply has only its closing mark."""
    pace: Pace = Pace()
    """Expected speed, by which plans are made; nothing is booked by it."""
    stores: Stores = ""
    """The longest time for which prompts may be stored in a cache at a price."""
    remarks: tuple[str, ...] = ()
    """Remarks for the receipt: what was asked and could not be done as asked."""

    def check(self, thinking: Thinking | None) -> None:
        """Refuse a thinking setting that the model does not support.

        Raises:
            CapabilityError: it has no thinking of its own.
        """
        if thinking is not None and "native_thinking" not in self.capabilities:
            raise CapabilityError(
                f"thinking={thinking} is asked of {self.name}, which has no thinking of its own "
                "that could be set: leave it out, or, if this endpoint has it, say capabilities = "
                '["native_thinking", ...] in ponder.toml.'
            )

    def takes(self, messages: Iterable[Message]) -> None:
        """Refuse a chat with tools or images that the model does not take.

        Raises:
            CapabilityError: it calls no tools, or sees no images.
        """
        for message in messages:
            if message.images and "images" not in self.capabilities:
                raise self._cannot("images", "see images")
            if (message.tools or message.calls or message.call) and (
                "tools" not in self.capabilities
            ):
                raise self._cannot("tools", "call tools")

    def _cannot(self, name: Capability, what: str) -> CapabilityError:
        return CapabilityError(
            f"{self.name} is not known to {what}: take a model that does, or, if this endpoint "
            f'does, say capabilities = ["{name}", ...] in ponder.toml.'
        )


Progress = Callable[[Delta], None]
"""Called as a sample grows. If the caller cancels, the last call holds the cost of the sample so
far. If the request is ``watched``, the deltas' texts add up to the completion's.
"""


def silent(delta: Delta) -> None:
    """Ignore a delta: the Progress of a caller who does not observe."""


class Pricing(Protocol):
    """Price of a request in picodollars (1e-12 USD), so that sums are exact."""

    def __call__(
        self,
        prompt_tokens: int,
        cached_tokens: int,
        completion_tokens: int,
        stored_tokens: int = 0,
        hour_tokens: int = 0,
        /,
    ) -> int:
        """Return the price of one request with these counts, which are as in ``Completion``."""
        ...


class Model(Protocol):
    """A language model that continues a chat."""

    @property
    def info(self) -> ModelInfo:
        """Name, capabilities and size."""
        ...

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return an upper bound on the prompt's tokens: exact if the tokenizer is available."""
        ...

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return a lower bound on the prompt's tokens: ``prompt_bound`` if that is exact."""
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
    """A model in a process that may end by itself; it is then unusable."""

    @property
    def dead(self) -> bool:
        """True once it has ended."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A model that can count the tokens of a text."""

    async def count(self, text: str) -> int | None:
        """Return the number of tokens in the text, within ``PATIENCE``; None if it cannot be
        known. It never fails.
        """
        ...


PATIENCE = 1.0
"""Most seconds that counting may delay a sample."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A model and its prices."""

    model: Model
    pricing: Pricing | None = None
    """None if the prices are unknown."""
