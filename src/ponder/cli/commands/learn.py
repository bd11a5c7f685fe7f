"""``ponder learn``: training data and environments."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from ponder import api
from ponder.cli.options.data import DATA
from ponder.cli.options.numbers import Finite
from ponder.cli.options.once import Group
from ponder.cli.output.files import free
from ponder.cli.output.terminal import say, say_json
from ponder.core.errors import UsageError
from ponder.core.refs import texts
from ponder.experiments.suites.registry import find, measures
from ponder.learning import environments, exporting
from ponder.learning.picking import PICKS, Choice, Pick
from ponder.learning.sources import Reader

_MEASURED = (
    "these problems are of {suites}: a model that learns from them cannot be measured on them"
)
_FILE = click.Path(path_type=Path)


@click.group(cls=Group)
def learn() -> None:
    """Make training data and environments of what was recorded.

    \b
    ponder learn export pool.jsonl --verifier arithmetic -o data.jsonl
    """


@learn.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("-o", "--output", type=_FILE, required=True, metavar="FILE", help="Where to write.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(exporting.FORMATS),
    default="sft",
    show_default=True,
    help="The columns of the rows; see docs/learn.md.",
)
@click.option(
    "--verifier",
    metavar="NAME",
    help="The score that decides; agreement: the share of samples with the same answer.",
)
@click.option(
    "--at-least",
    type=Finite(0, 1),
    default=1.0,
    show_default=True,
    metavar="SCORE",
    help="Least score of a right chain.",
)
@click.option(
    "--pick",
    type=click.Choice(PICKS),
    default="shortest",
    show_default=True,
    help="Which of a problem's right chains come first.",
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    metavar="K",
    help="Most rows of a problem.",
)
@click.option(
    "--any-steps", is_flag=True, help="Keep right answers to puzzles that follow from false steps."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Breaks ties.")
@click.option(
    "--holdout",
    type=Finite(0, 1, max_open=True),
    default=0.0,
    metavar="FRACTION",
    help="Share of problems that go to a second file, by a hash of their question.",
)
@click.option(
    "--not-in", metavar="SUITE,...", help="Leave out what these suites ask, or nearly ask."
)
@click.option("--suite", default="", metavar="SUITE", help="Suite of the pools, if they name none.")
@DATA
@click.option("--journal", type=_FILE, metavar="PATH", help="Of sources that are IDs of runs.")
@click.option("--skip-broken", is_flag=True, help="Leave out broken lines and runs; count them.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def export(
    sources: tuple[str, ...],
    output: Path,
    kind: str,
    verifier: str | None,
    at_least: float,
    pick: str,
    most: int,
    any_steps: bool,
    seed: int,
    holdout: float,
    not_in: str | None,
    suite: str,
    folder: Path | None,
    journal: Path | None,
    skip_broken: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write recorded chains that a verifier passed as rows for a trainer.

    SOURCE is a pool, a journal or results store (all its runs), or the ID of a run. No reference
    answer is read: the score of a verifier decides, as it would for anybody who asks.
    """
    if verifier is None:
        raise UsageError(
            "which verifier's score decides? Name one with --verifier, such as arithmetic, "
            "execution or agreement; see docs/learn.md."
        )
    choice = Choice(verifier, at_least, cast(Pick, pick), most, seed, any_steps)
    suites = texts(not_in) if not_in else []
    asked = exporting.Export(sources, choice, cast(exporting.Format, kind), holdout, suites)
    inputs = [Path(source) for source in sources]
    free(output, force, inputs=inputs)
    if holdout:
        free(exporting.held_out_path(output), force, inputs=inputs)
    reader = Reader(journal or Path(api.journal_path()), suite, folder, skip_broken)
    summary = exporting.export(asked, output, reader)
    if as_json:
        say_json(summary.to_json())
    elif not quiet:
        _tell(summary, output)


def _tell(summary: exporting.Summary, output: Path) -> None:
    held = f", {exporting.held_out_path(output)}: {summary.held_out:,}" if summary.held_out else ""
    what = f"{summary.rows:,} rows{held}, of {summary.problems:,} of {summary.read:,} problems"
    passed = f"; {summary.verifier} passed {summary.passed:,} of {summary.chains:,} chains"
    say(f"wrote {output}: {what}{'' if summary.format == 'prompts' else passed}", err=True)
    gone = [f"{n:,} {why}" for why, n in sorted(summary.left_out.items()) if n]
    if gone:
        say(f"left out: {', '.join(gone)}", err=True)
    if summary.evaluation:
        say(_MEASURED.format(suites=", ".join(summary.evaluation)), err=True)


@learn.command()
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
            say(_MEASURED.format(suites=found.name), err=True)


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
