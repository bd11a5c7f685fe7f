"""``ponder learn environment``: a suite as an environment for reinforcement learning."""

from __future__ import annotations

from pathlib import Path

import click

from ponder.cli.options.data import DATA
from ponder.cli.options.once import Command
from ponder.cli.output.terminal import say, say_json
from ponder.core.errors import UsageError
from ponder.experiments.suites.registry import find, measures
from ponder.learning import environments

MEASURED = (
    "these problems are of {suites}: a model that learns from them cannot be measured on them"
)
_FILE = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("suite", metavar="SUITE")
@click.option(
    "-o",
    "--output",
    "output",
    type=_FILE,
    required=True,
    metavar="FOLDER",
    help="A new folder, named as a Python module.",
)
@click.option(
    "--verifier",
    required=True,
    metavar="NAME",
    help="The reward; reference: the suite's own answers, if it is for training.",
)
@click.option("--limit", type=click.IntRange(1), help="Only so many problems.")
@click.option("--every", default=1, type=click.IntRange(1), metavar="K", help="Every k-th problem.")
@DATA
@click.option("--force", is_flag=True, help="Overwrite an environment that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def environment(
    suite: str,
    output: Path,
    verifier: str,
    limit: int | None,
    every: int,
    folder: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a suite and its verifier as an environment for reinforcement learning.

    FOLDER becomes a Python package: entries and scores as in a task of reasoning-gym, a reward
    function for TRL, and a taskset of verifiers.
    """
    found = find(suite)
    environments.check(found, verifier, output)
    _free(output, force)
    items = list(found.load(folder))[::every][:limit]
    count = environments.export(found, items, verifier, output)
    measured = measures(found.name)
    if as_json:
        say_json(
            {
                "environment": output.name,
                "suite": found.name,
                "verifier": verifier,
                "problems": count,
                "evaluation_suites": [found.name] if measured else [],
            }
        )
    elif not quiet:
        say(f"wrote {output}: {count:,} problems of {found.name}, reward {verifier}", err=True)
        if measured:
            say(MEASURED.format(suites=found.name), err=True)


def _free(folder: Path, force: bool) -> None:
    """Refuse to write into a folder that is no environment, or one that is there already.

    Raises:
        UsageError: tells the user what to do instead.
    """
    if not folder.absolute().parent.is_dir():
        raise UsageError(f"cannot write {folder}: there is no folder {folder.parent}.")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: give the name of a new folder.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / environments.ABOUT).is_file():
        raise UsageError(f"{folder} is a folder with something else: give the name of a new one.")
    if not force:
        raise UsageError(f"{folder} exists: choose another name, or say --force.")
