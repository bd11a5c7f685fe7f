"""The options that ``ponder serve`` and ``ponder mcp`` share."""

from __future__ import annotations

from typing import Any

import click
import pytest

from ponder.cli.commands.mcp import mcp
from ponder.cli.commands.serve import serve
from ponder.cli.options.offering import Offer, need, offering
from ponder.core.budget import Budget
from ponder.core.errors import MissingExtra, UsageError
from ponder.models.config import Config
from ponder.planning.presets import DEFAULT


def given(*arguments: str) -> tuple[Offer, dict[str, Any]]:
    """The offer of a command with these arguments, and its own options."""
    heard: list[tuple[Offer, dict[str, Any]]] = []

    @click.command()
    @offering("call", effort="a call", at_once=3)
    @click.option("--own", default=7)
    def command(offer: Offer, **own: Any) -> int:
        heard.append((offer, own))
        return 0

    command.main([*arguments], standalone_mode=False)
    [found] = heard
    return found


def test_the_defaults() -> None:
    offer, own = given()
    assert own == {"own": 7}
    assert offer == Offer((), None, None, None, None, 3, None, (), True, False)
    settings = offer.settings(Config(effort="high"), queue=5)
    assert (settings.effort, settings.ceiling, settings.queue) == ("high", Budget(), 5)
    assert offer.settings(Config()).effort == DEFAULT


def test_every_option_reaches_the_settings() -> None:
    limits = ["--max-tokens", "9", "--max-usd", "0.5", "--max-seconds", "3", "--deadline", "4"]
    rest = ["--effort", "low", "--at-once", "2", "--trust", "a.py", "--journal", "j", "-q"]
    offer, _ = given("-m", "one", "-m", "two", *limits, *rest)
    assert offer.named(Config()) == ("one", "two")
    assert offer.quiet
    settings = offer.settings(Config(effort="high"))
    assert settings.ceiling == Budget(9, 0.5, None, 3)
    assert (settings.effort, settings.deadline, settings.at_once) == ("low", 4, 2)
    assert (settings.trusted, settings.journal) == (("a.py",), "j")


def test_what_is_refused() -> None:
    assert given("--no-journal")[0].journal is False
    with pytest.raises(UsageError, match="exclude each other"):
        given("--journal", "j", "--no-journal")
    with pytest.raises(UsageError, match="greater than zero"):
        given("--max-tokens", "0")[0].settings(Config())
    need("serve", "the server", ["json"])
    with pytest.raises(MissingExtra, match="ponder\\[serve\\]"):
        need("serve", "the server", ["json", "no_such_package"])


def test_both_commands_have_them_all() -> None:
    def options(command: click.Command) -> set[str]:
        return {name for parameter in command.params for name in parameter.opts}

    assert options(mcp) < options(serve)
    assert {"-m", "--effort", "--max-usd", "--trust", "--no-journal", "-q"} <= options(mcp)
