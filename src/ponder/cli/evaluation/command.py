"""``ponder eval``: configurations on a suite, a store of their results, and comparisons."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ponder.cli.commands.solve import knobs_of
from ponder.cli.evaluation import view
from ponder.cli.options.data import DATA
from ponder.cli.options.once import Group
from ponder.cli.options.together import apart, needs
from ponder.cli.options.unsafe import UNSAFE
from ponder.cli.output.bar import Bar, spending
from ponder.cli.output.files import free
from ponder.cli.output.terminal import say, say_json
from ponder.cli.output.voice import Voice, tell_of_person
from ponder.core.errors import MissingExtra, PonderError, UsageError
from ponder.core.text.refs import parse_options
from ponder.experiments.evals import configurations as reading
from ponder.experiments.evals.evaluation import AT_ONCE, Evaluation, Progress
from ponder.experiments.evals.evaluation import evaluate as carry_out
from ponder.experiments.evals.export import export as write
from ponder.experiments.evals.grading import grade_outcomes
from ponder.experiments.evals.store import Outcome, Store, Stored, store_path
from ponder.experiments.suites.registry import find
from ponder.planning.presets import DEFAULT
from ponder.runtime.engine import Engine

if TYPE_CHECKING:
    from ponder.experiments.evals.figures import Comparison, Summary

Held = tuple[Stored, Sequence[Outcome]]
_FILE = click.Path(path_type=Path)
_STORE = click.option(
    "--store",
    "path",
    type=_FILE,
    metavar="PATH",
    help="The results store.  [default: results.sqlite in Ponder's home]",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, nothing else.")


@click.group("eval", cls=Group, invoke_without_command=True)
@click.option("--suite", metavar="SUITE", help="As in 'ponder data show'.")
@click.option("-m", "--model", metavar="MODEL", help="As in 'ponder solve'.")
@click.option("-e", "--effort", metavar="EFFORT", help="As in 'ponder solve'.")
@click.option("-s", "--strategy", metavar="NAME", help="As in 'ponder solve'.")
@click.option("--set", "knobs", multiple=True, metavar="KNOB=VALUE", help="A knob; repeatable.")
@click.option(
    "--escalate-to",
    "escalate",
    multiple=True,
    metavar="MODEL",
    help="A larger model that --effort auto may ask; repeatable, from cheap to dear.",
)
@click.option("--verifier", metavar="NAME", help="As in 'ponder solve'.")
@click.option(
    "--worth", metavar="AMOUNT", help="What a right answer is worth; as in 'ponder solve'."
)
@click.option("--plans", metavar="PATH", help="Efforts of your own, as there.")
@click.option(
    "--budget",
    multiple=True,
    metavar="UNIT=VALUE,...",
    help=f"Per problem, in {', '.join(reading.UNITS)}.",
)
@click.option("--seed", type=int, metavar="SEED", help="Same seed, same samples.  [default: 0]")
@click.option(
    "--grid",
    multiple=True,
    metavar="NAME=V1,V2,...",
    help="A configuration for each value of a knob, model, strategy, effort, verifier, worth, "
    "plans, seed or budget.UNIT; repeatable, for all combinations. Quote a value with a comma "
    "outside brackets.",
)
@click.option("--file", type=_FILE, metavar="TOML", help="Configurations from a file.")
@click.option("--name", metavar="NAME", help="What to call the configuration.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only so many problems.")
@click.option("--every", default=1, type=click.IntRange(1), metavar="K", help="Every k-th problem.")
@click.option(
    "--at-once",
    default=AT_ONCE,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Problems in flight.",
)
@click.option("--regrade", is_flag=True, help="Grade anew what is graded already.")
@_STORE
@DATA
@_JSON
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on the way.")
@UNSAFE
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    suite: str | None,
    knobs: tuple[str, ...],
    escalate: tuple[str, ...],
    budget: tuple[str, ...],
    grid: tuple[str, ...],
    file: Path | None,
    limit: int | None,
    every: int,
    at_once: int,
    regrade: bool,
    path: Path | None,
    folder: Path | None,
    as_json: bool,
    quiet: bool,
    unsafe: bool,
    **words: Any,
) -> int:
    """Answer every problem of a suite with each configuration, grade, and compare.

    Finished results are kept in the store. After a crash, failed runs or Ctrl-C, the same command
    continues from there, and with a larger --limit it adds more problems.
    """
    if context.invoked_subcommand is not None:
        _nothing_before(context)
        return 0
    _figures()
    given = {**words, "knobs": knobs_of(knobs, None, escalate), "budget": _limits(budget)}
    suite, wishes = _wishes(
        suite, {k: v for k, v in given.items() if v not in (None, {})}, grid, file
    )
    found = find(suite)
    engine = Engine(teller=Voice(quiet), unsafe=unsafe)
    if escalate:
        _check_auto(wishes, engine.config.effort or DEFAULT)
    wanted = reading.configurations(wishes, found.name, engine.config)
    items = dict(list(enumerate(found.load(folder)))[::every][:limit])
    if not items:
        raise UsageError(f"the suite {suite!r} has no problems: name another with --suite.")
    asked = Evaluation(items, wanted, at_once)
    if not quiet:
        tell_of_person(*(one.verifier or "" for one in wanted))
    store = Store(path or store_path(), make=True)
    try:
        return asyncio.run(_evaluate(engine, asked, store, regrade, as_json, quiet))
    except UsageError:
        raise
    except (KeyboardInterrupt, PonderError) as ended:
        say(f"what has come is in {store.path}; the same command goes on from there", err=True)
        if isinstance(ended, PonderError):
            raise
        raise click.Abort from None
    finally:
        store.close()


def _limits(budget: Sequence[str]) -> dict[str, str]:
    """Return the limits of ``--budget``, by unit."""
    told = parse_options(",".join(budget)) if budget else {}
    return {unit: limit.text for unit, limit in told.items()}


def _check_auto(wishes: Sequence[reading.Wish], effort: str) -> None:
    for said in (wish.said for wish in wishes):
        if (said.get("strategy") or said.get("effort") or effort) != "auto":
            raise UsageError(
                "--escalate-to goes with --effort auto, for every configuration: add that, or "
                "leave it out."
            )


def _nothing_before(context: click.Context) -> None:
    for name in context.params:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise UsageError(
                f"options go behind the subcommand: ponder eval {context.invoked_subcommand} ..."
            )


def _wishes(
    suite: str | None, given: dict[str, Any], grid: Sequence[str], file: Path | None
) -> tuple[str, list[reading.Wish]]:
    """Return the suite, and the configurations to evaluate on it."""
    if file is None:
        wishes = reading.of_flags(given, grid)
    else:
        if grid or given.keys() & {"knobs", "budget", "name"}:
            raise UsageError("--set, --escalate-to, --budget, --grid and --name do not go with "
                             "--file: write them into the file.")  # fmt: skip
        named, wishes = reading.of_file(file, {**given, "suite": suite})
        suite = suite or named
    if not suite:
        raise UsageError("there is no suite: name it with --suite; 'ponder data list' has them.")
    return suite, wishes


async def _evaluate(
    engine: Engine, asked: Evaluation, store: Store, regrade: bool, as_json: bool, quiet: bool
) -> int:
    async with engine:
        ungraded = await _carried_out(engine, asked, store, regrade, quiet)
    held = _of_items(store, asked)
    figures = _figures()
    rows: list[Summary] = [figures.summary(*one) for one in held]
    differences: list[Comparison] = []
    if not any(row.ungraded for row in rows):
        differences = [figures.compare(held[0], one) for one in held[1:]]
    if as_json:
        say_json(_json(asked, store, rows, differences))
    else:
        view.summaries(rows)
        view.differences(rows, differences)
    _tell(held, ungraded)
    return 1 if ungraded or any(row.failed for row in rows) else 0


async def _carried_out(
    engine: Engine, asked: Evaluation, store: Store, regrade: bool, quiet: bool
) -> str:
    """Run and grade; returns why some answers could not be graded."""
    names = [configuration.id for configuration in asked.configurations]
    with Bar("evaluating", quiet) as bar:

        def tell(far: Progress) -> None:
            failed = f"{far.failed} failed" if far.failed else ""
            bar.advance(far.done, far.wanted, far.kept, spending(far.tokens, far.usd, failed))

        await carry_out(asked, store, tell=tell, engine=engine)
    if not (regrade or quiet):
        _tell_kept(_of_items(store, asked))
    with Bar("grading", quiet) as bar:
        items = asked.items.values()
        return await grade_outcomes(
            store, names, items, anew=regrade, tools=engine.tools, tell=bar.advance
        )


def _tell_kept(held: Sequence[Held]) -> None:
    """Warn that grades are kept: without references, the store cannot tell if they still apply."""
    kept = sum(outcome.correct is not None for _, outcomes in held for outcome in outcomes)
    if kept:
        s = "s" * (kept > 1)
        say(
            f"kept {kept:,} grade{s} of before: if references have changed since, say --regrade",
            err=True,
        )


def _of_items(store: Store, asked: Evaluation) -> list[Held]:
    wanted = {item.problem_id for item in asked.items.values()}
    known = {one.id: one for one in store.configurations()}
    return [
        (known[c.id], [o for o in store.outcomes(c.id) if o.problem_id in wanted])
        for c in asked.configurations
    ]


def _json(
    asked: Evaluation, store: Store, rows: Sequence[Summary], differences: Sequence[Comparison]
) -> dict[str, Any]:
    told = [None, *(difference.to_json() for difference in differences)]
    told += [None] * (len(rows) - len(told))
    return {
        "suite": asked.configurations[0].suite,
        "problems": len(asked.items),
        "store": str(store.path),
        "configurations": [
            {**row.to_json(), "resolved": one.resolved(), "difference": difference}
            for one, row, difference in zip(asked.configurations, rows, told, strict=True)
        ],
    }


def _tell(held: Sequence[Held], ungraded: str) -> None:
    held_here = [outcome for _, outcomes in held for outcome in outcomes]
    for state, then in (("failed", "; the same command tries them again"), ("refused", "")):
        of = [outcome for outcome in held_here if outcome.state == state]
        if of:
            told = f"{state}: {len(of)} of {len(held_here)} runs ({of[0].why}){then}"
            say(told, err=True)
    if ungraded:
        say(f"the runs are recorded but not graded: {ungraded}", err=True)


@evaluate.command()
@click.argument("configuration", required=False, metavar="[ID]")
@_STORE
@click.option(
    "--export",
    "target",
    type=_FILE,
    metavar="FILE",
    help="Write the outcomes: .csv, .parquet, or .sqlite (a store without the journal).",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@_JSON
def show(
    configuration: str | None, path: Path | None, target: Path | None, force: bool, as_json: bool
) -> None:
    """List configurations, newest first; or the problems of the one with that ID or name."""
    apart("--export", target, "--json", as_json)
    needs("--force", force, "--export", target)
    if path is None and not store_path().exists():
        _nothing(configuration or target, as_json)
        return
    if target:
        free(target, force, inputs=[path or store_path()])
    with _open(path) as store:
        if not store.configurations():
            _nothing(configuration or target, as_json)
            return
        chosen = [store.find(configuration)] if configuration else store.configurations()
        held = [(one, store.outcomes(one.id)) for one in chosen]
    if target:
        say(f"wrote {target}: {write(target, held)} outcomes", err=True)
        return
    figures = _figures()
    rows: list[Summary] = [figures.summary(*one) for one in held]
    if configuration:
        view.problems(held[0], rows[0], as_json=as_json)
    elif as_json:
        say_json([
            {**row.to_json(), "suite": one.suite, "created": view.when(one.created)}
            for row, (one, _) in zip(rows, held, strict=True)
        ])  # fmt: skip
    else:
        view.summaries(rows, [one for one, _ in held])


def _nothing(asked: object, as_json: bool) -> None:
    said = "nothing is evaluated yet: 'ponder eval --suite SUITE' does it."
    if asked:
        raise UsageError(said)
    say("[]" if as_json else said, err=not as_json)


@evaluate.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@_STORE
@_JSON
def compare(a: str, b: str, path: Path | None, as_json: bool) -> None:
    """Compare two configurations in pairs; each is an ID, a prefix of one, or a name."""
    figures = _figures()
    with _open(path) as store:
        both = [(one, store.outcomes(one.id)) for one in (store.find(a), store.find(b))]
    found: Comparison = figures.compare(*both)
    if as_json:
        say_json(found.to_json())
    else:
        view.comparison(found, *(one.name for one, _ in both))


@evaluate.command()
@click.argument("configurations", metavar="ID...", nargs=-1, required=True)
@_STORE
def rm(configurations: tuple[str, ...], path: Path | None) -> None:
    """Delete configurations, their outcomes and their runs."""
    with _open(path) as store:
        for one in {one.id: one for one in map(store.find, configurations)}.values():
            store.remove(one.id)
            say(f"removed {one.id} ({one.name})", err=True)


@contextmanager
def _open(path: Path | None) -> Iterator[Store]:
    store = Store(path or store_path())
    try:
        yield store
    finally:
        store.close()


def _figures() -> ModuleType:
    """Return the module that computes figures, loaded before anything is spent."""
    try:
        from ponder.experiments.evals import figures as evaluation_figures
    except ModuleNotFoundError as error:
        if error.name not in ("numpy", "scipy"):
            raise
        raise MissingExtra("experiments", "an evaluation") from None
    return evaluation_figures
