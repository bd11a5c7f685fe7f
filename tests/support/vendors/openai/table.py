"""The models of OpenAI's fixture, and the errors of both of its APIs.

The errors are those that its servers send; the package's types say only the field names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tests.support.vendors.model import REFUSAL, Script
from tests.support.vendors.serving import Billed, Reply

BROKEN = "The server had an error while processing your request. Sorry about that!"
EFFORTS = ("minimal", "low", "medium", "high")

Fault = Literal["busy", "unpaid", "broken", "flagged", "fails", "errs", "breaks off", "hangs"]


@dataclass(frozen=True)
class Model:
    """A model of the table: what it takes, and what it says."""

    script: Script = Script()
    efforts: tuple[str, ...] = ()
    """Levels that it takes; one without any is no reasoning model."""
    most_n: int = 128
    context: int = 4096
    most_output: int = 2048
    fault: Fault | None = None
    """Its error; that of a response is its status if it ``fails``, an event if it ``errs``."""


MODELS = {
    "gpt-4.1-mini": Model(),
    "gpt-4.1-mini-cached": Model(Script(cached=8)),
    "gpt-4.1-mini-refuses": Model(Script(REFUSAL, refuses=True)),
    "gpt-4.1-mini-filtered": Model(Script("Six times seven is", finish="content_filter")),
    "gpt-4.1-mini-small": Model(context=48, most_output=32),
    "gpt-4.1-mini-busy": Model(fault="busy"),
    "gpt-4.1-mini-unpaid": Model(fault="unpaid"),
    "gpt-4.1-mini-broken": Model(fault="broken"),
    "gpt-4.1-mini-fails": Model(fault="fails"),
    "gpt-4.1-mini-errs": Model(fault="errs"),
    "gpt-4.1-mini-breaks-off": Model(fault="breaks off"),
    "gpt-4.1-mini-hangs": Model(fault="hangs"),
    "gpt-5-mini": Model(Script(effort="medium"), EFFORTS),
    "gpt-5-mini-cached": Model(Script(effort="medium", cached=8), EFFORTS),
    "gpt-5-mini-refuses": Model(Script(REFUSAL, "low", refuses=True), EFFORTS),
    "gpt-5-mini-filtered": Model(
        Script("Six times seven is", "low", finish="content_filter"), EFFORTS
    ),
    "gpt-5-mini-flagged": Model(Script(effort="medium"), EFFORTS, fault="flagged"),
    "gpt-5.1": Model(Script(effort="none"), ("none", "low", "medium", "high")),
    "gpt-5-pro": Model(Script(effort="high"), ("high",)),
    "gpt-6-astra": Model(Script(effort="none"), ("none", "low", "medium", "high", "xhigh", "max")),
    "o1-mini": Model(Script(effort="medium"), ("low", "medium", "high"), most_n=1),
}
"""The scenarios of both APIs, by the name that a request gives."""


def error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    kind: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An error as both APIs write it."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Reply(status, {"x-request-id": "req_6f1c", **(headers or {})}, body)


def broken(events: tuple[bytes, ...], billed: Billed) -> Reply:
    """A reply whose connection breaks after these events, or within a document if it has none."""
    if events:
        return Reply(events=events, cut=True, billed=billed)
    kind = {"Content-Type": "application/json"}
    return Reply(headers=kind, events=(b'{"id": ',), cut=True, billed=billed)


def unknown_model(name: object) -> Reply:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return error(404, message, code="model_not_found")


def unknown_parameter(name: str) -> Reply:
    return error(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def below(name: str, least: int, value: object) -> Reply:
    message = (
        f"Invalid '{name}': integer below minimum value. "
        f"Expected a value >= {least}, but got {value} instead."
    )
    return error(400, message, param=name, code="integer_below_min_value")


def above(name: str, most: int, value: object) -> Reply:
    message = (
        f"Invalid '{name}': integer above maximum value. "
        f"Expected a value <= {most}, but got {value} instead."
    )
    return error(400, message, param=name, code="integer_above_max_value")


def listed(values: tuple[str, ...]) -> str:
    """The values as OpenAI's errors list them."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def fault(model: Model) -> Reply | None:
    """The error of a model that never answers."""
    if model.fault == "busy":
        message = (
            "Rate limit reached for this model on tokens per min (TPM): Limit 200000, "
            "Used 199000, Requested 2000. Please try again in 250ms."
        )
        headers = {
            "retry-after": "1",
            "retry-after-ms": "250",
            "x-ratelimit-limit-tokens": "200000",
            "x-ratelimit-remaining-tokens": "1000",
            "x-ratelimit-reset-tokens": "250ms",
        }
        return error(429, message, code="rate_limit_exceeded", kind="tokens", headers=headers)
    if model.fault == "unpaid":
        message = "You exceeded your current quota, please check your plan and billing details."
        return error(429, message, code="insufficient_quota", kind="insufficient_quota")
    if model.fault == "broken":
        return error(500, BROKEN, kind="server_error")
    if model.fault == "flagged":
        message = "Invalid prompt: your prompt was flagged as potentially violating our policy."
        return error(400, message, code="invalid_prompt")
    return None
