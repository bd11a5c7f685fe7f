"""``ponder learn thinking``: puzzles solved in words, as lessons in thinking."""

from __future__ import annotations

from pathlib import Path

import click

from ponder.cli.learning.teaching import WITHOUT_EXAMPLES, tell_left_out
from ponder.cli.options.data import DATA
from ponder.cli.options.once import Command
from ponder.cli.output.files import free
from ponder.cli.output.terminal import say, say_json
from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.refs import texts
from ponder.experiments.suites.registry import find, measures
from ponder.learning.rows import puzzles
from ponder.learning.thinking.bounds import ALL, Level
from ponder.planning.styles import Style, styled

LEVELS = click.option(
    "--levels",
    default=",".join(ALL),
    show_default=True,
    metavar="LEVEL,...",
    help="Levels of thinking to teach.",
)


def levels_from(text: str) -> list[Level]:
    """Return the levels that a caller names, weakest first.

    Raises:
        UsageError: one does not exist, or there is none.
    """
    named = texts(text)
    for name in named:
        if name not in ALL:
            raise UnknownName("level of thinking to teach", name, ALL)
    if not named:
        raise UsageError(f"--levels: expected one or more of {', '.join(ALL)}.")
    return [level for level in ALL if level in named]


@click.command(cls=Command)
@click.argument("suite", metavar="SUITE")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Where to write.",
)
@LEVELS
@WITHOUT_EXAMPLES
@click.option("--limit", type=click.IntRange(1), help="Only so many problems.")
@click.option("--every", default=1, type=click.IntRange(1), metavar="K", help="Every k-th problem.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the search.")
@DATA
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def thinking(
    suite: str,
    output: Path,
    levels: str,
    without_examples: bool,
    limit: int | None,
    every: int,
    seed: int,
    folder: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Solve the puzzles of a suite in words, and write that as lessons in thinking.

    SUITE is one of puzzles of numbers, such as 'countdown/train(seed=7, n=500)'. No model is
    asked: a search writes down what it tries, what fails and where it goes back, at several levels
    of length. For trainers as rows of --format sft.
    """
    chosen = levels_from(levels)
    found = find(suite)
    if measures(found.name):
        raise UsageError(
            f"models are measured on {found.name}, so nothing is taught from it: take puzzles made "
            "afresh, such as 'countdown/train(seed=7, n=500)'."
        )
    free(output, force)
    items = list(found.load(folder))[::every][:limit]
    style: Style = "zero_shot" if without_examples else "plain"
    problems = [(item.problem_id, styled(item.problem, style)) for item in items]
    asked = puzzles.Puzzles(found.name, problems, chosen, seed)
    done = puzzles.teach(asked, output)
    if as_json:
        say_json(done.to_json())
    elif not quiet:
        _tell(done, output, len(items))


def _tell(done: puzzles.Taught, output: Path, read: int) -> None:
    say(f"wrote {output}: {done.rows:,} rows, of {done.problems:,} of {read:,} problems", err=True)
    for level, lengths in done.lengths.items():
        far = puzzles.spread(lengths)
        said = f"{far['least']} to {far['most']}, median {far['median']}"
        say(f"{level}: {len(lengths):,} rows, tokens of thinking: {said}", err=True)
    tell_left_out(done.left_out)
