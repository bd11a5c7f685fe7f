"""Every error that Ponder raises on purpose.

PonderError
├── UsageError              the caller's fault: exit code 2, nothing was spent on it
│   ├── UnknownName         a strategy, knob, model, ... that does not exist; names the nearest
│   ├── CapabilityError     the model lacks what the strategy needs
│   ├── BudgetTooSmall      not even one sample fits; says how much one needs
│   ├── MissingExtra        an optional dependency is not installed; says the command
│   └── ReplayMismatch      the journal holds another effect at this path
├── ModelError              the world's fault: one sample is lost, the run goes on
│   ├── ModelTimeout        no answer in time
│   ├── ModelUnreachable    refused, reset, interrupted
│   ├── RateLimited         429 to the last retry
│   ├── ServerFault         5xx to the last retry
│   ├── RequestRefused      any other 4xx: key, model name, length; retrying cannot help
│   └── MalformedReply      a reply that breaks the protocol
├── RunFailed               too few samples were left to answer from: exit code 1
└── LimitReached            control flow, not a failure: a budget refused an effect
    └── Overcharged         an endpoint charged more than a request allowed: nothing more is sent

The edge that talks to the world (``models``) classifies once. Nothing above it parses messages.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

from ponder.core.costs.ledger import Receipt

Limit = Literal["tokens", "usd", "flops", "seconds"]
Stop = Limit | Literal["overcharged"]
"""Reason why nothing more is sent."""


class PonderError(Exception):
    """Root of all errors below. ``str(error)`` is one sentence meant for a person."""

    receipt: Receipt | None = None
    """If it has ended a run, the cost of the run up to then."""
    run: str = ""
    """ID with which that run can be resumed; '' if it was not recorded."""


class UsageError(PonderError):
    """The caller asked for something that cannot be done; the message says what to do instead."""


class UnknownName(UsageError):
    """No member of ``kind`` is called ``name``; the message suggests the nearest of ``known``."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = (
            f"expected one of: {', '.join(names)}."
            if names
            else f"there is no {kind} to choose from."
        )
        hint = f"did you mean {near[0]!r}?" if near else hint
        super().__init__(f"unknown {kind} {name!r}: {hint}")
        self.kind, self.name = kind, name


class CapabilityError(UsageError):
    """The model cannot do what a strategy needs. Raised before the first token."""


class BudgetTooSmall(UsageError):
    """Not even one sample fits into the budget."""


class MissingExtra(UsageError):
    """An optional dependency is needed but not installed."""

    def __init__(self, extra: str, why: str) -> None:
        super().__init__(f"{why} needs the extra {extra!r}: pip install 'ponder[{extra}]'.")
        self.extra = extra


class ReplayMismatch(UsageError):
    """A resumed run requested another effect than the one in its journal."""


class ModelError(PonderError):
    """A request to a model failed for good.

    ``prompt_tokens`` and ``completion_tokens`` are the tokens spent on it before it failed, as far
    as they are known; the ledger books them as wasted.
    """

    def __init__(self, message: str, *, prompt_tokens: int = 0, completion_tokens: int = 0) -> None:
        super().__init__(message)
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens


class ModelTimeout(ModelError):
    """No reply, or no further part of one, arrived in time."""


class ModelUnreachable(ModelError):
    """The connection was refused, reset or cut off."""


class RateLimited(ModelError):
    """The endpoint answered 429 until the retries were used up."""

    after: float = 0.0
    """Seconds that it asks to wait; 0 if it named none."""


class ServerFault(ModelError):
    """The endpoint answered 5xx until the retries were used up."""


class RequestRefused(ModelError):
    """The endpoint refused the request itself (4xx); it would refuse the same request again."""


class MalformedReply(ModelError):
    """The reply does not follow the protocol."""


class RunFailed(PonderError):
    """No usable sample was left."""


class LimitReached(PonderError):
    """A budget refused an effect. ``limit`` names the limit."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(f"the budget's limit on {limit} was reached")
        self.limit: Stop = limit


class Overcharged(LimitReached):
    """An endpoint charged more than a request allowed, so no budget can be guaranteed with it.
    ``reason`` is one sentence.
    """

    def __init__(self, reason: str) -> None:
        PonderError.__init__(self, reason)
        self.limit = "overcharged"
