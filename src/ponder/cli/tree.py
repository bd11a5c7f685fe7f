"""A run as a tree: which beginnings were continued, what was said of them, where each ended, why.

All of it is read off the journal. A search writes nothing there but its effects, and they are
enough: a score is a visit to all that its chain grew from, and what was dropped is what the search
had before it and did not take.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ponder.cli.view import short
from ponder.core.effects import GENERATE, digest
from ponder.core.errors import UsageError
from ponder.core.problem import Problem
from ponder.core.trace import Score, Trace
from ponder.planning.spec import Spec
from ponder.policies.confidence import last_mean, lowest_mean, threshold
from ponder.policies.select import distinct
from ponder.policies.tree import Node
from ponder.runtime.records import Row
from ponder.strategies import ab_mcts
from ponder.strategies.tree_of_thoughts import VALUE, read_value

DEEPEST = 200
"""Steps in a row that are drawn."""
VISITING = ("mcts", "ab_mcts")
"""The strategies that go where visits and their values say."""
IN_TURN = {"refine": slice(0, -1), "sequential_parallel": slice(1, None)}
"""The strategies whose attempts are each made of the one before, and what part of a path those
have in common: the session, or the place in each round.
"""


@dataclass(eq=False, slots=True)
class Branch:
    """One recorded continuation: what it added, what it cost, what was said of it.

    ``value`` is the last score; ``visits`` scores were given here and below, ``total`` in all, with
    an abstention as nothing (only of searches that count them). ``why`` says what the search did
    with it, if not go on. ``step`` is whether it was asked for a step, not for a whole chain, and
    ``chosen`` whether the run's answer is its.
    """

    id: str
    parent: str
    added: str
    tokens: int
    finish: str | None
    answer: str | None
    said: list[str] = field(default_factory=list)
    children: list[Branch] = field(default_factory=list)
    value: float | None = None
    visits: int = 0
    total: float = 0.0
    why: str = ""
    text: str = field(default="", repr=False)
    step: bool = False
    chosen: bool = False
    logprobs: Sequence[float] = field(default=(), repr=False)

    @property
    def order(self) -> list[int]:
        """Sorts branches as they were asked for."""
        return [int(part) for part in self.id.split(".")]

    @property
    def rank(self) -> tuple[float, list[int]]:
        """Sorts branches as a search does: by what they were judged by, then as asked for."""
        return math.inf if self.judged is None else -self.judged, self.order

    @property
    def judged(self) -> float | None:
        """Its own score, or that of the end that it was judged by."""
        ahead = self.value is None and not self.said and self.children
        return self.children[0].judged if ahead else self.value

    @property
    def label(self) -> str:
        """One line."""
        parts = [short(self.added, 48) or "(nothing)", f"{self.tokens} tokens", *self.said]
        if self.visits:
            seen = f"{self.visits} visit{'s' if self.visits > 1 else ''}"
            parts.append(f"{seen}, mean {self.total / self.visits:.3f}")
        if self.answer is not None:
            parts.append(f"= {short(self.answer, 24)}")
        elif self.finish == "length":
            parts.append("cut")
        elif self.finish and not self.children:
            parts.append("ended without an answer")
        if self.chosen:
            parts.append("the answer" if self.answer is not None else "the best so far")
        elif self.why:
            parts.append(self.why)
        elif not self.finish and not self.children:
            parts.append("not continued")
        return " · ".join(parts)

    def walk(self) -> Iterator[Branch]:
        """This branch and all below, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


Found = dict[str, Branch]


def branches(rows: Sequence[Row], asked: Spec | None = None, chosen: str = "") -> list[Branch]:
    """The beginnings of a run with all that came of them, in the order in which they were asked
    for. Only what may become the answer is shown: not what judges said in their own words.
    ``asked`` is the run's specification: what was dropped and why depends on its strategy.
    ``chosen`` is the trace that the run returned.
    """
    found = _found(rows)
    if chosen in found:
        found[chosen].chosen = True
    _score(rows, found)
    strategy = asked.strategy if asked else ""
    if asked and strategy == "ab_mcts":
        _revisions(rows, found, asked.problem)
    ordered = sorted(found.values(), key=lambda b: b.order)
    if strategy in IN_TURN:
        _chain(ordered, IN_TURN[strategy])
    for branch in ordered:
        if branch.parent in found:
            found[branch.parent].children.append(branch)
    roots = [branch for branch in ordered if branch.parent not in found]
    _check_depth(roots)
    if strategy in VISITING:
        _visit(rows, found)
    if asked and strategy in _WHY:
        _WHY[strategy](rows, {b.id: b for b in ordered}, asked.knobs)
    for row in rows:
        start = found.get(row.effect.get("start", ""))
        if row.lost is not None and start and not start.children and not start.finish:
            start.why = f"its continuation was lost: {row.lost}"
    return roots


def _check_depth(roots: Sequence[Branch]) -> None:
    """Refuse what no drawing has room for, before the drawing's recursion ends in a traceback."""
    level = list(roots)
    for _ in range(DEEPEST):
        level = [child for branch in level for child in branch.children]
    if level:
        raise UsageError(
            f"the run's tree has more than {DEEPEST} steps in a row: see it without --tree."
        )


def _found(rows: Sequence[Row]) -> Found:
    found: Found = {}
    for row in rows:
        if not _generated(row, GENERATE):
            continue
        trace = row.result
        before = found[trace["parent"]].text if trace["parent"] in found else ""
        found[trace["id"]] = Branch(
            trace["id"],
            trace["parent"],
            trace["text"].removeprefix(before),
            row.spent.completion_tokens if row.spent else 0,
            trace["finish"],
            trace["answer"][0] if trace["answer"] else None,
            text=trace["text"],
            step="whole" in row.effect,
            logprobs=trace["logprobs"] or (),
        )
    return found


def _generated(row: Row, role: str) -> bool:
    effect = row.effect
    wanted = effect.get("effect") == "generate" and effect.get("role", GENERATE) == role
    return wanted and row.lost is None


def _scores(rows: Sequence[Row], found: Found) -> Iterator[tuple[Branch, dict[str, Any]]]:
    for row in rows:
        if row.lost is None and row.effect.get("effect") == "verify":
            for name, score in zip(row.effect["traces"], row.result, strict=True):
                if name in found:
                    yield found[name], score


def _score(rows: Sequence[Row], found: Found) -> None:
    for branch, score in _scores(rows, found):
        branch.value = score["value"]
        branch.said.append(_said(score["value"], score.get("verdict")))
    votes: dict[str, list[float]] = {}  # of the model itself, on what it was asked about
    for row in rows:
        if _generated(row, VALUE) and row.result["parent"] in found:
            vote = read_value(row.result["text"])
            votes.setdefault(row.result["parent"], []).extend([] if vote is None else [vote])
    for name, known in votes.items():
        found[name].value = sum(known) / len(known) if known else None
        found[name].said.append(_said(found[name].value, None))


def _said(value: float | None, verdict: str | None) -> str:
    if verdict in ("pass", "fail", "error", "timeout"):
        return verdict if value is None else f"{verdict} {value:.2f}"
    return "abstains" if value is None else f"{value:.3f}"


def _visit(rows: Sequence[Row], found: Found) -> None:
    """Each score counts for what it was given to, and for all that this grew from."""
    for branch, score in _scores(rows, found):
        above: Branch | None = branch
        while above is not None:
            above.visits += 1
            above.total += score["value"] or 0.0
            above = found.get(above.parent)


def _revisions(rows: Sequence[Row], found: Found, problem: Problem) -> None:
    """Put each attempt below the one that it revises: a revision begins anew, so what it was asked
    is all that says of what. (Of equal attempts with equal scores it is the first.)
    """
    root = Node((Trace.empty(problem), Score(None, "")))
    attempts: dict[str, str] = {}
    for branch, score in _scores(rows, found):
        trace = Trace(problem, branch.text, id=branch.id)
        asked = ab_mcts.asked_of(problem, Node((trace, Score(**score)), root))
        attempts.setdefault(digest(asked), branch.id)
    earlier = set[str]()  # a journal may be anybody's, and say that two revise each other
    for row in rows:
        if _generated(row, GENERATE):
            name, parent = row.result["id"], attempts.get(row.effect["problem"], "")
            found[name].parent = parent if parent in earlier else ""
            earlier.add(name)


def _chain(ordered: Sequence[Branch], common: slice) -> None:
    """Put each attempt below the one before it in its chain."""
    last: dict[tuple[int, ...], str] = {}
    for branch in ordered:
        chain = tuple(branch.order[common])
        branch.parent = last.get(chain, "")
        last[chain] = branch.id


# What a search did not go on with, and why --------------------------------------------------------


def _outranked(branch: Branch, peers: Sequence[Branch]) -> str:
    better = sum(peer.rank < branch.rank for peer in peers)
    return f"pruned: {better} ranked higher" if better else "pruned"


def _by_waves(rows: Sequence[Row], found: Found, knobs: Any) -> None:
    """What was grown between two decisions competes; a decision names what goes on."""
    wave: Found = {}
    least = knobs["threshold"] if knobs.get("search") == "dfs" else None
    for row in rows:
        if _generated(row, GENERATE):
            wave[row.result["id"]] = found[row.result["id"]]
        elif row.effect.get("effect") == "steer":
            ahead = [b for b in wave.values() if b.parent in wave]
            for branch in ahead:
                branch.why = "looked ahead"
            grown = sorted((b for b in wave.values() if b not in ahead), key=lambda b: b.order)
            unlike = distinct(grown, lambda branch: branch.text)
            for branch in grown:
                if branch not in unlike:
                    branch.why = "pruned: says the same as another"
                elif branch.finish or branch.id in row.effect["traces"]:
                    continue
                elif least is None:
                    branch.why = _outranked(branch, unlike)
                else:
                    branch.why = f"pruned: below {least:g}"
            wave = {}


def _by_siblings(rows: Sequence[Row], found: Found, knobs: Any) -> None:
    """Of what was scored together the best goes on."""
    for row in rows:
        if row.lost is None and row.effect.get("effect") == "verify":
            peers = [found[name] for name in row.effect["traces"] if name in found]
            for branch in peers:
                if not branch.finish and branch is not min(peers, key=lambda b: b.rank):
                    branch.why = _outranked(branch, peers)


def _by_resampling(rows: Sequence[Row], found: Found, knobs: Any) -> None:
    """A round's chains are asked for by one verb; once one of them went on, the others may not."""
    rounds = {branch.id: branch.id.rsplit(".", 2)[0] for branch in found.values()}
    moved = Counter(rounds[b.id] for b in found.values() if b.children)
    for branch in found.values():
        if not branch.finish and not branch.children and moved[rounds[branch.id]]:
            branch.why = "pruned: not drawn when chains were resampled"


def _by_threshold(rows: Sequence[Row], found: Found, knobs: Any) -> None:
    """A step that does not hold is thrown away; with enough of them, the one before it is, too."""
    least, steps = knobs["threshold"], [branch for branch in found.values() if branch.step]

    def held(branch: Branch) -> bool:
        return branch.value is None or branch.value >= least

    for branch in steps:
        below = {below.id for below in branch.walk()}
        later = any(b.order > branch.order and b.id not in below for b in steps)
        if not held(branch) and not branch.children:
            branch.why = f"pruned: below {least:g}"
        elif branch.children and later and not any(map(held, branch.children)):
            branch.why = f"pruned: nothing held after it in {len(branch.children)} tries"


def _by_confidence(rows: Sequence[Row], found: Found, knobs: Any) -> None:
    """Chains are stopped below what the first ones, which were drawn whole, showed."""
    window = knobs["window"]
    lows = [lowest_mean(b.logprobs, window) for b in found.values() if not b.step]
    least = threshold(lows, knobs["keep"]) if lows else -math.inf
    for branch in found.values():
        if branch.step and not branch.finish and last_mean(branch.logprobs, window) < least:
            branch.why = f"pruned: its confidence fell below {math.exp(least):.3f}"


def _unvisited(rows: Sequence[Row], found: Found, knobs: Any) -> None:
    for branch in found.values():
        if branch.step and not branch.finish and not branch.children:
            branch.why = "never expanded"


_WHY: dict[str, Callable[[Sequence[Row], Found, Any], None]] = {
    "beam_search": _by_waves,
    "tree_of_thoughts": _by_waves,
    "dvts": _by_siblings,
    "particle_filter": _by_resampling,
    "verify_and_backtrack": _by_threshold,
    "confident": _by_confidence,
    "mcts": _unvisited,
}
