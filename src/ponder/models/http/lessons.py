"""Consequences of what refusals have taught, without any I/O."""

from __future__ import annotations

from ponder.core.errors import RequestRefused
from ponder.models.base import Capability, Request
from ponder.models.http.endpoint import Endpoint

MEANT: tuple[Capability, ...] = ("stop", "logprobs", "top_logprobs")
"""Capabilities that a sample cannot do without if it asks for them: their fields are never left
out in silence.
"""


def missed(endpoint: Endpoint, request: Request) -> str:
    """Return a field that the request needs and the server has refused; '' if there is none."""
    if not endpoint.drop:
        return ""
    wanted = {"stop": request.stop, "logprobs": request.logprobs or request.top_logprobs}
    wanted["top_logprobs"] = request.top_logprobs
    return next((name for name in MEANT if name in endpoint.drop and wanted[name]), "")


def check(endpoint: Endpoint, request: Request) -> None:
    """Refuse a request that the server would refuse again.

    Raises:
        RequestRefused: it needs a field that the server does not take.
    """
    if field := missed(endpoint, request):
        raise RequestRefused(
            f"endpoint {endpoint.name!r} refuses {field!r}, which this request needs: take a "
            "strategy that does without it, or another model."
        )


def remarks(before: Endpoint, after: Endpoint) -> list[str]:
    """Return what the receipt says of a lesson."""
    dropped, found = after.drop - before.drop, []
    if "n" in dropped:
        found.append(f"{after.model} does not take n: samples are asked for one by one.")
    if fields := ", ".join(sorted(dropped - {"n", *MEANT})):
        found.append(f"{after.model} does not take {fields}: left out.")
    if after.most_tokens != before.most_tokens:
        found.append(f"{after.model} generates at most {after.most_tokens:,} tokens a sample.")
    return found


def counts_first(endpoint: Endpoint) -> str:
    """Return what the receipt says of a server that counts one of several samples."""
    return (
        f"{endpoint.model} counts only the first of several samples of one request: the others are "
        "booked in proportion to their length, and asked for one by one."
    )


def doubled(endpoint: Endpoint) -> str:
    """Return what the receipt says of replies that begin with the text that they continue."""
    other = "continue_final_message" if endpoint.prefill == "final_message" else "final_message"
    return (
        f'prefill = "{endpoint.prefill}" does not fit the server of {endpoint.model}: its replies '
        "begin with the text that they are to continue, which is taken out here; write prefill = "
        f'"{other}" in ponder.toml, or "none" if that does not help.'
    )


def cut(endpoint: Endpoint) -> str:
    """Return what the receipt says of a server that counts too few tokens for a prompt."""
    return (
        f"{endpoint.model} counts fewer tokens than a prompt of this length has: its server seems "
        "to cut what exceeds its context, so raise that (for Ollama, OLLAMA_CONTEXT_LENGTH)."
    )
