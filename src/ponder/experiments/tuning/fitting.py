"""The plan for each effort: chosen on some of the problems, judged on the others.

An effort is a ceiling of the mean cost of a problem, in samples of the cheapest pool. Of the plans
below it, the most accurate on the problems for fitting is taken, of equals the cheaper. The outlook
is fitted to the same problems. Nothing of the judged problems has a part in any of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ponder._version import __version__
from ponder.core.budget import Budget
from ponder.core.errors import UsageError
from ponder.core.problem import AnswerType
from ponder.experiments.stats import intervals, paired
from ponder.experiments.stats.estimators import Floats, Ints
from ponder.experiments.stats.paired import Difference
from ponder.experiments.tuning.candidates import Candidate, Outcomes, Plan, beside, evaluate
from ponder.experiments.tuning.inputs import Inputs
from ponder.experiments.tuning.samples import Recorded
from ponder.planning import difficulty, presets
from ponder.planning.difficulty import Fit
from ponder.planning.plans import Plans
from ponder.planning.presets import Preset
from ponder.policies.value import Mixture

CEILINGS: dict[str, float] = {
    "minimal": 1, "low": 4, "medium": 8, "high": 16, "xhigh": 24, "max": 32,
}  # fmt: skip
"""Most that a problem may cost on average, in samples of the cheapest pool."""
SLACK = 1e-9
"""Relative error of sums of floats that a ceiling allows."""
PROMPT = 1000
"""Tokens that a budget leaves for a prompt, if the pool does not say how long they are."""
TERCILES = ("easy", "middling", "hard")


@dataclass(frozen=True, slots=True)
class Judged:
    """A plan on the judged problems."""

    plan: Plan
    accuracy: float
    low: float
    """The lower end of the 95 % interval."""
    high: float
    """The upper end of the 95 % interval."""
    cost: float
    """Mean cost of a problem."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The plan of one effort."""

    name: str
    ceiling: float
    """Most mean cost, in the unit of the prices."""
    chosen: Judged
    best: Judged
    """The most accurate plan on the judged problems within the ceiling: known in hindsight."""
    regret: Difference
    """``best`` minus ``chosen``."""
    oracle: float
    """Accuracy if the best of these plans were known for each problem."""
    against: Mapping[Plan, Difference]
    """``chosen`` minus each plan within the ceiling."""


@dataclass(frozen=True, slots=True)
class Level:
    """An effort on the judged problems of one difficulty."""

    name: str
    """One of ``TERCILES``."""
    effort: str
    problems: int
    accuracy: float
    """Of the effort's plan."""
    own: Plan
    """The plan that is chosen on the fitting problems of this difficulty alone."""
    own_accuracy: float
    """The accuracy of that plan."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """Fitted plans, and their results on the judged problems."""

    unit: str
    fitted: int
    """Number of problems that it was fitted to."""
    judged: int
    """Number of problems that it was judged on."""
    sample: float
    """Mean cost of one sample of the cheapest pool, or else of the cheapest plan."""
    efforts: tuple[Effort, ...]
    table: tuple[Judged, ...]
    """All plans, the cheapest first."""
    levels: tuple[Level, ...]
    outlook: Fit | None
    """None if nothing was sampled."""


def tune(inputs: Inputs, made: str, *, share: float = 0.5, seed: int = 0) -> Tuned:
    """Fit plans to a part of the problems, and judge them on the ``share`` that is left.

    ``made`` is the date. The same inputs and seed give the same plans.

    Raises:
        UsageError: there are too few problems.
    """
    pools = inputs.pools
    fitting, judging = split(inputs.problems, share, seed)
    outlook = None
    outlooks: dict[AnswerType, Mixture] = {}
    if pools:
        outlook = difficulty.fit([one for pool in pools for one in pool.graded(fitting)], made)
        outlooks = {kind: outlook.outlook(kind) for kind in set(pools[0].kinds)}
    sampled = evaluate(pools, outlooks, seed) if pools else None
    found = beside(sampled, inputs.evaluated)
    before, after = of_problems(found, fitting), of_problems(found, judging)
    costs = before.cost.mean(0)
    single = [
        i for i, plan in enumerate(found.plans) if isinstance(plan, Candidate) and plan.n == 1
    ]
    sample = min(float(costs[i]) for i in single or range(len(costs)))
    means = intervals.resampled_means(after.accuracy, seed)
    rows = [_judged(after, means, column) for column in range(len(found.plans))]
    efforts = []
    for name, times in CEILINGS.items():
        ceiling = times * sample
        allowed = within(before, ceiling)
        best = choose(after, allowed)
        chosen = choose(before, allowed)
        efforts.append(
            Effort(
                name,
                ceiling,
                rows[chosen],
                rows[best],
                paired.difference(after.accuracy, means, best, chosen),
                float(after.accuracy[:, allowed].max(1).mean()),
                {
                    found.plans[i]: paired.difference(after.accuracy, means, chosen, i)
                    for i in allowed
                },
            )
        )
    return Tuned(
        inputs.unit,
        len(fitting),
        len(judging),
        sample,
        tuple(efforts),
        tuple(sorted(rows, key=lambda row: row.cost)),
        tuple(_levels(pools, outlooks, efforts, fitting, judging, seed)) if pools else (),
        outlook,
    )


def split(problems: int, share: float, seed: int) -> tuple[Ints, Ints]:
    """Return the problems for fitting and those for judging.

    Raises:
        UsageError: there are too few.
    """
    judged = round(problems * share)
    if not 1 <= judged < problems:
        raise UsageError(
            f"{problems} problem{'s' * (problems > 1)} cannot be split into one part to fit to and "
            "one to judge by: record more, or take another --judge."
        )
    order = random.Random(seed).sample(range(problems), problems)
    return np.array(sorted(order[judged:])), np.array(sorted(order[:judged]))


def within(found: Outcomes, ceiling: float) -> list[int]:
    """Return the plans whose mean cost is within a ceiling."""
    return [i for i, cost in enumerate(found.cost.mean(0)) if cost <= ceiling * (1 + SLACK)]


def choose(found: Outcomes, allowed: Sequence[int]) -> int:
    """Return the most accurate of the allowed plans; of equals the cheaper."""
    accuracy, cost = found.accuracy.mean(0), found.cost.mean(0)
    return max(allowed, key=lambda i: (round(float(accuracy[i]), 12), -float(cost[i])))


def of_problems(found: Outcomes, rows: Ints) -> Outcomes:
    """Return the outcomes on some of the problems."""
    return Outcomes(found.plans, found.accuracy[rows], found.cost[rows])


def _judged(found: Outcomes, means: Floats, column: int) -> Judged:
    values = found.accuracy[:, column]
    low, high, _ = intervals.interval(values, means[:, column])
    cost = float(found.cost[:, column].mean())
    return Judged(found.plans[column], float(values.mean()), low, high, cost)


def _levels(
    pools: Sequence[Recorded],
    outlooks: Mapping[AnswerType, Mixture],
    efforts: Sequence[Effort],
    fitting: Ints,
    judging: Ints,
    seed: int,
) -> list[Level]:
    """Return the efforts by difficulty, for those whose plan needs at most half of the samples.

    Difficulty is the share of right samples among the second half of each problem's samples, in all
    pools; the plans are evaluated on the first half, so that luck does not count as ease.
    """
    halves = [_part(pool, slice(0, pool.samples // 2)) for pool in pools if pool.samples > 1]
    if len(halves) < len(pools):
        return []
    ease = np.mean([p.correct[:, p.samples // 2 :].mean(1) for p in pools], axis=0)
    found = evaluate(halves, outlooks, seed)
    places = {plan: i for i, plan in enumerate(found.plans)}
    shown = []
    for name, mine, others in zip(
        TERCILES, _terciles(ease, fitting), _terciles(ease, judging), strict=True
    ):
        before, after = of_problems(found, mine), of_problems(found, others)
        for effort in efforts:
            if effort.chosen.plan not in places or not (len(mine) and len(others)):
                continue
            allowed = within(before, effort.ceiling)
            if not allowed:
                continue
            own = choose(before, allowed)
            means = after.accuracy.mean(0)
            taken = places[effort.chosen.plan]
            shown.append(
                Level(
                    name,
                    effort.name,
                    len(others),
                    float(means[taken]),
                    found.plans[own],
                    float(means[own]),
                )
            )
    return shown


def _part(pool: Recorded, part: slice) -> Recorded:
    return Recorded(
        pool.name, pool.header, pool.kinds, pool.classes[:, part], pool.right, pool.once,
        pool.each[:, part], pool.longest, pool.prompt,
    )  # fmt: skip


def _terciles(ease: Floats, problems: Ints) -> list[Ints]:
    """Return the problems in three parts of about the same size, the easiest first."""
    order = problems[np.argsort(-ease[problems], kind="stable")]
    return [np.sort(part) for part in np.array_split(order, 3)]


# To a file ----------------------------------------------------------------------------------------


def plans(tuned: Tuned, inputs: Inputs, made: str, seed: int) -> tuple[Plans, dict[str, str]]:
    """Return the plans for a file, and a remark on each."""
    pools = inputs.pools
    named = {pool.model for pool in pools} | {one.model for one in inputs.evaluated}
    several = len(named - {""}) > 1
    efforts, models, remarks = {}, {}, {}
    for effort in tuned.efforts:
        row = effort.chosen
        model, efforts[effort.name] = preset(row.plan, inputs)
        if several:
            models[effort.name] = model
        remarks[effort.name] = (
            f"{row.plan.named(pools)}: {row.accuracy:.3f} right ({row.low:.3f} to {row.high:.3f}) "
            f"on {tuned.judged} other problems, at {row.cost / tuned.sample:.1f} times the "
            f"cheapest {'sample' if pools else 'plan'}"
        )
    fit = {
        "made": made,
        "version": __version__,
        "pools": inputs.sources[: len(pools)],
        "results": inputs.sources[len(pools) :],
        "problems": tuned.fitted,
        "judged_on": tuned.judged,
        "unit": tuned.unit,
        "seed": seed,
    }
    told = {name: value for name, value in fit.items() if value != []}
    return Plans(efforts, models, tuned.outlook, told), remarks


def preset(plan: Plan, inputs: Inputs) -> tuple[str, Preset]:
    """Return a plan's model, and the plan as the file holds it.

    The budget of a vote is one that nothing recorded would reach.
    """
    if not isinstance(plan, Candidate):
        one = inputs.evaluated[plan.place]
        return one.model, one.preset
    pool = inputs.pools[plan.pool]
    sampling, style = presets.drawing(pool.sampling)
    tokens = plan.n * (max(sampling.length, pool.longest) + (pool.prompt or PROMPT))
    step = int(10 ** max(0, math.floor(math.log10(tokens)) - 1))
    return pool.model, Preset(
        "self_consistency" if plan.knobs else "direct",
        plan.knobs,
        sampling,
        Budget(tokens=-(-tokens // step) * step),
        style,
    )
