"""``ponder pool``: recorded samples, re-scored without new compute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ponder.cli.options.numbers import whole_numbers
from ponder.cli.options.once import Group
from ponder.cli.output.files import free, tell_skipped
from ponder.cli.output.tables import table
from ponder.cli.output.terminal import say, say_json, show
from ponder.cli.pool.record import grade, record
from ponder.cli.pool.verify import verify
from ponder.core.errors import MissingExtra, UsageError
from ponder.core.problem import ANSWER_TYPES
from ponder.core.text.refs import parse_list, texts
from ponder.experiments.pools import file as pools
from ponder.experiments.pools import importing, merging
from ponder.experiments.pools.samples import Entry, Header

if TYPE_CHECKING:
    from ponder.experiments.stats.scoring import Report

_MANY_FORMULAS = 1_000  # number of formulas beyond which a message is printed
_FILE = click.Path(path_type=Path)
_FIGURES = {"tokens": "{:,.0f}", "flops": "{:.2e}", "usd": "{:.5f}", "seconds": "{:.1f}"}
_SKIP = click.option("--skip-broken", is_flag=True, help="Leave out broken lines, and count them.")
_OUT = click.option(
    "-o", "--output", "output", type=_FILE, required=True, metavar="POOL", help="Where to write."
)
_FORCE = click.option("--force", is_flag=True, help="Overwrite what is there.")


@click.group(cls=Group)
def pool() -> None:
    """Record, grade, re-score, import, strip and merge samples."""


pool.add_command(record)
pool.add_command(grade)
pool.add_command(verify)


@pool.command()
@click.argument("path", metavar="POOL", type=_FILE)
@click.option("--n", "sizes", metavar="N,...", help="Numbers of samples.  [default: 1,2,4,...]")
@click.option(
    "--by",
    default="majority",
    show_default=True,
    metavar="AGGREGATOR,...",
    help="Of majority, best:SCORE, weighted:SCORE; random and coverage always stand beside.",
)
@click.option(
    "--compare",
    multiple=True,
    metavar="A@N,B@M",
    help="The paired difference between two rows, such as majority@8,random@1; may be repeated.",
)
@click.option("--exact-strings", is_flag=True, help="Vote on answers as written, not as meant.")
@click.option(
    "--ties",
    type=click.Choice(["split", "first"]),
    default="split",
    show_default=True,
    help="Split a tie by expectation, or give it to the sample recorded first.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of resampling.")
@_SKIP
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def score(
    path: Path,
    sizes: str | None,
    by: str,
    compare: tuple[str, ...],
    exact_strings: bool,
    ties: str,
    seed: int,
    skip_broken: bool,
    as_json: bool,
) -> None:
    """Accuracy of every aggregator at every N, with 95 % intervals, from the samples in POOL."""
    try:
        from ponder.experiments.stats import columns, costs, scoring
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise MissingExtra("experiments", "scoring a pool") from None
    asked = [scoring.aggregator(text) for text in texts(by)]
    if twice := next((how for how in asked if asked.count(how) > 1), None):
        raise UsageError(f"--by names {twice} twice: name each aggregator once.")
    n = whole_numbers("--n", sizes)
    pairs = []
    for text in compare:
        sides = parse_list(text)
        if len(sides) != 2:
            raise UsageError(f"--compare: expected two rows, A@N,B@M, not {text!r}.")
        pairs.append((scoring.point(sides[0]), scoring.point(sides[1])))
    source = pools.Pool(path, skip_broken=skip_broken)
    voting = [how for how in (*asked, *(how for pair in pairs for how, _ in pair)) if how.votes]
    read = columns.read(
        source,
        shape=costs.shape_of(source.header),
        exact_strings=exact_strings or not voting,
        announce=_announce,
    )
    tell_skipped(source.skipped, "line")
    report = scoring.score(
        read, by=asked, n=n, compare=pairs, ties=cast(scoring.Ties, ties), seed=seed
    )
    if as_json:
        say_json(report.to_json())
    else:
        _print(report)


@pool.command("import")
@click.argument("path", metavar="FILE", type=_FILE)
@_OUT
@click.option(
    "--format",
    "kind",
    required=True,
    metavar="FORMAT",
    help=f"One of {', '.join(importing.FORMATS)}.",
)
@click.option(
    "--map",
    "paths",
    default="",
    metavar="FIELD=PATH,...",
    help="For the format map: where the fields of a pool are, such as answer=reply.final.",
)
@click.option(
    "--answer-type",
    default="text",
    show_default=True,
    metavar="TYPE",
    help=f"For the format map: one of {', '.join(ANSWER_TYPES)}.",
)
@click.option("--system", default="", help="For openai-gsm8k: only this one of its systems.")
@click.option("--model", default="", help="The model that the samples are of.")
@click.option("--suite", default="", help="The suite that the problems are of.")
@click.option(
    "--parameters",
    default="",
    metavar="N",
    help="The model's number of (active) parameters, such as 8.9e9, for FLOPs.",
)
@_SKIP
@_FORCE
def import_(
    path: Path,
    output: Path,
    kind: str,
    paths: str,
    answer_type: str,
    system: str,
    model: str,
    suite: str,
    parameters: str,
    skip_broken: bool,
    force: bool,
) -> None:
    """Make a pool from another program's FILE of samples."""
    options = importing.Options(importing.paths(paths), answer_type, system)
    source = importing.Foreign(path, cast(importing.Format, kind), options, skip_broken)
    rest: dict[str, Any] = {"suite": suite} if suite else {}
    if parameters:
        rest["parameters"] = _parameters(parameters)
    rest["imported"] = {"file": path.name, "as": kind}
    header = Header((model,) if model else (), rest)
    _write(output, force, [path], lambda: (header, source))
    tell_skipped(source.skipped, "row")


@pool.command()
@click.argument("path", metavar="POOL", type=_FILE)
@_OUT
@_SKIP
@_FORCE
def strip(path: Path, output: Path, skip_broken: bool, force: bool) -> None:
    """Remove the samples' texts. The rest can be scored, but not graded again."""
    source = pools.Pool(path, skip_broken=skip_broken)
    _write(output, force, [path], lambda: (source.header, merging.strip(source)))
    tell_skipped(source.skipped, "line")


@pool.command()
@click.argument("paths", metavar="POOL...", type=_FILE, nargs=-1, required=True)
@_OUT
@click.option("--mixed", is_flag=True, help="Join samples of different or unknown models.")
@_SKIP
@_FORCE
def merge(
    paths: tuple[Path, ...], output: Path, mixed: bool, skip_broken: bool, force: bool
) -> None:
    """Join pools of one model: more samples of the same problems, or other problems."""
    if len(paths) < 2:
        raise UsageError("merging takes at least two pools.")
    sources = [pools.Pool(path, skip_broken=skip_broken) for path in paths]
    _write(output, force, paths, lambda: merging.merge(sources, mixed=mixed))
    tell_skipped([line for source in sources for line in source.skipped], "line")


def _parameters(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (math.isfinite(value) and value >= 1):
        raise UsageError(f"--parameters: expected a number such as 8.9e9, not {text!r}.")
    return round(value)


def _announce(formulas: int) -> None:
    if formulas > _MANY_FORMULAS:
        say(
            f"comparing {formulas:,} formulas, some milliseconds each "
            "(--exact-strings compares them as written)",
            err=True,
        )


def _write(
    output: Path,
    force: bool,
    inputs: Sequence[Path],
    make: Callable[[], tuple[Header, Iterable[Entry]]],
) -> None:
    free(output, force, inputs=inputs)
    header, entries = make()
    problems, samples = pools.write(output, header, entries)
    say(f"wrote {output}: {problems} problems, {samples} samples", err=True)


def _print(report: Report) -> None:
    say(f"{report.problems} problems, {report.samples_per_problem} samples each")
    units = [u for u in ("tokens", "flops", "usd", "seconds") if u in report.rows[0].cost]
    rows = [
        {
            "n": str(row.n),
            "by": row.by,
            "accuracy": f"{row.accuracy:.4f}",
            "95 % interval": f"{row.low:.4f} to {row.high:.4f}",
            **{unit: _FIGURES[unit].format(row.cost[unit]) for unit in units},
        }
        for row in report.rows
    ]
    show(table(rows, right=rows[0].keys() - {"by"}))
    for (a, b), d in report.differences.items():
        verdict = "" if d.decided else "; the data do not decide"
        say(f"{a} - {b}: {d.difference:+.4f} ({d.low:+.4f} to {d.high:+.4f}){verdict}")
    errors = [row.error for row in report.rows if row.error]
    if errors:
        say(
            f"{len(errors)} rows by Monte Carlo over subsets, standard error at most "
            f"{max(errors):.5f}; the others are exact"
        )
