"""The seam between the HTTP client and a vendor's API.

A ``Wire`` encodes requests and reads replies. It does no I/O. Nothing that it reads is trusted:
counts are checked, and a reply that breaks the protocol raises ``Malformed``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ponder.core.problem import Message
from ponder.core.tools import ToolCall
from ponder.core.trace import Finish
from ponder.models.base import Capability, Request
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.replies import NOTHING, Reply, Tokens, Usage

Json = Any  # what json.loads returns; nothing below trusts it


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that a server reports within a reply of status 200."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a sample that one event of a stream carries."""

    text: str = ""
    reasoning: str = ""
    tokens: Tokens = NOTHING
    """Its tokens, as far as they are listed."""
    spoken: bool = False
    """True if it carries at least one token."""
    counted: int | None = None
    """Number of completion tokens so far, by the server's count; None if it does not say."""
    usage: Usage | None = None
    """The usage of the whole request so far; None if it does not say."""
    finish: Finish | None = None
    """Reason why the sample ended; None if it goes on."""
    stopped_at: str | None = None
    """As in ``Completion``, but not checked: any text."""
    refused: str = ""
    """Words of a refusal."""
    blocks: str = ""
    """As in ``Completion``, without its maker."""
    hidden: bool = False
    """True if tokens may have been generated before it that the stream does not show."""
    other: bool = False
    """True if it belongs to a sample that was not requested: it is counted, and otherwise ignored.
    """
    calls: tuple[ToolCall, ...] = ()
    """All calls of tools of the sample so far, as in ``Completion``; ids may be missing."""
    called: int = 0
    """Number of characters that it adds to them."""
    fault: Fault | None = None
    """An error that takes the place of the rest."""
    done: bool = False
    """True if the stream has ended in order."""


class Reader(Protocol):
    """Reads the events of one stream."""

    def read(self, event: dict[str, Json]) -> Piece:
        """Return what one event carries.

        Raises:
            Malformed: the event breaks the protocol.
        """
        ...


FORMS = frozenset({"response_format", "text.format", "output_config.format", "responseJsonSchema"})
"""Fields of all vendors that hold a text to a JSON Schema."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change to requests that a refusal has taught."""

    drop: frozenset[str] = frozenset()
    """Fields that the server does not take."""
    max_tokens_field: str = ""
    """Its name for the limit of a completion; '' if that is not the matter."""
    efforts: tuple[str, ...] = ()
    """The efforts that it takes, weakest first."""
    context: int = 0
    """Most tokens of prompt and completion together."""
    prompt: int = 0
    """Number of tokens of the refused prompt."""
    most_tokens: int = 0
    """Most tokens of a completion."""
    stream: bool = False
    """True if it answers only in a stream."""

    def applied(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint with what has been learned: what its server refuses is no capability
        of it.
        """
        gone: set[Capability] = {name for name in endpoint.capabilities if name in self.drop}
        if "logprobs" in self.drop:
            gone.add("top_logprobs")
        if self.drop & FORMS:
            gone.add("schema")
        if self.stream:
            gone.add("n")
        return replace(
            endpoint,
            drop=endpoint.drop | self.drop,
            capabilities=endpoint.capabilities - gone,
            max_tokens_field=self.max_tokens_field or endpoint.max_tokens_field,
            efforts=self.efforts or endpoint.efforts,
            context=self.context or endpoint.context,
            most_tokens=self.most_tokens or endpoint.most_tokens,
            stream=endpoint.stream or self.stream,
        )


class Wire(Protocol):
    """One vendor's API."""

    def path(self, *, streamed: bool) -> str:
        """Return the address of a request, relative to ``base_url``."""
        ...

    def headers(self, key: str) -> Mapping[str, str]:
        """Return the headers of every request; ``key`` is '' if there is none."""
        ...

    def prompt(self, messages: Sequence[Message], prefix: str) -> dict[str, Json]:
        """Return the fields of the body that hold the prompt, the tools among them.

        ``blocks`` of a message are a list of objects, as ``read`` has returned them.
        """
        ...

    def fields(self, request: Request, samples: int, *, streamed: bool) -> dict[str, Json]:
        """Return all other fields of the body.

        Raises:
            CapabilityError: the API cannot express the request.
        """
        ...

    def remarks(self, request: Request) -> tuple[str, ...]:
        """Return what the request asks for and cannot be done as asked, for the receipt."""
        ...

    def read(self, reply: dict[str, Json], request: Request, samples: int) -> Reply:
        """Return the samples of a whole reply.

        Raises:
            Malformed: not one is usable.
        """
        ...

    def reader(self, request: Request) -> Reader:
        """Return a reader for the stream that answers the request."""
        ...

    def usage(self, reply: dict[str, Json]) -> Usage | None:
        """Return the usage of a whole reply, as far as it reports one."""
        ...

    def fault(self, reply: dict[str, Json]) -> Fault | None:
        """Return the error that a reply of status 200 holds instead of samples, if any."""
        ...

    def learn(self, status: int, body: bytes, request: Request) -> Change | None:
        """Return a change after which a refused request may be accepted, if the refusal names
        one that was not made before.
        """
        ...
