"""The chains that were recorded for a problem, with the scores that verifiers gave them.

A grade by a reference answer is no part of it: ``Sample.correct`` and ``Entry.gold`` are not read
here, and an import contract keeps the graders out of this room. So no reference can select a row. A
chain is selected by a score that a verifier gave it without the reference, which anybody could ask
for at inference time, or by ``agreement``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from ponder.answers.arithmetic import false_statement, steps
from ponder.answers.equivalence import recorded_key
from ponder.core.problem import ArithmeticTests, Problem
from ponder.core.record.search import Tree
from ponder.core.text.marks import split

AGREEMENT = "agreement"
"""Name of the score that every chain has: the share of its problem's samples with its answer."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The place where a chain was recorded, and how it was sampled."""

    source: str
    """Name of the file."""
    run: str
    """ID of the run; '' for a pool."""
    sample: str
    """Path of the sample in its run, or its number in the pool, from 0."""
    model: str
    strategy: str
    """'' for a pool."""
    seed: int | None
    """Seed of the sample in a run, of the recording for a pool; None if unknown."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain of reasoning, from its first token to its end."""

    turn: str
    """The assistant's turn: marked thinking, then text. '' if only the answer was kept."""
    answer: str | None
    key: str | None
    """Answers with the same key are the same; None if there is none."""
    whole: bool
    """True if the model ended it; False if it was truncated."""
    tokens: int
    scores: Mapping[str, float]
    """Scores by the name of their verifier; abstentions are left out."""
    origin: Origin
    own_prompt: bool = True
    """False if the model was shown another prompt than the problem's: a revision, a program, a
    hint. Such a prompt is not recorded, so the chain cannot be a lesson.
    """

    misstep: str = ""
    """The first step of a puzzle's solution that is false, though the answer may be right."""

    said: str | None = None
    """The turn without its thinking; None if that is all of it."""

    @property
    def text(self) -> str:
        """The turn without its thinking, which a verifier sees."""
        return self.turn if self.said is None else self.said

    @property
    def fit(self) -> bool:
        """True if it can be a lesson."""
        return bool(self.turn.strip()) and self.whole and self.own_prompt


@dataclass(frozen=True, slots=True)
class Asked:
    """One problem of one source, and the chains that were sampled for it."""

    problem: Problem
    problem_id: str
    """Its id in the suite, or the ID of its run if it is of none."""
    chains: tuple[Chain, ...]
    suite: str = ""
    """Name of the suite that it is from, as far as known."""
    tree: Tree | None = field(default=None, repr=False)
    """The search tree of a run, whose nodes are named as ``Origin.sample``."""

    def voted(self) -> Asked:
        """Return it with the score ``agreement``: a sample without an answer agrees with none."""
        votes = Counter(chain.key for chain in self.chains if chain.key is not None)

        def with_vote(chain: Chain) -> Chain:
            share = votes[chain.key] / len(self.chains) if chain.key is not None else 0.0
            return replace(chain, scores={**chain.scores, AGREEMENT: share})

        return replace(self, chains=tuple(map(with_vote, self.chains)))


def key_of(answer: str | None, key: str | None, problem: Problem) -> str | None:
    """Return the key of an answer, made where none was recorded; None without an answer."""
    return None if answer is None else recorded_key(answer, key, problem.answer_type)


def misstep(turn: str, problem: Problem) -> str:
    """Return the first false step of a chain; '' if there is none, or nothing to check it by.

    A checker of answers passes a right answer after false steps, which small models often give: of
    Qwen2.5-Coder-0.5B's first 5 right answers to Countdown all had some. They would be the lesson.
    Thinking may go back to numbers that it had used, so there each sum is checked by itself.
    """
    puzzle = problem.tests
    if not isinstance(puzzle, ArithmeticTests):
        return ""
    parts = split(turn)
    fault = steps(parts.text, puzzle.numbers, Fraction(puzzle.target))[1]
    return fault or false_statement(parts.reasoning)


def left_out(chains: Sequence[Chain]) -> Counter[str]:
    """Return the number of chains that cannot be lessons, by reason."""
    found: Counter[str] = Counter()
    for chain in chains:
        if not chain.own_prompt:
            found["asked with another prompt"] += 1
        elif not chain.turn.strip():
            found["without a text"] += 1
        elif not chain.whole:
            found["truncated"] += 1
    return found


def to_json(chain: Chain, score: float | None) -> dict[str, Any]:
    """Return the provenance of a chain, as a row holds it."""
    origin = chain.origin
    return {
        "source": origin.source,
        "run": origin.run,
        "sample": origin.sample,
        "model": origin.model,
        "strategy": origin.strategy,
        "seed": origin.seed,
        "score": score,
        "tokens": chain.tokens,
    }
