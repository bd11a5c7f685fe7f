"""``ponder learn export``: recorded chains as training data."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from ponder import api
from ponder.cli.learning.environment import MEASURED
from ponder.cli.learning.teaching import WITHOUT_EXAMPLES, tell_left_out
from ponder.cli.learning.thinking import LEVELS, levels_from
from ponder.cli.options.data import DATA
from ponder.cli.options.numbers import Finite
from ponder.cli.options.once import Command
from ponder.cli.output.files import free
from ponder.cli.output.terminal import say, say_json
from ponder.core.errors import UsageError
from ponder.core.text.refs import texts
from ponder.learning.rows import exporting
from ponder.learning.rows.picking import PICKS, Choice, Pick
from ponder.learning.rows.sources import Reader

_FILE = click.Path(path_type=Path)


@click.command(cls=Command)
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
@WITHOUT_EXAMPLES
@LEVELS
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
    without_examples: bool,
    levels: str,
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
    asked = exporting.Export(
        sources, choice, cast(exporting.Format, kind), holdout, suites, levels_from(levels)
    )
    inputs = [Path(source) for source in sources]
    free(output, force, inputs=inputs)
    if holdout:
        free(exporting.held_out_path(output), force, inputs=inputs)
    reader = Reader(
        journal or Path(api.journal_path()), suite, folder, skip_broken, without_examples
    )
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
    tell_left_out(summary.left_out)
    if summary.evaluation:
        say(MEASURED.format(suites=", ".join(summary.evaluation)), err=True)
