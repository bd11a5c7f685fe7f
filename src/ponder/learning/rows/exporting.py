"""Export of training data: recorded chains as rows that trainers read.

=================  =================================================================================
format             columns, as TRL 1.16 reads them
=================  =================================================================================
``sft``            ``prompt`` and ``completion``, both messages: loss on the completion alone
                   (``SFTTrainer``)
``messages``       ``messages``: the whole chat, for trainers that mask by role
``preference``     ``prompt``, ``chosen`` and ``rejected``, all messages (``DPOTrainer``)
``steps``          ``prompt`` (a text), ``completions`` (steps), ``labels`` and ``values``
                   (``PRMTrainer``, which TRL had up to 1.12)
``thinking``       as ``sft``: walks through the search trees of runs as thinking at several levels
                   (``learning.thinking``), then the answer
``prompts``        ``prompt`` (messages), ``problem`` and ``verifier``, which ``learning.rewards``
                   reads (``GRPOTrainer``)
``verify``         as ``sft``: the generative verifier's prompt about a chain, and Yes or No
``verify-steps``   the same about the steps of a search (``judging``)
=================  =================================================================================

Every row has the column ``ponder`` with its provenance: in a file always the same fields, so that a
column store reads it as one type. Rows are written in the order of the problems' hashes, which
depends on nothing but the problems.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ponder.core.errors import PonderError, UsageError
from ponder.core.problem import Problem
from ponder.experiments.suites.registry import find, measures
from ponder.learning.rows import judging, questions
from ponder.learning.rows.chains import AGREEMENT, Asked, Chain, left_out, to_json
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.sources import Reader
from ponder.learning.rows.stepping import Stepped, stepped
from ponder.learning.rows.walks import Walked, lesson_row, walked
from ponder.learning.thinking.bounds import ALL, Level
from ponder.util.files import written_beside
from ponder.verifiers import registry
from ponder.verifiers.generative.template import TEMPLATE

Format = Literal[
    "sft", "messages", "preference", "steps", "thinking", "prompts", "verify", "verify-steps"
]
MISSTEP = "right with a false step"
"""Reason for leaving a chain out, unless any steps will do."""
FORMATS: tuple[Format, ...] = get_args(Format)
JUDGED = ("verify", "verify-steps")
"""Formats that teach a model to judge."""


@dataclass(frozen=True, slots=True)
class Export:
    """A request for training data.

    Raises:
        UsageError: the fraction that is held out is not from 0 to 1, or the rewards of ``prompts``
            would come from no verifier.
    """

    sources: Sequence[str]
    """Paths of pools, journals and results stores, and IDs of runs."""
    choice: Choice
    format: Format = "sft"
    holdout: float = 0.0
    """Share of problems that go to the file of held-out rows."""
    not_in: Sequence[str] = ()
    """Suites whose questions are left out."""
    levels: Sequence[Level] = ALL
    """Levels of the lessons of ``thinking``."""

    def __post_init__(self) -> None:
        if not 0 <= self.holdout < 1:
            raise UsageError(
                f"--holdout is the share of problems to hold out, from 0 to below 1, not "
                f"{self.holdout}."
            )
        if self.format in JUDGED and self.choice.most < 2:
            raise UsageError(
                f"--format {self.format} takes as many right as wrong of a problem: say --most 2 "
                "or more."
            )
        if self.format == "prompts":
            registry.find(self.choice.verifier)


@dataclass(slots=True)
class Summary:
    """The outcome of an export."""

    format: Format
    verifier: str
    rows: int = 0
    problems: int = 0
    """Number of problems with a row."""
    held_out: int = 0
    """Number of rows in the file of held-out rows."""
    read: int = 0
    """Number of problems that were read, each once."""
    chains: int = 0
    """Number of chains that were read."""
    passed: int = 0
    """Number of those that the verifier passed."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Numbers of what was left out, by reason."""
    evaluation: tuple[str, ...] = ()
    """Suites for evaluation that the sources are of: what learns from the rows cannot be measured
    on them.
    """

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``ponder learn export --json`` prints."""
        return {
            "format": self.format,
            "verifier": self.verifier,
            "rows": self.rows,
            "problems": self.problems,
            "held_out": self.held_out,
            "read": {"problems": self.read, "chains": self.chains, "passed": self.passed},
            "left_out": {why: n for why, n in sorted(self.left_out.items()) if n},
            "evaluation_suites": list(self.evaluation),
        }


@dataclass(slots=True)
class _Group:
    """One problem in all sources."""

    problem: Problem
    ids: set[str] = field(default_factory=set)
    chains: list[Chain] = field(default_factory=list)
    steps: list[Stepped] = field(default_factory=list)
    walks: list[Walked] = field(default_factory=list)


def held_out_path(output: Path) -> Path:
    """Return the file of held-out rows beside a file of rows: ``data.heldout.jsonl``."""
    return output.with_name(f"{output.stem}.heldout{output.suffix}")


def export(asked: Export, output: Path, reader: Reader) -> Summary:
    """Write the rows, completely or not at all; with ``holdout``, a second file beside them.

    Raises:
        UsageError: a source cannot be read, no chain has a score of the verifier, or no row is
            left; nothing was written.
        PonderError: the disk refuses the write; what was there before is there still.
    """
    known = [
        questions.Known.of(name, (item.problem for item in find(name).load(reader.folder)))
        for name in asked.not_in
    ]
    summary = Summary(asked.format, asked.choice.verifier)
    groups = _grouped(asked, known, reader, summary)
    found = {name: list(_rows(asked, group, name)) for name, group in sorted(groups.items())}
    found = {name: rows for name, rows in found.items() if rows}
    summary.problems = len(found)
    summary.left_out += reader.passed
    if not found:
        raise UsageError(_nothing(asked, summary))
    sides: dict[Path, list[dict[str, Any]]] = {output: []}
    if asked.holdout:
        sides[held_out_path(output)] = []
    for name, rows in found.items():
        held = questions.held_out(questions.side(groups[name].problem), asked.holdout)
        sides[held_out_path(output) if held else output] += rows
        summary.held_out += len(rows) if held else 0
    summary.rows = sum(map(len, found.values())) - summary.held_out
    write({path: map(line, rows) for path, rows in sides.items()})
    return summary


def _grouped(
    asked: Export, known: Sequence[questions.Known], reader: Reader, summary: Summary
) -> dict[str, _Group]:
    """Read the sources; return what they asked, each problem once, by its hash."""
    groups: dict[str, _Group] = {}
    scored = False
    scores: set[str] = set()
    suites: set[str] = set()
    refused: dict[str, bool] = {}
    for source in dict.fromkeys(asked.sources):
        for one in reader.read(source):
            name = questions.identity(one.problem)
            if not questions.plain(one.problem):
                summary.left_out["problems with images or tools"] += 1
                continue
            if name not in refused:
                refused[name] = any(suite.holds(one.problem) for suite in known)
                summary.left_out["contaminated problems"] += refused[name]
                summary.read += 1
            if refused[name]:
                continue
            suites.add(one.suite)
            voted = one.voted()
            scores.update(score for chain in voted.chains for score in chain.scores)
            scored |= any(asked.choice.score(chain) is not None for chain in voted.chains)
            _take(groups, name, voted, asked, summary)
    summary.evaluation = tuple(sorted(filter(measures, suites)))
    if asked.format != "prompts" and summary.chains and not scored:
        there = ", ".join(sorted(scores - {AGREEMENT}))
        raise UsageError(
            f"no chain has a score of {asked.choice.verifier!r}: name one that the sources have "
            f"({there or 'none'}) or {AGREEMENT!r}, or add it with 'ponder pool verify'."
        )
    return groups


def _take(
    groups: dict[str, _Group], name: str, one: Asked, asked: Export, summary: Summary
) -> None:
    """Add the problem of a source to its group."""
    group = groups.setdefault(name, _Group(one.problem))
    group.ids.add(one.problem_id)
    right = [chain for chain in one.chains if asked.choice.right(chain)]
    summary.chains += len(one.chains)
    summary.passed += sum(map(asked.choice.passed, one.chains))
    if asked.format == "prompts":
        return
    summary.left_out.update(left_out(one.chains))
    if not asked.choice.any_steps:
        passed = filter(asked.choice.passed, one.chains)
        summary.left_out[MISSTEP] += sum(bool(c.fit and c.misstep) for c in passed)
    if asked.format in ("steps", "verify-steps"):
        group.steps += stepped(one, asked.choice)
    elif asked.format == "thinking":
        if walk := walked(one, asked.choice, asked.levels, summary.left_out):
            group.walks.append(walk)
    elif asked.format in ("preference", "verify"):
        group.chains += [*right, *filter(asked.choice.wrong, one.chains)]
    else:
        group.chains += right


def _nothing(asked: Export, summary: Summary) -> str:
    why = ", ".join(f"{n:,} {why}" for why, n in sorted(summary.left_out.items()) if n)
    rest = f"; left out: {why}" if why else ""
    if asked.format == "steps":
        what = "no run has a chain of two steps or more with a score"
    elif asked.format == "thinking":
        what = "no run with a search tree has a right chain that makes a lesson"
    elif asked.format == "verify-steps":
        what = "no problem has a step from which a chain is right and one from which none is"
    elif asked.format in ("preference", "verify"):
        what = "no problem has a right chain and a wrong one"
    elif asked.format == "prompts":
        what = "no problem is left"
    else:
        what = f"no chain has a text and a score of {asked.choice.at_least:g} or more"
    return (
        f"there is nothing to write: {what} by {asked.choice.verifier!r}, of {summary.chains:,} "
        f"chains of {summary.read:,} problems{rest}; see docs/learn.md."
    )


# Rows ---------------------------------------------------------------------------------------------


def _rows(asked: Export, group: _Group, name: str) -> Iterator[dict[str, Any]]:
    choice, prompt = asked.choice, questions.turns(group.problem.shown)
    row: dict[str, Any]
    match asked.format:
        case "sft":
            for chain in choice.chosen(group.chains, name):
                row = {"prompt": prompt, "completion": [_turn(chain)]}
                yield row | _provenance(asked, group, name, chain)
        case "messages":
            for chain in choice.chosen(group.chains, name):
                row = {"messages": [*prompt, _turn(chain)]}
                yield row | _provenance(asked, group, name, chain)
        case "preference":
            for right, wrong in choice.pairs(group.chains, name):
                row = {"prompt": prompt, "chosen": [_turn(right)], "rejected": [_turn(wrong)]}
                yield row | _provenance(asked, group, name, right, wrong)
        case "steps":
            shown = questions.flat(group.problem)
            by_chain = {id(one.chain): one for one in group.steps}
            chains = [one.chain for one in group.steps]
            for chain in choice.ordered(chains, name)[: choice.most]:
                one = by_chain[id(chain)]
                row = {
                    "prompt": shown,
                    "completions": list(one.steps),
                    "labels": one.labels,
                    "values": [round(value, 6) for value in one.values],
                }
                yield row | _provenance(asked, group, name, chain)
        case "thinking":
            lessons = {id(walk.chain): walk.lessons for walk in group.walks}
            chains = [walk.chain for walk in group.walks]
            for chain in choice.ordered(chains, name)[: choice.most]:
                for lesson in lessons[id(chain)]:
                    held = _provenance(asked, group, name, chain)
                    held["ponder"]["thinking"] = lesson.level
                    yield lesson_row(group.problem, lesson) | held
        case "verify":
            for verdict in judging.of_chains(group.problem, group.chains, choice, name):
                yield verdict.row | _provenance(asked, group, name, verdict.chain)
        case "verify-steps":
            for verdict in judging.of_steps(group.problem, group.steps, choice, name):
                yield verdict.row | _provenance(asked, group, name, verdict.chain)
        case "prompts":
            row = {
                "prompt": prompt,
                "problem": questions.problem_to_text(group.problem),
                "verifier": choice.verifier,
            }
            yield row | _provenance(asked, group, name)


def _turn(chain: Chain) -> dict[str, str]:
    return {"role": "assistant", "content": chain.turn.strip()}


def _provenance(asked: Export, group: _Group, name: str, *chains: Chain) -> dict[str, Any]:
    verifier = asked.choice.verifier
    made_by = {"template": TEMPLATE} if asked.format in JUDGED else {}
    return {
        "ponder": {
            "problem_id": min(group.ids),
            "problem_hash": name,
            "question_hash": questions.side(group.problem),
            "verifier": verifier,
            **made_by,
            "chains": [to_json(chain, asked.choice.score(chain)) for chain in chains],
        }
    }


# Writing ------------------------------------------------------------------------------------------


def line(row: dict[str, Any]) -> bytes:
    """Return a row as a line of a file."""
    try:
        return (json.dumps(row, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # half of a character, with which a truncated reply may end
        return (json.dumps(row) + "\n").encode()


def write(files: dict[Path, Iterable[bytes]]) -> None:
    """Write files: all of them, or none.

    Raises:
        PonderError: a folder or the disk refuses.
    """
    with ExitStack() as undo:
        ready = []
        for path, lines in files.items():
            try:
                part = written_beside(path, lines)
            except OSError as error:
                raise PonderError(
                    f"cannot write {path}: {error.strerror or error}; nothing was changed."
                ) from None
            undo.callback(part.unlink, missing_ok=True)
            ready.append((part, path))
        for part, path in ready:
            try:
                part.replace(path)
            except OSError as error:
                raise PonderError(f"cannot write {path}: {error.strerror or error}.") from None
