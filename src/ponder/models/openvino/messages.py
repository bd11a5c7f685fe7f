"""What goes to the process in which OpenVINO generates, and what comes back from it."""

from __future__ import annotations

from dataclasses import dataclass, field

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """What to load and how. ``path`` and ``tokenizer`` are GGUF files, or the folder of both in
    OpenVINO's own format. ``blocks`` is the size of the cache. ``save`` writes what is made of GGUF
    files beside them, in that format.
    """

    path: str
    tokenizer: str
    slots: int
    blocks: int
    properties: dict[str, str | int]
    save: bool = False


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


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop generating the sample, if it still is."""

    id: int


@dataclass(frozen=True, slots=True)
class Done:
    """A finished sample; with ``error`` a lost one."""

    id: int
    tokens: Tokens = ()
    logprobs: tuple[float, ...] = ()
    finish: str = "length"
    cached: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the engine says of itself: ``requests`` under way, ``steps`` taken and ``tokens``
    generated since it was loaded, ``cache_usage`` in percent of the cache.
    """

    requests: int = 0
    steps: int = 0
    cache_usage: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """What one step brought. ``grown``: tokens per sample so far (0: its prompt is under way).
    ``texts``: what was added to those that are watched.
    """

    metrics: Metrics = Metrics()
    grown: dict[int, int] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    error: str = ""  # nothing more will come
    texts: dict[int, str] = field(default_factory=dict)
