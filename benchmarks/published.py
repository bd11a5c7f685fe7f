"""Published samples of reasoning models, graded by meaning, for the claims of the field.

The files are the analysis files of 'Best-of-infinity' (arXiv 2509.21091), in ``samples/boinf`` of
the folder of benchmark data: answers as their authors extracted them, and the tokens of each
sample. They state no prompts, so FLOPs are 2 x parameters x generated tokens. All models are dense.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ponder.answers.equivalence import canonical
from ponder.answers.mathworker import MathWorker
from ponder.core.problem import AnswerType
from ponder.experiments.pools.file import Pool, write
from ponder.experiments.pools.importing import Foreign, Options
from ponder.experiments.pools.regrading import graded
from ponder.experiments.pools.samples import Entry, Header, Sample
from ponder.experiments.stats import columns, scoring
from ponder.experiments.stats.columns import Columns
from ponder.experiments.stats.estimators import Floats
from ponder.experiments.stats.scoring import Aggregator
from ponder.experiments.stats.series import Point, Series
from ponder.experiments.suites.grading import gold
from ponder.models.base import Shape
from ponder.verifiers.base import Tools

PATHS = {
    "problem_id": "problem_num",
    "gold": "gold_answer",
    "samples": "all_answers",
    "answer": "0",
    "tokens": "1",
}


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    file: str
    parameters: int
    """Of one token; all of them, as the model is dense."""


MODELS = (
    Model("Qwen3-4B", "Qwen3-4B", 4_000_000_000),
    Model("Nemotron-9B", "NVIDIA-Nemotron-Nano-9B-v2", 8_900_000_000),
    Model("Phi-4-r-14.7B", "Phi-4-reasoning", 14_700_000_000),
    Model("Qwen3-14B", "Qwen3-14B", 14_800_000_000),
    Model("EXAONE-32B", "EXAONE-Deep-32B", 32_000_000_000),
    Model("LIMO-v2-33B", "LIMO-v2", 32_800_000_000),
)
"""The smallest first."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    name: str
    prefixes: tuple[str, ...]
    """Of its files' names; several are joined."""
    answer_type: AnswerType


AIME24 = Benchmark("AIME24", ("aime2024",), "number")
AIME25 = Benchmark("AIME25", ("aime2025",), "number")
AIME = Benchmark("AIME24+25", ("aime2024", "aime2025"), "number")
GPQA = Benchmark("GPQA", ("gpqa_diamond",), "choice")
MATH = Benchmark("MATH-500", ("math500",), "math")
APART = (AIME24, AIME25, GPQA, MATH)
JOINED = (AIME, GPQA, MATH)
"""The two years of AIME as one benchmark of 60 problems, for parts of the problems."""


class Published:
    """The samples; each file is graded once, and kept as a pool in ``kept`` if that is given."""

    def __init__(self, data: Path, kept: Path | None) -> None:
        self._folder = data / "samples" / "boinf"
        if not self._folder.is_dir():
            raise SystemExit(
                f"there is no folder {self._folder}: name the folder of benchmark data with "
                "--data, or set PONDER_DATA."
            )
        self._kept = kept
        self._columns: dict[tuple[str, str], Columns] = {}
        self._entries: dict[tuple[str, str], list[Entry]] = {}

    def models(self, benchmark: Benchmark) -> list[Model]:
        """The models whose samples of this benchmark are there."""
        return [m for m in MODELS if all(self._file(p, m).exists() for p in benchmark.prefixes)]

    def entries(self, benchmark: Benchmark, model: Model) -> list[Entry]:
        """Without the problems that some model of the benchmark never saw (no token generated)."""
        key = benchmark.name, model.name
        if key not in self._entries:
            read = {m.name: self._read(benchmark, m) for m in self.models(benchmark)}
            empty = {e.problem_id for found in read.values() for e in found if not spent(e)}
            for name, found in read.items():
                there = [e for e in found if e.problem_id not in empty]
                self._entries[benchmark.name, name] = there
        return self._entries[key]

    def columns(self, benchmark: Benchmark, model: Model) -> Columns:
        key = benchmark.name, model.name
        if key not in self._columns:
            entries = self.entries(benchmark, model)
            self._columns[key] = columns.read(entries, shape=Shape(model.parameters))
        return self._columns[key]

    def curve(
        self, benchmark: Benchmark, model: Model, how: str, sizes: Sequence[int]
    ) -> tuple[Floats, list[float]]:
        """Accuracy of each problem at each number of samples (problems, sizes), and FLOPs."""
        held = self.columns(benchmark, model)
        values, errors = scoring.evaluate(held, [(Aggregator(how), n) for n in sizes])
        assert not any(errors), "all curves here are exact"
        return values, [held.cost(n)["flops"] for n in sizes]

    def series(self, benchmark: Benchmark, model: Model, how: str, sizes: Sequence[int]) -> Series:
        """The same, as the report's comparisons take it."""
        held = self.columns(benchmark, model)
        values, _ = self.curve(benchmark, model, how, sizes)
        points = (Point(n, values[:, i], held.cost(n)) for i, n in enumerate(sizes))
        ids, levels = tuple(held.problem_ids), tuple(held.levels)
        return Series(
            benchmark.name, model.name, how, model.parameters, ids, levels, tuple(points), ""
        )

    def _read(self, benchmark: Benchmark, model: Model) -> list[Entry]:
        return [
            replace(entry, problem_id=f"{prefix}/{entry.problem_id}")
            for prefix in benchmark.prefixes
            for entry in self._graded(prefix, benchmark.answer_type, model)
        ]

    def _file(self, prefix: str, model: Model) -> Path:
        return self._folder / f"{prefix}_{model.file}.jsonl"

    def _graded(self, prefix: str, answer_type: AnswerType, model: Model) -> list[Entry]:
        kept = self._kept / f"{prefix}-{model.name}.jsonl" if self._kept else None
        if kept is not None and kept.exists():
            return list(Pool(kept))
        source = Foreign(self._file(prefix, model), "map", Options(PATHS, answer_type))
        entries = asyncio.run(by_meaning(list(source)))
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            rest = {"suite": prefix, "parameters": model.parameters}
            write(kept, Header((model.name,), rest), entries)
        return entries


def finished(entry: Entry, most: float) -> list[Sample]:
    """The samples that ended before the limit of tokens."""
    return [sample for sample in entry.samples if (sample.tokens or 0) < most]


def longest(entries: Sequence[Entry]) -> float:
    """The limit of tokens: no file is without samples that reached it."""
    return max(sample.tokens or 0 for entry in entries for sample in entry.samples)


def of_finished(entries: Sequence[Entry]) -> Floats:
    """Accuracy of each problem's finished samples, 0 where none is: an upper bound, more or less,
    of one sample's accuracy without a limit.
    """
    most = longest(entries)
    ended = [finished(entry, most) for entry in entries]
    return np.array([np.mean([bool(s.correct) for s in e]) if e else 0.0 for e in ended])


def spent(entry: Entry) -> bool:
    return any(sample.tokens for sample in entry.samples)


async def by_meaning(entries: Sequence[Entry]) -> list[Entry]:
    """Grade every answer, and name its meaning where several stand in one problem."""
    golds = {e.problem_id: gold.from_json(e.gold, e.answer_type) for e in entries}
    worker = MathWorker()
    try:
        found = await graded(entries, golds, tools=Tools())
        return [await keyed(entry, worker) for entry in found]
    finally:
        worker.close()


async def keyed(entry: Entry, worker: MathWorker) -> Entry:
    answers = {sample.answer for sample in entry.samples if sample.answer is not None}
    if len(answers) < 2:
        return entry
    keys = {a: (await canonical(a, entry.answer_type, worker)).key for a in answers}

    def named(sample: Sample) -> Sample:
        return sample if sample.answer is None else replace(sample, key=keys[sample.answer])

    return replace(entry, samples=tuple(map(named, entry.samples)))
