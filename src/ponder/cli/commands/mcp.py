"""``ponder mcp``."""

from __future__ import annotations

import asyncio
import importlib.util

import click

from ponder import api
from ponder.cli.options.once import Command
from ponder.cli.output.voice import Voice
from ponder.core.budget import Budget
from ponder.core.errors import MissingExtra, UsageError
from ponder.planning import presets
from ponder.runtime.engine import Engine

NEEDED = ("mcp", "starlette", "pydantic")


@click.command(cls=Command)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Catalog name, .gguf, hub file, endpoint; repeatable. Those of ponder.toml too.",
)
@click.option(
    "--effort",
    type=click.Choice([*presets.PRESETS]),
    help=f"Effort of a call that names none.  [default: {presets.DEFAULT}]",
)
@click.option("--max-tokens", type=int, metavar="N", help="Ceiling of one call: tokens.")
@click.option("--max-usd", type=float, metavar="USD", help="Ceiling of one call: dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Ceiling of one call: seconds.")
@click.option(
    "--at-once",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    metavar="N",
    help="Most calls in progress; others wait.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Seconds after which a call ends with its best answer so far.",
)
@click.option(
    "--trust",
    multiple=True,
    metavar="VERIFIER",
    help="A script or file of a verifier that calls may name; repeatable.",
)
@click.option("--journal", metavar="PATH", help="Record the runs in this file.")
@click.option("--no-journal", is_flag=True, help="Do not record the runs.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def mcp(
    models: tuple[str, ...],
    effort: str | None,
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    at_once: int,
    deadline: float | None,
    trust: tuple[str, ...],
    journal: str | None,
    no_journal: bool,
    quiet: bool,
) -> int:
    """Offer thinking to an agent: solve, score and decide as tools of the Model Context Protocol.

    It speaks on standard input and output, and is started by the agent: docs/mcp.md has the lines
    for its configuration. No call can raise a ceiling.
    """
    if journal and no_journal:
        raise UsageError("--journal and --no-journal exclude each other: give one of them.")
    if not all(importlib.util.find_spec(name) for name in NEEDED):
        raise MissingExtra("mcp", "the server of tools")
    from ponder.server.mcp.server import speak
    from ponder.server.settings import Settings

    engine = Engine(teller=Voice(quiet))
    names = models or (api.model_name(None, engine.config),)
    settings = Settings(
        effort=effort or engine.config.effort or presets.DEFAULT,
        ceiling=Budget(max_tokens, max_usd, None, max_seconds),
        journal=journal or not no_journal,
        trusted=trust,
        at_once=at_once,
        deadline=deadline,
    )
    asyncio.run(speak(engine, names, settings))
    return 0
