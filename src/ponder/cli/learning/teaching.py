"""Parts that several commands of ``ponder learn`` have: options, and what is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from ponder.cli.output.terminal import say

F = TypeVar("F", bound=Callable[..., Any])
_NAMES = (
    click.option("-m", "--model", metavar="BASE", help="The model to start from, as in solve."),
    click.option("--name", required=True, metavar="NAME", help="The new model is BASE+NAME."),
)
_OUTCOME = (
    click.option("--seed", default=0, show_default=True, type=click.IntRange(0)),
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="The working folder.",
    ),
    click.option("--force", is_flag=True, help="Replace a model of that name."),
    click.option(
        "--json", "as_json", is_flag=True, help="Print the card as JSON and nothing else."
    ),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
)
WITHOUT_EXAMPLES = click.option(
    "--without-examples",
    is_flag=True,
    help="Rows do without the solved questions that were shown.",
)


def names(command: F) -> F:
    """Add the options that name the model to start from, and the new one."""
    return _with(command, _NAMES)


def outcome(command: F) -> F:
    """Add the seed, and the options that say where the outcome goes and what is told of it."""
    return _with(command, _OUTCOME)


def _with(command: F, options: tuple[Callable[[F], F], ...]) -> F:
    return reduce(lambda made, option: option(made), reversed(options), command)


def tell_waiting(folder: Path) -> None:
    """Tell that another process holds the working folder."""
    say(f"another process works in {folder}: waiting for it", err=True)


def tell_made(name: str, folder: Path, card: Mapping[str, Any]) -> None:
    """Tell which model was made, and what it cost."""
    flops = card["flops"]
    say(
        f"made {name}; search {flops['search']:.2e} FLOPs, training {flops['training']:.2e}; "
        f"{folder / 'card.json'} has the rest",
        err=True,
    )


def tell_left_out(counted: Mapping[str, int]) -> None:
    """Tell what was left out, by reason."""
    gone = [f"{n:,} {why}" for why, n in sorted(counted.items()) if n]
    if gone:
        say(f"left out: {', '.join(gone)}", err=True)
