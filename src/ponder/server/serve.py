"""A server from its start to its end: models opened first, runs in progress ended last."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from ponder.core.errors import MissingExtra, UsageError
from ponder.runtime.engine import Engine
from ponder.server.app import application
from ponder.server.keys import loopback
from ponder.server.mcp.server import mounted
from ponder.server.operation.retention import keeping
from ponder.server.settings import Settings
from ponder.server.telling.conducted import House

if TYPE_CHECKING:
    from ponder.server.operation.traces import Traces

GRACE = 10
"""Seconds that requests in progress have to end by themselves when the server is told to stop."""

SILENCE = 120
"""Seconds after which the system gives up a connection that takes nothing."""

COLLECTIONS = (5_000, 5, 5)
"""Thresholds of the garbage collector. Under load, most of what it looks at belongs to runs in
progress; at Python's own thresholds that took a fifth of the processor. Higher ones than these save
little more, while memory grows and the longer pauses are felt.
"""


async def serve(
    engine: Engine,
    models: Sequence[str],
    settings: Settings,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
) -> None:
    """Serve until a signal ends it. ``ready`` is called with the address once it listens.

    Raises:
        UsageError: the address cannot be used, or other machines reach it and there are no keys.
        MissingExtra: traces are wanted, and their package is absent.
        PonderError: a model cannot be opened.
    """
    if not settings.keys and not loopback(host):
        raise UsageError(
            f"{host or 'every address'} can be reached from other machines: give --keys FILE, with "
            "a key of 'ponder serve --new-key NAME', or listen on 127.0.0.1."
        )
    sock = listening(host, port)
    with sock:
        async with engine, AsyncExitStack() as opened:
            app = application(engine, models, settings, traces=_traces(settings))
            house: House = app.state.house
            opened.callback(house.operation.close)
            opened.push_async_callback(house.stop)
            await opened.enter_async_context(keeping(engine, settings))
            for name in models:
                await opened.enter_async_context(house.served.open(name))
            opened.push_async_callback(app.state.responses.close, GRACE)
            app.state.responses.resume()
            await opened.enter_async_context(mounted(app))
            opened.enter_context(collecting_seldom())
            config = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2 * GRACE,
            )
            place = f"[{host}]" if ":" in host else host
            url = f"http://{place}:{sock.getsockname()[1]}"
            await _Server(config, app.state.house, partial(ready, url)).serve([sock])


def _traces(settings: Settings) -> Traces | None:
    if not settings.traced:
        return None
    try:
        from ponder.server.operation.traces import Traces
    except ImportError:
        raise MissingExtra("otel", "tracing") from None
    return Traces()


class _Server(uvicorn.Server):
    """A server that a signal ends in good order: it takes no more connections, gives the runs in
    progress some time, and then takes the best answer of each.
    """

    def __init__(self, config: uvicorn.Config, house: House, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._house, self._ready = house, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle signals for as long as the server runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self._house.operation.draining = True
        if self.should_exit:  # the second signal does not wait
            self._house.close()
        self.should_exit = True
        asyncio.get_running_loop().call_later(GRACE, self._house.close)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Have the garbage collector run less often, and pass over what there is already."""
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address.

    Raises:
        UsageError: it is not an address of this machine, or in use.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, proto)
    except (OSError, UnicodeError) as error:
        raise _unusable(host, port, error) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":  # a connection whose reader does not read is given up
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _unusable(host, port, error) from None
    return sock


def _unusable(host: str, port: int, error: Exception) -> UsageError:
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UsageError(f"cannot listen on {host}:{port}: {why}; name another --host or --port.")
