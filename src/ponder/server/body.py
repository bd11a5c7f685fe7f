"""Reading of a request's body: JSON of bounded depth, checked against the API's own form."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request

from ponder.core.errors import UsageError
from ponder.core.tools import Image
from ponder.models import sound
from ponder.server.errors import ApiError
from ponder.util.decoding import Malformed, parse

B = TypeVar("B", bound=BaseModel)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Marks a whole number, after its bounds: in JSON 4.0 is one, too."""
Count = Annotated[int, Field(ge=1, le=10**6), WHOLE]
"""A number of tokens, samples or calls."""
Nucleus = Annotated[float, Field(ge=0.01, le=1)]
"""The share of the probability mass that tokens are drawn from."""


class Form(BaseModel):
    """A part of a request's body. A field that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def picture(url: str) -> str:
    """Return the address of an image, or an image itself, as it is sent to a model's server.

    Raises:
        ValueError: it is neither.
    """
    try:
        Image(url)
    except UsageError as error:
        raise ValueError(str(error)) from None
    if url.startswith("http://"):
        raise ValueError("expected an address that begins with https://, or a data: address")
    return url


async def read(request: Request, form: type[B], limit: int) -> B:
    """Return the body of a request, of at most ``limit`` bytes.

    Raises:
        ApiError: it is too large, not JSON, or a field is unknown or invalid; the message names it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind.lower() != "application/json":
        raise ApiError(
            f"the body must be JSON, not {kind[:60]!r}: send it as "
            "'Content-Type: application/json'.",
            415,
        )
    coding = request.headers.get("content-encoding", "identity").strip()
    if coding.lower() not in ("", "identity"):
        raise ApiError(
            f"the body is encoded as {coding[:60]!r}, which is not read here: send it as it is.",
            415,
        )
    try:
        text = (await bounded(request, limit)).decode()
        data = parse(text)
    except (Malformed, UnicodeDecodeError) as error:
        raise ApiError(f"the body cannot be read: {error}.") from None
    if "\\u" in text:
        data = _sound(data)
    if not isinstance(data, dict):
        raise ApiError("the body must be a JSON object.")
    return checked(data, form)


def _sound(value: Any) -> Any:
    """Return a value whose texts can be encoded: a client that cuts a text may send half of a
    character, as an escape.
    """
    if isinstance(value, str):
        return sound.whole(value)
    if isinstance(value, list):
        return [_sound(one) for one in value]
    if isinstance(value, dict):
        return {sound.whole(name): _sound(one) for name, one in value.items()}
    return value


def checked(data: object, form: type[B]) -> B:
    """Return data in an API's form.

    Raises:
        ApiError: a field is unknown or invalid; the message names it.
    """
    try:
        return form.model_validate(data)
    except ValidationError as error:
        raise _refusal(error) from None


async def bounded(request: Request, limit: int) -> bytes:
    """Return the body; of one that is too large, no more is read than shows that.

    Raises:
        ApiError: it is too large.
        ClientDisconnect: the client is gone.
    """
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise ApiError(f"the body is too large: it may have {limit:,} bytes here.", 413)
    return b"".join(parts)


def _refusal(error: ValidationError) -> ApiError:
    """Return the first fault as a sentence. Unions name each of their members: the last one is the
    most specific.
    """
    fault = max(error.errors(include_url=False, include_context=False), key=_weight)
    param = _path(fault["loc"])
    if fault["type"] == "extra_forbidden":
        param = param if _named(fault["loc"][-1]) else str(fault["loc"][-1])[:60]
        return ApiError(
            f"the field {param!r} is not supported here: leave it out.",
            param=param,
            code="unsupported_parameter",
        )
    if fault["type"] == "missing":
        return ApiError(f"the field {param!r} is missing.", param=param, code="missing_parameter")
    said = fault["msg"].removeprefix("Value error, ").rstrip(".")
    return ApiError(f"the field {param!r} is not valid: {said}.", param=param, code="invalid_value")


def _weight(fault: Any) -> tuple[bool, int]:
    return fault["type"] == "value_error", len(fault["loc"])


def _named(part: int | str) -> bool:
    """Return True if a part of a place names a member, and is no type, which a union adds."""
    types = ("str", "list", "float", "int", "bool", "dict")
    return isinstance(part, str) and part.isidentifier() and part not in types


def _path(loc: tuple[int | str, ...]) -> str:
    """Return the path of a field, such as ``messages[0].content``. Names of types, which a union
    adds, are left out.
    """
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _named(part):
            path += f".{part}" if path else part
    return path or "body"
