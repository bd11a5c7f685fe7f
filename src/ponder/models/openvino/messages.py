"""The messages to and from the process in which OpenVINO generates."""

from __future__ import annotations

from dataclasses import dataclass, field

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """The model to load, and its settings."""

    path: str
    """A GGUF file, or the folder in OpenVINO's own format."""
    tokenizer: str
    """A GGUF file, or the same folder."""
    slots: int
    blocks: int
    """Size of the cache."""
    properties: dict[str, str | int]
    save: bool = False
    """True to save the conversion of GGUF files beside them."""


@dataclass(frozen=True, slots=True)
class Job:
    """One sample to generate."""

    id: int
    prompt: Tokens
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    stop: tuple[str, ...]
    logprobs: bool
    watched: bool = False
    top: int = 0
    """Number of the likeliest tokens to report, of a greedy sample of one token."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop generating the sample, if it is not finished."""

    id: int


@dataclass(frozen=True, slots=True)
class Done:
    """A finished sample, or a lost one."""

    id: int
    tokens: Tokens = ()
    logprobs: tuple[float, ...] = ()
    finish: str = "length"
    cached: int = 0
    error: str = ""
    """Reason why it was lost; '' if it was not."""
    top: tuple[tuple[int, float], ...] = ()
    """The likeliest tokens and their natural log-probabilities, if requested."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The engine's own counts since it was loaded."""

    requests: int = 0
    """Number of requests in progress."""
    steps: int = 0
    """Number of steps taken."""
    cache_usage: float = 0.0
    """Percentage of the cache in use."""
    tokens: int = 0
    """Number of tokens generated."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The result of one step."""

    metrics: Metrics = Metrics()
    grown: dict[int, int] = field(default_factory=dict)
    """Tokens per sample so far (0: its prompt is being evaluated)."""
    done: list[Done] = field(default_factory=list)
    """Samples that ended in this step."""
    error: str = ""  # no frame will follow
    texts: dict[int, str] = field(default_factory=dict)
    """Text added to each watched sample."""
