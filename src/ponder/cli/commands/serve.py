"""``ponder serve``."""

from __future__ import annotations

import asyncio
import importlib.util
import logging

import click

from ponder import api
from ponder.cli.options.once import Command
from ponder.cli.output.terminal import say
from ponder.cli.output.voice import Voice
from ponder.core.budget import Budget
from ponder.core.errors import MissingExtra, UsageError
from ponder.planning import presets
from ponder.runtime.engine import Engine

NEEDED = ("starlette", "uvicorn", "pydantic", "prometheus_client")


@click.command(cls=Command)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Catalog name, .gguf, hub file, endpoint; repeatable. Those of ponder.toml too.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 for a free one.",
)
@click.option(
    "--effort",
    type=click.Choice([*presets.PRESETS]),
    help="Effort of a question with a comparable answer, if the request names none.  "
    f"[default: {presets.DEFAULT}]",
)
@click.option("--max-tokens", type=int, metavar="N", help="Ceiling of one request: tokens.")
@click.option("--max-usd", type=float, metavar="USD", help="Ceiling of one request: dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Ceiling of one request: seconds.")
@click.option("--keys", metavar="FILE", help="File of API keys, without which nobody may ask.")
@click.option("--new-key", metavar="NAME", help="Print a new key and its lines for the file.")
@click.option(
    "--at-once",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    metavar="N",
    help="Most runs in progress.",
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
    "--deadline",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Seconds after which a run ends with its best answer so far.",
)
@click.option(
    "--trust",
    multiple=True,
    metavar="VERIFIER",
    help="A script or file of a verifier that requests may name; repeatable.",
)
@click.option("--journal", metavar="PATH", help="Record the runs in this file.")
@click.option("--no-journal", is_flag=True, help="Do not record the runs.")
@click.option(
    "--keep-days",
    type=click.FloatRange(0, min_open=True),
    metavar="DAYS",
    help="Remove runs from the journal that began so many days ago.",
)
@click.option("--traces", is_flag=True, help="Send traces to OpenTelemetry, as OTEL_* say.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def serve(
    models: tuple[str, ...],
    host: str,
    port: int,
    effort: str | None,
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    keys: str | None,
    new_key: str | None,
    at_once: int,
    queue: int,
    deadline: float | None,
    trust: tuple[str, ...],
    journal: str | None,
    no_journal: bool,
    keep_days: float | None,
    traces: bool,
    quiet: bool,
) -> int:
    """Serve models that think, behind the API of OpenAI's Chat Completions.

    Give any client the printed address as its base URL. Ctrl-C ends the server, once the runs in
    progress have ended; pressed again, it takes their best answers so far.
    """
    if journal and no_journal:
        raise UsageError("--journal and --no-journal exclude each other: give one of them.")
    if not all(importlib.util.find_spec(name) for name in NEEDED):
        raise MissingExtra("serve", "the server")
    from ponder.server import keys as callers
    from ponder.server.operation import logs
    from ponder.server.serve import serve as run
    from ponder.server.settings import Settings

    if new_key is not None:
        key, lines = callers.new(new_key)
        for line in (key, "", *lines.splitlines()):
            say(line)
        return 0

    engine = Engine(teller=Voice(quiet))
    names = models or (api.model_name(None, engine.config),)
    settings = Settings(
        effort=effort or engine.config.effort or presets.DEFAULT,
        ceiling=Budget(max_tokens, max_usd, None, max_seconds),
        journal=journal or not no_journal,
        trusted=trust,
        keys=callers.load(keys) if keys else (),
        at_once=at_once,
        queue=queue,
        deadline=deadline,
        keep_days=keep_days or engine.config.keep_days,
        traced=traces,
    )

    def ready(url: str) -> None:
        if not quiet:
            say(f"serving {', '.join(names)} on {url}/v1")

    with logs.written(logging.ERROR if quiet else logging.INFO):
        asyncio.run(run(engine, names, settings, host=host, port=port, ready=ready))
    return 0
