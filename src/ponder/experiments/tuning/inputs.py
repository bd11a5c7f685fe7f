"""The inputs of a fit: pools and evaluated configurations of the same problems, in one unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ponder.core.errors import UsageError
from ponder.experiments.tuning import results, samples
from ponder.experiments.tuning.results import Evaluated, Held
from ponder.experiments.tuning.samples import Recorded


@dataclass(frozen=True, slots=True)
class Inputs:
    """Pools and configurations with the same problems, in the same order."""

    pools: tuple[Recorded, ...]
    evaluated: tuple[Evaluated, ...]
    unit: str
    """Unit of the prices."""
    problems: int
    left_out: tuple[str, ...] = ()
    """Configurations of the stores that do not fit, and why."""

    @property
    def sources(self) -> list[str]:
        """Their names and models, the pools first."""
        pools = [
            f"{p.name}: {p.model or 'unknown model'}, {p.samples} samples each" for p in self.pools
        ]
        return [*pools, *(f"{one.name}: {one.model}" for one in self.evaluated)]


def read(paths: Sequence[Path], unit: str = "", suite: str = "") -> Inputs:
    """Read pools and results stores.

    Of the stores, those configurations are taken that have all problems of the pools; without a
    pool, all problems of the configuration with the most. ``suite`` '' is that of the pools, or the
    only one of the stores. ``unit`` is as in ``samples.read``.

    Raises:
        UsageError: a file is neither, nothing in a store fits, or as ``samples.read``.
    """
    stores = [path for path in paths if results.is_store(path)]
    pools = samples.load([path for path in paths if path not in stores])
    held = [one for path in stores for one in results.held(path)]
    asked = suite or next((s for s in (pool.suite for pool in pools) if s), "")
    if held:
        held = _of_suite(held, asked)
    problems = pools[0].problem_ids if pools else results.most_problems(held)
    faults = [(one, one.fault(problems)) for one in held]
    taken = [one for one, fault in faults if not fault]
    left_out = tuple(f"{one.stored.name} of {one.path} {why}" for one, why in faults if why)
    for path in stores:
        if not any(one.path == path for one in taken):
            raise UsageError(
                f"nothing in {path} has the problems of {pools[0].path if pools else 'the others'}"
                f": {left_out[0] if left_out else 'it has other suites'}; evaluate with 'ponder "
                "eval' on the same problems."
            )
    known = [*(pool.units for pool in pools), *(one.units(problems) for one in taken)]
    models = {*(pool.header.models for pool in pools), *((one.stored.model,) for one in taken)}
    chosen = samples.choose_unit(unit, known, models)
    names = [(one, results.evaluated(one, problems, chosen)) for one in taken]
    return Inputs(
        tuple(samples.recorded(pool, problems, chosen) for pool in pools),
        tuple(one for _, one in names),
        chosen,
        len(problems),
        left_out,
    )


def _of_suite(held: Sequence[Held], suite: str) -> list[Held]:
    suites = sorted({one.stored.suite for one in held})
    if not suite and len(suites) > 1:
        raise UsageError(
            f"the results are of several suites ({', '.join(suites)}): say which with --suite."
        )
    found = [one for one in held if one.stored.suite == (suite or suites[0])]
    if not found:
        raise UsageError(
            f"there are no results of the suite {suite!r}, but of {', '.join(suites)}: evaluate "
            "on the same suite."
        )
    return found
