"""The abilities that a request needs of an endpoint, checked before it is sent."""

from __future__ import annotations

from ponder.core.errors import CapabilityError, RequestRefused
from ponder.models.base import Capability, Request
from ponder.models.http.endpoint import Endpoint

MEANT: tuple[Capability, ...] = ("stop", "logprobs", "top_logprobs")
"""Capabilities that a sample cannot do without if it asks for them: their fields are never left
out in silence.
"""


def missed(endpoint: Endpoint, request: Request) -> str:
    """Return a field that the request needs and the server has refused; '' if there is none."""
    wanted = {"stop": request.stop, "logprobs": request.logprobs or request.top_logprobs}
    wanted["top_logprobs"] = request.top_logprobs
    return next((name for name in MEANT if name in endpoint.drop and wanted[name]), "")


def check(endpoint: Endpoint, request: Request) -> None:
    """Refuse a request that the endpoint cannot do.

    Raises:
        CapabilityError: it does not declare the capability.
        RequestRefused: its server has refused the field before.
    """
    who = f"endpoint {endpoint.name!r}"
    if not (request.logprobs or request.top_logprobs or request.prefix or request.stop):
        return
    if field := missed(endpoint, request):
        raise RequestRefused(
            f"{who} refuses {field!r}, which this request needs: take a strategy that does without "
            "it, or another model."
        )
    wanted = {"logprobs": request.logprobs, "prefill": request.prefix, "stop": request.stop}
    wanted["top_logprobs"] = request.top_logprobs
    for capability, value in wanted.items():
        if value and capability not in endpoint.able:
            has = ", ".join(sorted(endpoint.able)) or "none"
            how = "set prefill" if capability == "prefill" else "add it to capabilities"
            raise CapabilityError(
                f"{who} does not declare {capability!r} (it has: {has}); "
                f"if the server can do it, {how} in the endpoint's configuration."
            )
