"""Derives pools from pools: without the texts, or several joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponder.answers.equivalence import quick_key
from ponder.core.errors import UsageError
from ponder.core.problem import AnswerType
from ponder.experiments.pools.file import Pool, shown
from ponder.experiments.pools.samples import Entry, Header, Sample


def strip(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the problems without the samples' texts, and without keys that answers imply.

    For programs, the answer's key replaces the answer, and hidden tests are left out. Such samples
    can be scored; to grade them again takes the texts and the suite.
    """
    for entry in entries:
        programs = entry.answer_type == "code"
        samples = tuple(_stripped(sample, entry.answer_type) for sample in entry.samples)
        yield replace(entry, gold=None if programs else entry.gold, samples=samples)


def _stripped(sample: Sample, kind: AnswerType) -> Sample:
    answer, key = sample.answer, sample.key
    quick = None if answer is None else quick_key(answer, kind)
    if kind == "code" and answer is not None:
        answer = quick or key
    return replace(sample, text=None, answer=answer, key=None if quick else key)


def merge(pools: Sequence[Pool], *, mixed: bool = False) -> tuple[Header, list[Entry]]:
    """Join pools: more samples of the same problems, or other problems.

    Raises:
        UsageError: pools of several or unknown models (unless ``mixed``), of one seed and the
            same problems, with some problems in common but not all, or with different gold.
    """
    first = pools[0].header
    if not mixed and not any(any(pool.header.source) for pool in pools):
        raise UsageError(
            f"{pools[0].path} and {pools[1].path} do not say which model they are of: import them "
            "with --model, or say --mixed."
        )
    merged: dict[str, Entry] = {}
    groups: list[tuple[frozenset[str], list[Pool]]] = []
    for pool in pools:
        if not mixed and pool.header.source != first.source:
            raise UsageError(
                f"{pools[0].path} is of {pools[0].header} and {pool.path} of {pool.header}: "
                "merge pools of one model, or say --mixed."
            )
        entries = {entry.problem_id: entry for entry in pool}
        ids = frozenset(entries)
        same = next((earlier for known, earlier in groups if known == ids), None)
        if same is None and (common := ids & merged.keys()):
            raise UsageError(
                f"{pool.path} shares {len(common)} of its {len(ids)} problems with the pools "
                "before it: merge pools of the same problems, or of different ones."
            )
        for earlier in same or ():
            _check_seeds(earlier, pool)
        if same is None:
            groups.append((ids, [pool]))
        else:
            same.append(pool)
        for name, entry in entries.items():
            merged[name] = _joined(merged[name], entry, pool.path) if name in merged else entry
    return _common([pool.header for pool in pools]), list(merged.values())


def _check_seeds(a: Pool, b: Pool) -> None:
    one_file = a.path.resolve() == b.path.resolve()
    if one_file or (a.header.source == b.header.source and _shared(a.header.seeds, b.header.seeds)):
        why = "are one file" if one_file else "were drawn with the same seed"
        raise UsageError(
            f"{a.path} and {b.path} {why}: their samples are the same ones, so merging them would "
            "count each twice."
        )


def _shared(a: list[Any], b: list[Any]) -> bool:
    return any(seed in b for seed in a)


def _joined(old: Entry, new: Entry, path: Path) -> Entry:
    for name in ("gold", "answer_type"):
        mine, other = getattr(old, name), getattr(new, name)
        if mine != other:
            raise UsageError(
                f"problem {old.problem_id!r} has {name} {shown(other)} in {path} and {shown(mine)} "
                "before: these are not the same problem."
            )
    return replace(old, samples=old.samples + new.samples)


def _common(headers: Sequence[Header]) -> Header:
    """Return the fields on which all headers agree, and all headers under ``merged``."""
    first = headers[0].rest
    agreed = {
        name: value
        for name, value in first.items()
        if name != "merged" and all(h.rest.get(name) == value for h in headers)
    }
    models = tuple(dict.fromkeys(model for h in headers for model in h.models))
    if not all(h.models for h in headers):
        models = ()  # the known ones would stand for the others, too
    return Header(models, {**agreed, "merged": [h.to_json() for h in headers]})
