"""API keys: who may ask, and the ceilings of each. Only digests of keys are kept."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import tomllib
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.server.errors import ApiError
from ponder.util.files import read_regular, text_of

Handler = Callable[[Request], Awaitable[Response]]
DAILY = ("day_tokens", "day_usd", "per_minute")
"""Limits of a key over all its requests."""
LONGEST = 64
"""Most characters of a key's name."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Key:
    """One caller."""

    name: str = ""
    """Its name in the file; '' where no keys are set."""
    digest: str = ""
    """SHA-256 of the key, in hexadecimal. Keys are random, so they need no salt."""
    ceiling: Budget = Budget()
    """Most that one of its requests may spend."""
    day_tokens: int | None = None
    """Most tokens that all its requests may spend in a day."""
    day_usd: float | None = None
    """Most dollars of the same."""
    per_minute: int | None = None
    """Most requests in a minute that start a run."""

    @property
    def daily(self) -> bool:
        """True if it has a budget per day."""
        return self.day_tokens is not None or self.day_usd is not None

    @property
    def limited(self) -> bool:
        """True if its requests are counted."""
        return self.daily or self.per_minute is not None


def load(path: Path | str) -> tuple[Key, ...]:
    """Read a file of keys: tables ``[NAME]`` with ``sha256``, and at will ``max_tokens``,
    ``max_usd`` and ``max_seconds`` of one request, ``day_tokens`` and ``day_usd`` of all its
    requests in a day, and ``per_minute``, the number of its requests.

    Raises:
        UsageError: it cannot be read, or is no such file.
    """
    try:
        data = tomllib.loads(text_of(read_regular(path, "the keys"), str(path)))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from None
    found = tuple(_key(path, name, table) for name, table in data.items())
    if not found:
        raise UsageError(f"{path} has no keys: make one with 'ponder serve --new-key NAME'.")
    _check_apart(path, found)
    return found


def _check_apart(path: Path | str, keys: Sequence[Key]) -> None:
    """Refuse a key that has two names: the limits of one of them would hold for nobody."""
    names: dict[str, str] = {}
    for key in keys:
        if (other := names.setdefault(key.digest, key.name)) != key.name:
            raise UsageError(
                f"{path}: [{other}] and [{key.name}] are one key: make another with 'ponder serve "
                "--new-key NAME', or leave one out."
            )


def _key(path: Path | str, name: str, table: Any) -> Key:
    if not (0 < len(name) <= LONGEST and name.isprintable()):
        raise UsageError(
            f"{path}: {name[:LONGEST]!r} is no name of a key: expected 1 to {LONGEST} printable "
            "characters."
        )
    units = {"max_tokens": "tokens", "max_usd": "usd", "max_seconds": "seconds"}
    sound = isinstance(table, dict) and table.keys() <= {"sha256", *units, *DAILY}
    digest = table.get("sha256") if sound else None
    if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        raise UsageError(
            f'{path}: [{name}] must have sha256 = "64 hex digits", and at most '
            f"{', '.join((*units, *DAILY))} besides; make one with 'ponder serve --new-key NAME'."
        )
    limits = {units[unit]: limit for unit, limit in table.items() if unit in units}
    day = {unit: table[unit] for unit in DAILY if unit in table}
    for unit, limit in day.items():
        whole = type(limit) is int
        if not ((whole or (unit == "day_usd" and type(limit) is float)) and 0 < limit < 1e9**2):
            kind = "number" if unit == "day_usd" else "whole number"
            raise UsageError(
                f"{path}: [{name}] {unit} must be a {kind} greater than zero, not {limit!r}."
            )
    try:
        ceiling = Budget(**limits)
    except UsageError as error:
        raise UsageError(f"{path}: [{name}] {error}") from None
    return Key(name, digest, ceiling, **day)


def new(name: str) -> tuple[str, str]:
    """Return a new key, and the lines for the file of keys.

    Raises:
        UsageError: the name is not a plain word.
    """
    if not re.fullmatch(rf"[\w-]{{1,{LONGEST}}}", name, re.ASCII):
        raise UsageError(f"a key's name has letters, digits, _ and - alone, not {name!r}.")
    key = f"ponder-{secrets.token_urlsafe(32)}"
    return key, f'[{name}]\nsha256 = "{_digest(key)}"'


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def loopback(host: str) -> bool:
    """Return True if a host is this machine and no other."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def guarded(handler: Handler) -> Handler:
    """Let only those in who may ask; ``request.state.key`` says who."""

    async def guard(request: Request) -> Response:
        keys: tuple[Key, ...] = request.app.state.house.settings.keys
        request.state.key = _known(request.headers, keys) if keys else _near(request.headers)
        return await handler(request)

    return guard


def _known(headers: Mapping[str, str], keys: tuple[Key, ...]) -> Key:
    """Return whose key the request has, as a bearer's or in ``x-api-key``.

    Raises:
        ApiError: it has none, or an unknown one.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        given = headers.get("x-api-key", "")
    digest = _digest(given.strip())
    matching = [key for key in keys if hmac.compare_digest(key.digest, digest)]
    if not matching:
        said = "the API key is not one of this server's" if given else "there is no API key"
        raise ApiError(
            f"{said}: send one as 'Authorization: Bearer KEY'.",
            401,
            "authentication_error",
            code="invalid_api_key",
            headers={"www-authenticate": "Bearer"},
        )
    return matching[0]


def _near(headers: Mapping[str, str]) -> Key:
    """Let anybody on this machine in, except pages of other places in its browsers. Such a page may
    have its own name lead to this machine; the name then stands in ``host``.

    Raises:
        ApiError: the request comes from such a page.
    """
    places = [headers.get("origin"), f"http://{headers['host']}" if "host" in headers else None]
    if not all(place is None or loopback(_host(place)) for place in places):
        raise ApiError(
            "pages of other places, and other names of this machine, may not ask a server without "
            "API keys: start it with --keys.",
            403,
            "permission_error",
            code="foreign_origin",
        )
    return Key()


def _host(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).hostname or ""
    except ValueError:  # brackets that are not an address
        return ""
