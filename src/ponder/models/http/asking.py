"""Short questions to a server about itself: bounded in size and in time, never redirected."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from ponder.models.http.endpoint import Endpoint, find_key, find_proxy, url_of
from ponder.models.http.failures import reached
from ponder.models.http.received import ACCEPTED, Malformed, clean, read_body
from ponder.util import decoding

Json = Any  # what json.loads returns; nothing below trusts it
LIMIT = 16 << 20
"""Maximum bytes of a reply: OpenRouter's list of models has about two million."""
CONNECTING = 2.0
"""Seconds to open a connection."""
ANSWERING = 5.0
"""Seconds to answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question."""

    status: int = 0
    """0 if nothing answered."""
    body: Json = None
    """The JSON value; None if it has none."""
    why: str = ""
    """Reason why nothing answered; '' if there is no more to say."""

    @property
    def table(self) -> dict[str, Json]:
        """The object of a good answer, otherwise {}."""
        return self.body if self.status == 200 and isinstance(self.body, dict) else {}

    def rows(self, name: str) -> list[dict[str, Json]]:
        """Return the objects of the list ``name`` of a good answer."""
        listed = self.table.get(name)
        return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one server. Addresses that begin with '/' are those of its root, others follow
    ``base_url``.
    """

    session: aiohttp.ClientSession
    base: URL
    key: str
    proxy: str | None

    async def get(self, address: str) -> Answer:
        """Ask for what an address has."""
        return await self._ask("GET", address, None, ANSWERING)

    async def post(
        self, address: str, body: Mapping[str, Json], seconds: float = ANSWERING
    ) -> Answer:
        """Ask with a JSON object."""
        return await self._ask("POST", address, body, seconds)

    async def all(self, *addresses: str) -> list[Answer]:
        """Ask for several addresses at the same time."""
        return await asyncio.gather(*map(self.get, addresses))

    async def _ask(
        self, method: str, address: str, body: Mapping[str, Json] | None, seconds: float
    ) -> Answer:
        url = self.root if address.startswith("/") else self.base
        timeout = aiohttp.ClientTimeout(seconds, sock_connect=CONNECTING)
        try:
            async with self.session.request(
                method,
                URL(str(url).rstrip("/") + "/" + address.lstrip("/")),
                json=body,
                timeout=timeout,
                allow_redirects=False,  # another host must not see the key
            ) as response:
                content, more = await read_body(response, LIMIT)
                return Answer(response.status, None if more else decoding.parse(content))
        except (Malformed, decoding.Malformed):
            return Answer(response.status, why="it answers with something other than JSON")
        except TimeoutError:
            return Answer(why="no answer in time")
        except aiohttp.ClientConnectorError as problem:
            refused = problem.os_error.errno == errno.ECONNREFUSED
            return Answer(why="" if refused else clean(reached(problem), self.key))
        except (aiohttp.ClientError, OSError) as problem:
            return Answer(why=f"the connection was cut ({type(problem).__name__})")

    @property
    def root(self) -> URL:
        """The address without the version at its end."""
        versioned = self.base.name in ("v1", "v1beta")
        return self.base.parent if versioned else self.base


@asynccontextmanager
async def asking(endpoint: Endpoint) -> AsyncIterator[Asker]:
    """Yield an ``Asker`` for the server of an endpoint.

    Raises:
        UsageError: its address or key is not valid.
    """
    base, key = url_of(endpoint, ""), find_key(endpoint)
    headers = {"Accept-Encoding": ACCEPTED, **_headers(endpoint, key)}
    async with aiohttp.ClientSession(
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=find_proxy(base),
        auto_decompress=False,
    ) as session:
        yield Asker(session, base, key, find_proxy(base))


def _headers(endpoint: Endpoint, key: str) -> dict[str, str]:
    version = {"anthropic-version": "2023-06-01"} if endpoint.api == "messages" else {}
    if not key:
        return version
    if endpoint.api == "messages":
        return {**version, "x-api-key": key}
    if endpoint.api == "gemini":
        return {"x-goog-api-key": key}
    return {"Authorization": f"Bearer {key}"}
