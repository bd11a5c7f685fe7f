"""The options of commands that offer models to other programs, ``ponder serve`` and ``ponder mcp``,
and the settings that they make.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ponder import api
from ponder.cli.options.numbers import ABOVE_ZERO, TOKENS
from ponder.cli.options.together import apart
from ponder.core.budget import Budget
from ponder.core.errors import MissingExtra
from ponder.models.config import Config
from ponder.planning import presets

if TYPE_CHECKING:
    from ponder.server.settings import Settings

Run = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Offer:
    """The choices that such commands share."""

    models: tuple[str, ...]
    """Models by name; empty for the usual one."""
    effort: str | None
    """Effort of requests that name none; None for that of ``ponder.toml``."""
    max_tokens: int | None
    """Most tokens of one request."""
    max_usd: float | None
    """Most dollars of one request."""
    max_seconds: float | None
    """Most seconds of one request."""
    at_once: int
    """Most runs in progress."""
    deadline: float | None
    """Seconds after which a run ends; None for no such limit."""
    trust: tuple[str, ...]
    """Scripts and files of verifiers that requests may name."""
    journal: str | bool
    """Path of the journal; True for the default one, False for none."""
    quiet: bool
    """True if nothing but errors is printed."""

    def named(self, config: Config) -> tuple[str, ...]:
        """Return the models to offer."""
        return self.models or (api.model_name(None, config),)

    def settings(self, config: Config, **more: Any) -> Settings:
        """Return the settings of a server; ``more`` are those that a command has besides.

        Raises:
            UsageError: a limit is not greater than zero.
        """
        from ponder.server.settings import Settings

        return Settings(
            effort=self.effort or config.effort or presets.DEFAULT,
            ceiling=Budget(self.max_tokens, self.max_usd, None, self.max_seconds),
            journal=self.journal,
            trusted=self.trust,
            at_once=self.at_once,
            deadline=self.deadline,
            **more,
        )


def offering(one: str, *, effort: str, at_once: int, waiting: str = "") -> Callable[[Run], Run]:
    """Return the decorator that gives a command these options, as its argument ``offer``.

    ``one`` is the word for a request, ``effort`` the one whose effort it sets; ``at_once`` is the
    default number of runs in progress, and ``waiting`` a remark about the others.
    """

    def decorate(command: Run) -> Run:
        @functools.wraps(command)
        def run(*, journal: str | None, no_journal: bool, **given: Any) -> int:
            apart("--journal", journal, "--no-journal", no_journal)
            own = {name: given.pop(name) for name in [*given] if name not in shared}
            return command(offer=Offer(journal=journal or not no_journal, **given), **own)

        for option in reversed(options):
            run = option(run)
        return run

    shared = {name for name in Offer.__dataclass_fields__ if name != "journal"}
    options = [
        click.option(
            "-m",
            "--model",
            "models",
            multiple=True,
            metavar="MODEL",
            help="Catalog name, .gguf, hub file, endpoint; repeatable. Those of ponder.toml too.",
        ),
        click.option(
            "--effort",
            type=click.Choice([*presets.PRESETS]),
            help=f"Effort of {effort}.  [default: {presets.DEFAULT}]",
        ),
        click.option("--max-tokens", type=TOKENS, help=f"Ceiling of one {one}: tokens."),
        click.option(
            "--max-usd", type=float, metavar="USD", help=f"Ceiling of one {one}: dollars."
        ),
        click.option(
            "--max-seconds", type=float, metavar="S", help=f"Ceiling of one {one}: seconds."
        ),
        click.option(
            "--at-once",
            type=click.IntRange(1),
            default=at_once,
            show_default=True,
            metavar="N",
            help=f"Most runs in progress{waiting}.",
        ),
        click.option(
            "--deadline",
            type=ABOVE_ZERO,
            metavar="S",
            help="Seconds after which a run ends with its best answer so far.",
        ),
        click.option(
            "--trust",
            multiple=True,
            metavar="VERIFIER",
            help=f"A script or file of a verifier that {one}s may name; repeatable.",
        ),
        click.option("--journal", metavar="PATH", help="Record the runs in this file."),
        click.option("--no-journal", is_flag=True, help="Do not record the runs."),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
    ]
    return decorate


def need(extra: str, what: str, packages: Collection[str]) -> None:
    """Refuse to go on without the packages of an extra.

    Raises:
        MissingExtra: one is absent.
    """
    if not all(importlib.util.find_spec(name) for name in packages):
        raise MissingExtra(extra, what)
