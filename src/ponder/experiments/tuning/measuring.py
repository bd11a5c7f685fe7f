"""Measures points of the plane (own thinking) x (style) on a user's problems, within one budget.

Each point is a pool, recorded by ``experiments.pools`` and continued by the same request. Rounds
take more problems, then more samples of each. After every round those points are dropped that are
dearer than another and no better (as in successive halving: Jamieson and Talwalkar 2016). A round
that is expected to pass the budget is not begun. The first, of which nothing is known, gives each
point an equal share of the budget's first part; a point that this does not suffice for is dropped.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ponder import api
from ponder.core.budget import Budget
from ponder.core.costs.cost import PICO
from ponder.core.costs.ledger import Item as Spent
from ponder.core.errors import RunFailed
from ponder.experiments.pools import file as pools
from ponder.experiments.pools import recording, regrading
from ponder.experiments.pools.recorder import Progress
from ponder.experiments.pools.recording import Recording
from ponder.experiments.pools.samples import Entry
from ponder.experiments.suites.base import Item
from ponder.experiments.tuning import samples
from ponder.experiments.tuning.samples import Loaded, Recorded
from ponder.models.base import ModelInfo
from ponder.models.opening import Opened
from ponder.models.thinking import TOKENS
from ponder.planning import presets
from ponder.planning.styles import Style
from ponder.runtime.engine import Engine
from ponder.runtime.journal import Journal

THINKING = ("off", "low", "medium", "high")
"""Levels of a model that thinks by itself, each asked plainly."""
STYLES: tuple[Style, ...] = ("plain", "brief", "worked")
"""Styles in which another model is asked."""
ROUNDS = ((0.25, 4), (0.5, 4), (1.0, 8), (1.0, 16), (1.0, 32))
"""Share of the problems, and samples of each."""
FEWEST = 8
"""Fewest problems of a round, if there are so many."""
UNITS = {"tokens": 1, "usd": PICO, "flops": 1, "seconds": 10**6}
"""Units of a budget, and whole parts of each in which shares are counted."""

Tell = Callable[[str, Progress], None]
"""Called with a point's name and its progress."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A request to measure a model on some problems."""

    suite: str
    items: Mapping[int, Item]
    """Items by their position in the suite."""
    model: str
    knobs: Mapping[str, Any]
    """Sampling parameters set by hand; one that is set is no axis of the plane."""
    budget: Budget
    """Limits of everything together."""
    seed: int = 0
    most: int = 32
    """Most samples of a problem at each point."""
    unit: str = ""
    """Unit of the prices, as in ``samples.read``."""


@dataclass(frozen=True, slots=True)
class Point:
    """A way of asking: own thinking and style."""

    thinking: str
    """A level; '' for a model that does not think by itself, or where it is set by hand."""
    style: Style

    @property
    def name(self) -> str:
        """Its name, and that of its pool."""
        return f"{self.thinking}-{self.style}" if self.thinking else self.style


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a measurement."""

    paths: tuple[Path, ...]
    """The pools of the points that are left, on the same problems."""
    dropped: Mapping[str, str]
    """Points that were dropped, and why."""
    spent: Spent
    """The cost of all points, now and before."""
    why: str
    """Reason why no further round was begun; '' if there was none left."""


def points(info: ModelInfo, knobs: Mapping[str, Any]) -> list[Point]:
    """Return the points to measure, the cheapest first as far as one can tell."""
    thinks = "native_thinking" in info.capabilities and "thinking" not in knobs
    styles = [knobs["style"]] if "style" in knobs else STYLES
    if thinks:
        return [Point(level, styles[0]) for level in THINKING]
    return [Point("", style) for style in styles]


def rounds(problems: int, most: int) -> list[tuple[int, int]]:
    """Return problems and samples of each round."""
    found = [
        (min(problems, max(FEWEST, math.ceil(share * problems))), min(n, most))
        for share, n in ROUNDS
    ]
    return list(dict.fromkeys(found))


async def measure(
    asked: Measurement,
    folder: Path,
    engine: Engine,
    tell: Tell = lambda name, progress: None,
    opened: Opened | None = None,
) -> Found:
    """Record the points' pools in ``folder``, which keeps what is recorded for another time.

    ``opened`` is used, and left open, instead of the model that ``asked`` names.

    Raises:
        UsageError: the model cannot be sampled so, the budget's unit is unknown of it, or answers
            cannot be graded.
        RunFailed: the budget does not suffice for the first round of any point, or the model gives
            no samples.
    """
    order = random.Random(asked.seed).sample(sorted(asked.items), len(asked.items))
    dropped: dict[str, str] = {}
    why = ""
    async with api.opened(opened or asked.model, engine) as used:
        standing = points(used.model.info, asked.knobs)
        everything = standing
        steps = rounds(len(order), asked.most)
        done: list[Loaded] = []
        for number, (many, n) in enumerate(steps):
            part = {i: asked.items[i] for i in sorted(order[:many])}
            if done and (why := _beyond(asked, folder, everything, standing, part, n)):
                break
            ahead = 1 if done else len(steps)
            new: list[Loaded] = []
            for place, point in enumerate(standing):
                left = _left(asked.budget, _spent_on(folder, everything))
                share = {u: x // (ahead * (len(standing) - place)) for u, x in left.items()}
                limits = _limits(_spent_on(folder, [point]), share)
                wish = _recording(asked, point, part, n, limits)
                pool = folder / f"{point.name}.jsonl"
                loaded, short = await _recorded(wish, pool, point.name, engine, used, tell, done)
                if loaded is not None and not short:
                    new.append(loaded)
                    continue
                why = short
                if done:
                    break
                dropped[point.name] = short
            if done and len(new) < len(standing):
                break
            standing = [point for point in standing if point.name not in dropped]
            if not new:
                raise RunFailed(
                    f"no point had {n} samples of {many} problems ({why.rstrip('.')}): give a "
                    "larger budget, or fewer problems with --limit; what has come is kept."
                )
            done = [await _graded(one, asked.items, engine) for one in _common(new)]
            keep, worse = surviving(_arrays(done, asked.unit), [point.name for point in standing])
            if number + 1 < len(steps):
                dropped |= worse
                standing = [standing[i] for i in keep]
                done = [done[i] for i in keep]
    for one in done:
        pools.write(one.path, one.header, one.entries)
    return Found(tuple(one.path for one in done), dropped, _spent_on(folder, everything), why)


def surviving(
    measured: Sequence[Recorded], names: Sequence[str]
) -> tuple[list[int], dict[str, str]]:
    """Return the points that may still be of use, and why the others are not.

    A point is dropped if another costs less, or as much, and is ahead by a standard error of the
    difference, paired by problem; of equals that differ in nothing but cost, the dearer.
    """
    right = [pool.correct.mean(1) for pool in measured]
    costs = [float((pool.once + pool.each.mean(1)).mean()) for pool in measured]
    keep, worse = [], {}
    for i, name in enumerate(names):
        for j, other in enumerate(names):
            ahead = right[j] - right[i]
            error = float(ahead.std(ddof=1) / math.sqrt(len(ahead))) if len(ahead) > 1 else np.inf
            gain = float(ahead.mean())
            if costs[j] <= costs[i] and gain >= error and (gain > 0 or costs[j] < costs[i]):
                worse[name] = f"{other} costs less and is right as often or more"
                break
        else:
            keep.append(i)
    return keep, worse


def _recording(
    asked: Measurement, point: Point, part: Mapping[int, Item], n: int, limits: Budget
) -> Recording:
    given = {**asked.knobs, "style": point.style}
    if point.thinking:
        given["thinking"] = point.thinking
        if "length" not in given:
            given["length"] = presets.drawing({})[0].length + TOKENS[point.thinking]
    sampling, style = presets.drawing(given)
    return Recording(asked.suite, part, asked.model, n, sampling, limits, asked.seed, style)


async def _recorded(
    wish: Recording,
    pool: Path,
    name: str,
    engine: Engine,
    used: Opened,
    tell: Tell,
    before: Sequence[Loaded],
) -> tuple[Loaded | None, str]:
    """Return a point's pool, and why it is not complete, if it is not.

    Raises:
        RunFailed: the model gives no samples any more, or charged more than it was allowed.
    """
    try:
        header, entries, outcome = await recording.record(
            wish, pool, opened=used, engine=engine, tell=lambda progress: tell(name, progress)
        )
    except RunFailed as error:
        if before:
            raise
        return None, str(error)
    if outcome.stopped_by == "overcharged":
        raise RunFailed(f"no further sample is drawn: {outcome.receipt.overcharged}")
    short = outcome.stopped_by and f"its share of the budget of {outcome.stopped_by} ended"
    return Loaded(pool, header, tuple(entries)), short or ""


async def _graded(one: Loaded, items: Mapping[int, Item], engine: Engine) -> Loaded:
    golds = {item.problem_id: item.gold for item in items.values()}
    entries = await regrading.graded(one.entries, golds, tools=engine.tools)
    return replace(one, entries=tuple(entries))


def _common(new: Sequence[Loaded]) -> list[Loaded]:
    """Return the pools without problems of which some pool has no samples."""
    shared = set.intersection(*({*one.problem_ids} for one in new))

    def kept(entries: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple(entry for entry in entries if entry.problem_id in shared)

    return [replace(one, entries=kept(one.entries)) for one in new]


def _arrays(done: Sequence[Loaded], unit: str) -> list[Recorded]:
    chosen = samples.choose_unit(unit, [one.units for one in done], {done[0].header.models})
    return [samples.recorded(one, done[0].problem_ids, chosen) for one in done]


# The budget ---------------------------------------------------------------------------------------


def _spent_on(folder: Path, among: Sequence[Point]) -> Spent:
    """Return the cost of all samples that the journals of these points hold."""
    total = Spent("total", "")
    for point in among:
        path = recording.journal_of(folder / f"{point.name}.jsonl")
        if not path.exists():
            continue
        journal = Journal(path)
        try:
            for run in journal.runs():
                for row in journal.calls(run.id):
                    total = total.plus(row.spent) if row.spent is not None else total
        finally:
            journal.close()
    return total


def _amounts(spent: Spent) -> dict[str, int]:
    """Return what was spent, in whole parts of each unit, rounded up."""
    return {
        "tokens": spent.cost.tokens,
        "usd": spent.picousd,
        "flops": math.ceil(spent.flops),
        "seconds": math.ceil(spent.seconds * UNITS["seconds"]),
    }


def _left(budget: Budget, spent: Spent) -> dict[str, int]:
    """Return what is left, in whole parts of each unit that is limited."""
    whole = {unit: getattr(budget, unit) for unit in UNITS}
    gone = _amounts(spent)
    return {
        unit: max(0, int(limit * UNITS[unit]) - gone[unit])
        for unit, limit in whole.items()
        if limit is not None
    }


def _limits(spent: Spent, share: Mapping[str, int]) -> Budget:
    """Return the budget of a recording: what it has spent already, and its share."""
    gone = _amounts(spent)
    whole = {unit: max(1, gone[unit] + part) for unit, part in share.items()}
    limits: dict[str, Any] = {
        unit: value if UNITS[unit] == 1 else value / UNITS[unit] for unit, value in whole.items()
    }
    return Budget(**limits)


def _beyond(
    asked: Measurement,
    folder: Path,
    everything: Sequence[Point],
    standing: Sequence[Point],
    part: Mapping[int, Item],
    n: int,
) -> str:
    """Return why a round is expected to pass the budget; '' if it is not.

    Samples to come are taken to cost what the earlier ones did.
    """
    needed = dict.fromkeys(UNITS, 0.0)
    for point in standing:
        before = _spent_on(folder, [point])
        more = max(0, n * len(part) - before.calls)
        for unit, amount in _amounts(before).items():
            needed[unit] += more * amount / max(1, before.calls)
    left = _left(asked.budget, _spent_on(folder, everything))
    for unit, amount in left.items():
        if needed[unit] > amount:
            return f"{n} samples of {len(part)} problems would pass the budget of {unit}"
    return ""
