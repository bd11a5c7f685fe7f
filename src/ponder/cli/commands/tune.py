"""``ponder tune``: efforts fitted to samples of a user's own problems, recorded or drawn for it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ponder import api
from ponder.cli.commands.solve import knob_values
from ponder.cli.options.data import DATA
from ponder.cli.options.numbers import TOKENS, Finite
from ponder.cli.options.once import Command
from ponder.cli.options.unsafe import UNSAFE
from ponder.cli.output.bar import Bar, spending
from ponder.cli.output.files import free
from ponder.cli.output.tables import table
from ponder.cli.output.terminal import console, say, say_json, show
from ponder.cli.output.voice import Voice
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.errors import MissingExtra, RunFailed, UsageError
from ponder.core.text.visible import visible_line
from ponder.experiments.suites.registry import find
from ponder.planning import presets
from ponder.planning.plans import to_toml
from ponder.planning.presets import SHARED
from ponder.runtime.engine import Engine

if TYPE_CHECKING:
    from ponder.experiments.pools.recorder import Progress
    from ponder.experiments.tuning.fitting import Level, Tuned
    from ponder.experiments.tuning.inputs import Inputs
    from ponder.experiments.tuning.measuring import Measurement

_FILE = click.Path(path_type=Path)
_UNITS = ("usd", "flops", "tokens", "seconds")
_ALL = "exact"  # the rule of the fixed votes that the table shows


@click.command(cls=Command)
@click.argument("paths", metavar="[POOL|RESULTS]...", type=_FILE, nargs=-1)
@click.option(
    "-o", "--output", type=_FILE, required=True, metavar="FILE", help="Where to write the plans."
)
@click.option("--suite", metavar="SUITE", help="Measure on it, or take the results of it alone.")
@click.option("-m", "--model", metavar="MODEL", help="The model to measure, as in 'ponder solve'.")
@click.option("--limit", type=click.IntRange(1), help="Measure on only so many problems.")
@click.option("--every", default=1, type=click.IntRange(1), metavar="K", help="Every k-th problem.")
@click.option(
    "--n",
    default=32,
    show_default=True,
    type=click.IntRange(2, 32),
    help="Most samples of a problem to measure.",
)
@click.option(
    "--set",
    "knobs",
    multiple=True,
    metavar="KNOB=VALUE",
    help=f"How samples are drawn: {', '.join(SHARED)}; repeatable.",
)
@click.option("--max-tokens", type=TOKENS, help="Measure within so many tokens in all.")
@click.option("--max-usd", type=float, metavar="USD", help="Dollars.")
@click.option("--max-seconds", type=float, metavar="S", help="Seconds of sampling.")
@click.option("--max-flops", type=float, metavar="FLOPS", help="Floating-point operations.")
@DATA
@click.option(
    "--judge",
    default=0.5,
    show_default=True,
    type=Finite(0.05, 0.95),
    help="Share of the problems that nothing is fitted to.",
)
@click.option(
    "--unit",
    type=click.Choice(_UNITS),
    help="What a sample's price is counted in; by default the first that all pools know.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the split.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on the way.")
@UNSAFE
def tune(
    paths: tuple[Path, ...],
    output: Path,
    suite: str | None,
    model: str | None,
    limit: int | None,
    every: int,
    n: int,
    knobs: tuple[str, ...],
    max_tokens: int | None,
    max_usd: float | None,
    max_seconds: float | None,
    max_flops: float | None,
    folder: Path | None,
    judge: float,
    unit: str | None,
    seed: int,
    force: bool,
    as_json: bool,
    quiet: bool,
    unsafe: bool,
) -> None:
    """Fit what each effort does to the problems of half of your POOLs, and judge it on the others.

    Several graded pools of the same problems may be of several models, or of one model asked in
    several ways. RESULTS are stores of 'ponder eval': each configuration on these problems is a
    plan to choose from. Without either, --suite and a budget measure some ways of asking first,
    and keep their pools in FILE.pools; the same command continues there.
    """
    try:
        from ponder.experiments.tuning import fitting, inputs, report
        from ponder.experiments.tuning.measuring import Measurement
    except ModuleNotFoundError as error:
        if error.name != "numpy":
            raise
        raise MissingExtra("experiments", "fitting plans") from None
    free(output, force, inputs=paths)
    budget = Budget(max_tokens, max_usd, max_flops, max_seconds)
    limited = budget != Budget()
    if limited and not suite:
        raise UsageError("a budget is for measuring: name the suite with --suite.")
    if not paths and not limited:
        raise UsageError(
            "there is nothing to fit to: give pools or results, or measure with --suite and a "
            "budget such as --max-tokens."
        )
    if limited:
        assert suite is not None
        engine = Engine(teller=Voice(quiet), unsafe=unsafe)
        found = find(suite)
        items = dict(list(enumerate(found.load(folder)))[::every][:limit])
        name = api.model_name(model, engine.config)
        given = knob_values(knobs)
        presets.drawing(given)
        asked = Measurement(found.name, items, name, given, budget, seed, n, unit or "")
        paths = (*paths, *_measured(engine, asked, output, quiet))
    taken = inputs.read(paths, unit or "", suite or "")
    made = time.strftime("%Y-%m-%d", time.gmtime())
    tuned = fitting.tune(taken, made, share=judge, seed=seed)
    plans, remarks = fitting.plans(tuned, taken, made, seed)
    try:
        output.write_text(to_toml(plans, remarks), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}.") from None
    for why in taken.left_out:
        say(f"left out: {why}", err=True)
    if as_json:
        say_json(report.to_json(tuned, taken))
    else:
        _print(tuned, taken)
    named = f' --model "{model}"' if model and not plans.models else ""
    say(f"wrote {output}: use it with 'ponder solve --plans {output}{named}'", err=True)


def _measured(engine: Engine, asked: Measurement, output: Path, quiet: bool) -> tuple[Path, ...]:
    """Measure, and return the pools; what was recorded before is not drawn again."""
    from ponder.experiments.tuning import measuring

    folder = output.with_name(f"{output.name}.pools")
    folder.mkdir(exist_ok=True)

    watched = console(err=True).is_terminal

    async def go() -> measuring.Found:
        async with engine:
            with Bar("sampling", quiet or not watched) as bar:

                def tell(name: str, far: Progress) -> None:
                    total = far.receipt.total
                    note = spending(total.cost.tokens, total.picousd / PICO)
                    bar.advance(far.done, far.wanted, far.replayed, f"{name}, {note}")
                    if far.done == far.wanted > far.replayed and not (watched or quiet):
                        say(f"{name}: {far.done} samples, {note}", err=True)

                return await measuring.measure(asked, folder, engine, tell)

    try:
        found = asyncio.run(go())
    except (KeyboardInterrupt, RunFailed) as ended:
        say(f"what has come is in {folder}; the same command goes on from there", err=True)
        if isinstance(ended, RunFailed):
            raise
        raise click.Abort from None
    if not quiet:
        for name, why in found.dropped.items():
            say(f"dropped {name}: {why}", err=True)
        spent = spending(found.spent.cost.tokens, found.spent.picousd / PICO)
        why = f"; {found.why}" if found.why else ""
        ways = f"{len(found.paths)} way{'s' * (len(found.paths) != 1)}"
        say(f"measured {ways} of asking for {spent}{why}", err=True)
    return found.paths


def _distinct(tuned: Tuned) -> list[Level]:
    """Return the levels without those of an effort with the same plans as the one below it."""
    chosen = {one.name: one.chosen.plan for one in tuned.efforts}
    kept = {(one.name, chosen[one.effort], one.own): one for one in reversed(tuned.levels)}
    return [one for one in tuned.levels if one in kept.values()]


def _print(tuned: Tuned, inputs: Inputs) -> None:
    from ponder.experiments.tuning.candidates import Candidate

    pools = inputs.pools
    one = "one sample of the cheapest pool" if pools else "the cheapest plan"
    say(
        f"fitted to {tuned.fitted} problems, judged on {tuned.judged} others; cost in "
        f"{tuned.unit}, as multiples of {one} ({tuned.sample:.4g})"
    )
    for source in inputs.sources:
        say(visible_line(f"fitted on {source}"))
    rows = [
        {
            "effort": one.name,
            "plan": one.chosen.plan.named(pools),
            "right": f"{one.chosen.accuracy:.3f}",
            "95 % interval": f"{one.chosen.low:.3f} to {one.chosen.high:.3f}",
            "cost": f"{one.chosen.cost / tuned.sample:.2f}",
            "regret": f"{one.regret.difference:.3f}",
            "oracle": f"{one.oracle:.3f}",
        }
        for one in tuned.efforts
    ]
    show(table(rows, right={"right", "95 % interval", "cost", "regret", "oracle"}))
    say(
        "regret: what the best of these plans for the judged problems would have gained; oracle: "
        "right if the best were known for each problem"
    )
    say()
    say("fixed plans on the judged problems, beside the lowest effort that could afford them:")
    votes = [r for r in tuned.table if not isinstance(r.plan, Candidate) or r.plan.stop == _ALL]
    fixed = []
    for row in votes:
        against = next((one for one in tuned.efforts if row.plan in one.against), None)
        cells = {
            "plan": row.plan.named(pools),
            "right": f"{row.accuracy:.3f}",
            "95 % interval": f"{row.low:.3f} to {row.high:.3f}",
            "cost": f"{row.cost / tuned.sample:.2f}",
        }
        if against is not None:
            gain = against.against[row.plan]
            cells["effort"] = against.name
            cells["effort - plan"] = f"{gain.difference:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        fixed.append(cells)
    show(table(fixed, right={"right", "95 % interval", "cost", "effort - plan"}))
    if not tuned.levels:
        return
    say()
    say("by difficulty, which the samples tell that the plans are not judged on:")
    levels = [
        {
            "difficulty": one.name,
            "effort": one.effort,
            "problems": str(one.problems),
            "right": f"{one.accuracy:.3f}",
            "plan for these alone": one.own.named(pools),
            "its right": f"{one.own_accuracy:.3f}",
        }
        for one in _distinct(tuned)
    ]
    show(table(levels, right={"problems", "right", "its right"}))
