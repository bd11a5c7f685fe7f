"""Reads sources: a pool, a journal or results store with all its runs, or the ID of one run.

The question of a pool's problem comes from its suite, in the style in which the pool was recorded,
or from the field ``question`` of its line. A journal holds the questions of its runs. Recordings
and batches keep theirs elsewhere, and are passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from ponder._version import __version__
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.record.effects import Generate, Sampling
from ponder.core.record.search import ROOT, Tree
from ponder.core.text.marks import joined
from ponder.core.trace import Score, Trace
from ponder.experiments.evals.store import Store
from ponder.experiments.pools.file import Pool
from ponder.experiments.pools.samples import Entry, Header, Sample
from ponder.experiments.suites.registry import find, own
from ponder.learning.rows.chains import Asked, Chain, Origin, key_of, misstep
from ponder.planning.problems import problem
from ponder.planning.spec import Spec
from ponder.planning.styles import Style, styled
from ponder.runtime import history
from ponder.runtime.journal import Journal
from ponder.runtime.records import Row, RunRow
from ponder.util.files import open_regular

_SQLITE = b"SQLite format 3\x00"


@dataclass(slots=True)
class Reader:
    """Reads sources one after the other, and counts what it passes over."""

    journal: Path
    """The journal of sources that are IDs of runs."""
    suite: str = ""
    """The suite of the pools, if the caller named one."""
    folder: Path | None = None
    """The folder of benchmark data."""
    skip_broken: bool = False
    """True to leave out broken lines of pools, and damaged runs."""
    without_examples: bool = False
    """True to leave the solved questions out that were shown before a question: what learns from
    the rows learns to do without (Askell 2021, 'A General Language Assistant', section 2.1).
    """
    passed: Counter[str] = field(default_factory=Counter)
    """Numbers of lines and runs passed over, by reason."""

    def read(self, source: str) -> Iterator[Asked]:
        """Yield the problems of a source in their order.

        Raises:
            UsageError: there is no such file or run, or it cannot be read; or a pool does not say
                what was asked.
        """
        for one in self._read(source):
            if self.without_examples:
                yield replace(one, problem=styled(one.problem, "zero_shot"))
            else:
                yield one

    def _read(self, source: str) -> Iterator[Asked]:
        path = Path(source)
        if not path.is_file():
            if path.suffix or len(path.parts) != 1 or path.exists():
                open_regular(path, "the source").close()  # says what is wrong with it
            yield from self._runs(self.journal, source)
            return
        with open_regular(path, "the source") as file:
            start = file.read(len(_SQLITE))
        if start == _SQLITE:
            yield from self._runs(path)
        else:
            yield from self._pool(path)

    # Pools ----------------------------------------------------------------------------------------

    def _pool(self, path: Path) -> Iterator[Asked]:
        pool = Pool(path, skip_broken=self.skip_broken)
        name = self.suite or _text(pool.header.rest.get("suite"))
        known = self.suite or own(name)  # a foreign pool must not name a file or the hub
        problems: dict[str, Problem] | None = None
        for entry in pool:
            asked = None if self.suite else _question(entry)
            if asked is None:
                if not known:
                    raise _unasked(path, entry, name)
                if problems is None:
                    items = find(name).load(self.folder)
                    problems = {item.problem_id: item.problem for item in items}
                asked = problems.get(entry.problem_id)
            if asked is None:
                raise UsageError(
                    f"the suite {name!r} has no problem {entry.problem_id!r}, which {path} has: "
                    "name the suite that it was recorded from with --suite."
                )
            asked = styled(asked, _style(pool.header))
            chains = tuple(
                _sampled(sample, asked, path, pool.header, i)
                for i, sample in enumerate(entry.samples)
            )
            yield Asked(asked, entry.problem_id, chains, find(name).name if known else "")
        self.passed["broken lines"] += len(pool.skipped)

    # Runs -----------------------------------------------------------------------------------------

    def _runs(self, path: Path, only: str = "") -> Iterator[Asked]:
        if not path.exists():
            raise UsageError(
                f"there is no file {only!r}, and no journal {path} with such a run: give the path "
                "of a pool or a journal, or the ID of a run."
            )
        journal = Journal(path)
        try:
            rows = [journal.run(only)] if only else journal.runs()[::-1]
            evaluated = _evaluated(path)
            for row in rows:
                try:
                    if asked := _of_run(journal, row, path):
                        suite, name = evaluated.get(row.id, ("", row.id))
                        yield replace(asked, suite=suite, problem_id=name)
                    else:
                        self.passed["recordings and batches"] += 1
                except UsageError:
                    if not self.skip_broken:
                        raise
                    self.passed["damaged runs"] += 1
        finally:
            journal.close()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _style(header: Header) -> Style:
    held = header.rest.get("style", "plain")
    return next((style for style in get_args(Style) if style == held), "plain")


def _question(entry: Entry) -> Problem | None:
    """Return the question that a pool's own line holds."""
    text = _text(entry.extra.get("question"))
    return problem(text, entry.answer_type) if text.strip() else None


def _unasked(path: Path, entry: Entry, name: str) -> UsageError:
    said = f"is of the suite {name!r}, which is none of Ponder's own" if name else "names no suite"
    return UsageError(
        f"{path} {said}, so what was asked as {entry.problem_id!r} is not known: name its suite, "
        "or where it is, with --suite."
    )


def _sampled(sample: Sample, asked: Problem, path: Path, header: Header, number: int) -> Chain:
    seed = header.rest.get("seed")
    turn = joined(sample.reasoning, sample.text) if sample.text else ""
    return Chain(
        turn,
        sample.answer,
        key_of(sample.answer, sample.key, asked),
        not sample.cut,
        int(sample.tokens or 0),
        sample.scores,
        Origin(
            path.name,
            "",
            str(number),
            " and ".join(header.models),
            "",
            seed if type(seed) is int else None,
        ),
        misstep=misstep(turn, asked),
        said=sample.text,
    )


def _evaluated(path: Path) -> dict[str, tuple[str, str]]:
    """Return suite and problem of each run that belongs to an evaluation; none for a journal."""
    try:
        store = Store(path)
    except UsageError:  # it is a journal alone: it has been opened as one
        return {}
    try:
        return {
            outcome.run: (one.suite, outcome.problem_id)
            for one in store.configurations()
            for outcome in store.outcomes(one.id)
        }
    finally:
        store.close()


def _of_run(journal: Journal, row: RunRow, path: Path) -> Asked | None:
    """Return the problem of a run with its chains; None for a recording or a batch."""
    if "problem" not in row.spec:
        return None
    spec = Spec.from_json({**row.spec, "version": __version__})
    calls = journal.calls(row.id)
    tree = history.tree(spec.problem, calls, journal.decisions(row.id))
    chains = tuple(_chains(tree, _Calls.of(calls, spec.problem), spec, row.id, path))
    return Asked(spec.problem, row.id, chains, tree=tree)


@dataclass(slots=True)
class _Calls:
    """The calls of a run by the names of their traces."""

    effects: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The ``Generate`` that made a trace."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """Scores of a trace, under the name of the verifier that was asked and of its part that
    answered.
    """
    others: set[str] = field(default_factory=set)
    """Traces of another prompt than the problem's, such as a revision's or one with a hint."""

    @classmethod
    def of(cls, rows: Sequence[Row], problem: Problem) -> _Calls:
        found, empty = cls(), Trace.empty(problem)
        own = Generate(empty, Sampling(), 0, prompt=problem.shown).describe()
        for row in rows:
            if row.lost is None:
                found._add(row, own)
        return found

    def _add(self, row: Row, own: Mapping[str, Any]) -> None:
        effect = row.effect
        match effect["effect"]:
            case "generate":
                self.effects[row.path] = effect
                shown = effect.get("prompt") or own["prompt"]  # none: the problem's own
                if shown != own["prompt"] or effect["problem"] != own["problem"]:
                    self.others.add(row.path)
            case "execute":
                self.others.add(row.path)  # its text is a program, asked for by a prompt of its own
            case "verify":
                for name, packed in zip(effect["traces"], row.result, strict=True):
                    score = Score(**packed)
                    if score.value is not None:
                        held = self.scores.setdefault(name, {})
                        held |= {effect["verifier"]: score.value, score.verifier: score.value}


def _chains(tree: Tree, calls: _Calls, spec: Spec, run: str, path: Path) -> Iterator[Chain]:
    """Yield the chains of a run that have ended, in the order in which they were asked for."""
    for node in sorted(tree.nodes.values(), key=lambda node: node.trace.order):
        trace = node.trace
        if node.id == ROOT or not trace.done or trace.calls:
            continue
        effect = calls.effects.get(node.id, {})
        seed = effect.get("seed")
        above = {node.id, *(one.id for one in tree.above(node.id))}
        yield Chain(
            trace.turn,
            trace.answer.text if trace.answer else None,
            trace.answer.key if trace.answer else None,
            not trace.cut,
            trace.tokens,
            calls.scores.get(node.id, {}),
            Origin(
                path.name,
                run,
                node.id,
                _text(effect.get("model")) or spec.model,
                spec.strategy,
                seed if type(seed) is int else None,
            ),
            not above & calls.others,
            misstep(trace.turn, spec.problem),
            trace.text,
        )
