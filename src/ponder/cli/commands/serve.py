"""``ponder serve``."""

from __future__ import annotations

import asyncio
import logging

import click

from ponder.cli.options.numbers import ABOVE_ZERO
from ponder.cli.options.offering import Offer, need, offering
from ponder.cli.options.once import Command
from ponder.cli.output.terminal import say
from ponder.cli.output.voice import Voice
from ponder.runtime.engine import Engine

NEEDED = ("starlette", "uvicorn", "pydantic", "prometheus_client")


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 for a free one.",
)
@click.option("--keys", metavar="FILE", help="File of API keys, without which nobody may ask.")
@click.option("--new-key", metavar="NAME", help="Print a new key and its lines for the file.")
@offering(
    "request",
    effort="a question with a comparable answer, if the request names none",
    at_once=32,
)
@click.option(
    "--queue",
    type=click.IntRange(0),
    default=256,
    show_default=True,
    metavar="N",
    help="Most runs that wait for their turn.",
)
@click.option(
    "--keep-days",
    type=ABOVE_ZERO,
    metavar="DAYS",
    help="Remove runs from the journal that began so many days ago.",
)
@click.option("--traces", is_flag=True, help="Send traces to OpenTelemetry, as OTEL_* say.")
def serve(
    offer: Offer,
    host: str,
    port: int,
    keys: str | None,
    new_key: str | None,
    queue: int,
    keep_days: float | None,
    traces: bool,
) -> int:
    """Serve models that think, behind the API of OpenAI's Chat Completions.

    Give any client the printed address as its base URL. Ctrl-C ends the server, once the runs in
    progress have ended; pressed again, it takes their best answers so far.
    """
    need("serve", "the server", NEEDED)
    from ponder.server import keys as callers
    from ponder.server.operation import logs
    from ponder.server.serve import serve as run

    if new_key is not None:
        key, lines = callers.new(new_key)
        for line in (key, "", *lines.splitlines()):
            say(line)
        return 0

    engine = Engine(teller=Voice(offer.quiet))
    names = offer.named(engine.config)
    settings = offer.settings(
        engine.config,
        keys=callers.load(keys) if keys else (),
        queue=queue,
        keep_days=keep_days or engine.config.keep_days,
        traced=traces,
    )

    def ready(url: str) -> None:
        if not offer.quiet:
            say(f"serving {', '.join(names)} on {url}/v1")

    with logs.written(logging.ERROR if offer.quiet else logging.INFO):
        asyncio.run(run(engine, names, settings, host=host, port=port, ready=ready))
    return 0
