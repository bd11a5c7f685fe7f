"""Graded pools as arrays: answers, grades and prices of every sample, the same problems in each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ponder.core.errors import UsageError
from ponder.core.problem import AnswerType
from ponder.experiments.pools.file import Pool
from ponder.experiments.pools.samples import Entry, Header, first
from ponder.experiments.stats import columns, costs
from ponder.experiments.stats.estimators import Bools, Floats, Ints
from ponder.models.base import Shape
from ponder.planning import presets
from ponder.planning.difficulty import Graded, Tally
from ponder.planning.presets import COMMON

UNITS = ("usd", "flops", "tokens", "seconds")
"""Units of prices; the first that all pools know is taken."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The samples of one pool. Arrays are (problems, samples) unless said otherwise."""

    name: str
    """Name of the file, without its ending."""
    header: Header
    kinds: tuple[AnswerType, ...]
    """Answer type of each problem."""
    classes: Ints
    """Number of each sample's answer within its problem; -1 for none."""
    right: Bools
    """(problems, classes): True for right answers."""
    once: Floats
    """(problems,): what is spent once, for any number of samples."""
    each: Floats
    """Price of each sample."""
    longest: int
    """Most tokens of a sample."""
    prompt: int
    """Most tokens of a prompt; 0 if unknown."""

    @property
    def model(self) -> str:
        """Name of its model; '' if the pool does not say."""
        return " and ".join(self.header.models)

    @property
    def samples(self) -> int:
        """Samples per problem."""
        return int(self.classes.shape[1])

    @property
    def correct(self) -> Bools:
        """True for right samples."""
        taken = np.take_along_axis(self.right, np.maximum(self.classes, 0), 1)
        return np.asarray(taken & (self.classes >= 0))

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling parameters that the pool states, as knobs."""
        stated = self.header.rest.get("sampling")
        told = stated if isinstance(stated, dict) else {}
        known = {name: told[name] for name in COMMON if told.get(name) is not None}
        if style := self.header.rest.get("style"):
            known["style"] = style
        presets.drawing(known)  # raises for a value that no plan may have
        return {"length": self.longest, **known}

    def graded(self, problems: Ints) -> list[Graded]:
        """Return the tallies of such problems, by answer type."""
        by: dict[AnswerType, list[Tally]] = {}
        for row in problems.tolist():
            given, right = self.classes[row], self.right[row]
            counts = np.bincount(given[given >= 0], minlength=len(right))
            wrong = tuple(int(count) for count in counts[~right & (counts > 0)])
            tally = Tally(int(counts[right].sum()), wrong, int((given < 0).sum()))
            by.setdefault(self.kinds[row], []).append(tally)
        return [Graded(self.name, self.model, kind, tuple(rows)) for kind, rows in by.items()]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pool as it was read."""

    path: Path
    header: Header
    entries: tuple[Entry, ...]

    @property
    def problem_ids(self) -> list[str]:
        """Names of its problems, in its order."""
        return [entry.problem_id for entry in self.entries]

    @property
    def suite(self) -> str:
        """The suite that it names; '' if it does not."""
        return str(self.header.rest.get("suite") or "")

    @property
    def units(self) -> set[str]:
        """The units in which the cost of every sample is known, and not all cost nothing."""
        return _prices(self.header, self.entries)


def load(paths: Sequence[Path]) -> list[Loaded]:
    """Read pools of the same problems.

    Raises:
        UsageError: a file is no pool, or has other problems than the first.
    """
    pools = [Loaded(path, pool.header, tuple(pool)) for path in paths for pool in (Pool(path),)]
    for pool in pools[1:]:
        odd = sorted({*pool.problem_ids} ^ {*pools[0].problem_ids})
        if odd:
            raise UsageError(
                f"{pool.path} has other problems than {pools[0].path}, such as {odd[0]!r}: give "
                "pools of the same problems."
            )
    return pools


def read(paths: Sequence[Path], unit: str = "") -> tuple[list[Recorded], str]:
    """Read pools; returns them, and the unit of their prices.

    Problems have as many samples as the poorest of their pool. ``unit`` '' is the first of
    ``UNITS`` that all pools know.

    Raises:
        UsageError: as ``load``; or a file is not graded, or no unit is known of all samples.
    """
    pools = load(paths)
    models = {pool.header.models for pool in pools}
    chosen = choose_unit(unit, [pool.units for pool in pools], models)
    return [recorded(pool, pools[0].problem_ids, chosen) for pool in pools], chosen


def choose_unit(asked: str, known: Sequence[set[str]], models: Collection[tuple[str, ...]]) -> str:
    """Return the unit asked for, or else the first that is known of all inputs.

    Raises:
        UsageError: there is none, or tokens of several models would be compared unasked.
    """
    shared = [unit for unit in UNITS if all(unit in units for units in known)]
    if asked and asked not in shared:
        raise UsageError(
            f"the pools do not all know their {asked}: "
            + (f"take --unit {shared[0]}." if shared else "record them with 'ponder pool record'.")
        )
    if not shared:
        raise UsageError(
            "the pools do not say what their samples cost: record them with 'ponder pool record', "
            "or give each sample its 'tokens'."
        )
    if not asked and shared[0] in ("tokens", "seconds") and len(models) > 1:
        raise UsageError(
            f"{shared[0]} of different models do not cost the same: give the pools' headers "
            f"'parameters', or say --unit {shared[0]} if they do."
        )
    return asked or shared[0]


def _prices(header: Header, entries: Sequence[Entry]) -> set[str]:
    """Return the units in which the cost of every sample is known, and not all cost nothing."""
    samples = [sample for entry in entries for sample in entry.samples]
    known = {
        unit
        for unit in ("usd", "tokens", "seconds")
        if all(getattr(sample, unit) is not None for sample in samples)
        and any(getattr(sample, unit) for sample in samples)
    }
    if "tokens" in known and costs.shape_of(header).parameters:
        known.add("flops")
    return known


def recorded(pool: Loaded, problems: Sequence[str], unit: str) -> Recorded:
    """Return a pool's samples in this order of the problems, as arrays.

    Raises:
        UsageError: it is not graded.
    """
    path, header = pool.path, pool.header
    by = {entry.problem_id: entry for entry in pool.entries}
    entries = [by[name] for name in problems]
    if all(entry.gold is None for entry in entries) and not any(
        sample.correct is not None for entry in entries for sample in entry.samples
    ):
        raise UsageError(
            f"{path} has neither grades nor gold answers, so no plan can be told from another: "
            "grade it with 'ponder pool grade'."
        )
    fewest = min(len(entry.samples) for entry in entries)
    entries = [first(entry, fewest) for entry in entries]
    try:
        [group] = columns.read(entries).groups
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    shape = costs.shape_of(header)
    priced = [[_price(sample, unit, shape) for sample in entry.samples] for entry in entries]
    samples = [sample for entry in entries for sample in entry.samples]
    return Recorded(
        path.stem,
        header,
        tuple(entry.answer_type for entry in entries),
        group.classes,
        group.right >= 0.5,
        np.array([max(once for once, _ in row) for row in priced], float),
        np.array([[each for _, each in row] for row in priced], float),
        max(1, int(max(sample.tokens or 0 for sample in samples))),
        int(max(sample.prompt_tokens or 0 for sample in samples)),
    )


def _price(sample: Any, unit: str, shape: Shape) -> tuple[float, float]:
    """Return what a sample's prompt costs once for all samples, and what the sample costs."""
    prompt, tokens = sample.prompt_tokens or 0, sample.tokens or 0
    if unit == "tokens":
        return 0.0, prompt + tokens
    if unit == "flops":
        prompt, tokens = round(prompt), round(tokens)
        return shape.flops(prompt, 0, 0), shape.flops(prompt, prompt, tokens)
    return 0.0, sample.usd if unit == "usd" else sample.seconds
