"""Lessons from refusals, without any I/O: the endpoint as its server wants to be asked."""

from __future__ import annotations

from dataclasses import replace

from ponder.models.base import Capability
from ponder.models.http.endpoint import Endpoint
from ponder.models.http.needs import MEANT
from ponder.models.http.wire import Change


def applied(change: Change, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint after a lesson: what a server refuses is no capability of it."""
    gone: set[Capability] = {name for name in endpoint.capabilities if name in change.drop}
    if "logprobs" in change.drop:
        gone.add("top_logprobs")
    if change.stream:
        gone.add("n")
    return replace(
        endpoint,
        drop=endpoint.drop | change.drop,
        capabilities=endpoint.capabilities - gone,
        max_tokens_field=change.max_tokens_field or endpoint.max_tokens_field,
        efforts=change.efforts or endpoint.efforts,
        context=change.context or endpoint.context,
        most_tokens=change.most_tokens or endpoint.most_tokens,
        stream=endpoint.stream or change.stream,
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
