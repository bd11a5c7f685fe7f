"""The fitted plans as JSON."""

from __future__ import annotations

from typing import Any

from ponder.experiments.stats.paired import Difference
from ponder.experiments.tuning.candidates import Candidate, Plan
from ponder.experiments.tuning.fitting import Effort, Judged, Level, Tuned
from ponder.experiments.tuning.inputs import Inputs


def to_json(tuned: Tuned, inputs: Inputs) -> dict[str, Any]:
    """Return its JSON in ``ponder tune --json``."""

    def plan(one: Plan) -> dict[str, Any]:
        if not isinstance(one, Candidate):
            held = inputs.evaluated[one.place]
            knobs = dict(held.preset.knobs)
            return {"result": held.name, "model": held.model, "strategy": held.preset.strategy,
                    "knobs": knobs}  # fmt: skip
        pool = inputs.pools[one.pool]
        return {"pool": pool.name, "model": pool.model, "n": one.n, "stop": one.stop}

    def judged(row: Judged) -> dict[str, Any]:
        figures = {name: getattr(row, name) for name in ("accuracy", "low", "high", "cost")}
        return {**plan(row.plan), **figures}

    def difference(one: Difference) -> dict[str, float]:
        return {"difference": one.difference, "low": one.low, "high": one.high}

    def effort(one: Effort) -> dict[str, Any]:
        return {
            "effort": one.name,
            "ceiling": one.ceiling,
            **judged(one.chosen),
            "best": judged(one.best),
            "regret": difference(one.regret),
            "oracle": one.oracle,
            "against": [{**plan(other), **difference(d)} for other, d in one.against.items()],
        }

    def level(one: Level) -> dict[str, Any]:
        return {
            "difficulty": one.name,
            "effort": one.effort,
            "problems": one.problems,
            "accuracy": one.accuracy,
            "own": {**plan(one.own), "accuracy": one.own_accuracy},
        }

    return {
        "unit": tuned.unit,
        "problems": tuned.fitted,
        "judged_on": tuned.judged,
        "sample": tuned.sample,
        "efforts": [effort(one) for one in tuned.efforts],
        "plans": [judged(row) for row in tuned.table],
        "levels": [level(one) for one in tuned.levels],
    }
