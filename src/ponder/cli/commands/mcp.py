"""``ponder mcp``."""

from __future__ import annotations

import asyncio

import click

from ponder.cli.options.offering import Offer, need, offering
from ponder.cli.options.once import Command
from ponder.cli.output.voice import Voice
from ponder.runtime.engine import Engine

NEEDED = ("mcp", "starlette", "pydantic")


@click.command(cls=Command)
@offering("call", effort="a call that names none", at_once=4, waiting="; others wait")
def mcp(offer: Offer) -> int:
    """Offer thinking to an agent: solve, score and decide as tools of the Model Context Protocol.

    It speaks on standard input and output, and is started by the agent: docs/mcp.md has the lines
    for its configuration. No call can raise a ceiling.
    """
    need("mcp", "the server of tools", NEEDED)
    from ponder.server.mcp.server import speak

    engine = Engine(teller=Voice(offer.quiet))
    names, settings = offer.named(engine.config), offer.settings(engine.config)
    asyncio.run(speak(engine, names, settings))
    return 0
