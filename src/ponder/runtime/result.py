"""The result of a run: the answer, its confidence, the other candidates, and the receipt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import Any, Literal

from ponder.core.costs.ledger import Receipt
from ponder.core.errors import Stop
from ponder.core.outlook import Seen
from ponder.core.tools import ToolCall
from ponder.core.trace import Score, Trace

StoppedBy = Stop | Literal["done", "interrupt", "lost", "accepted"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One distinct answer.

    Samples without an answer form one candidate with ``answer`` None and no votes.
    """

    answer: str | None
    """The answer."""
    votes: int
    """Number of samples that gave it."""
    score: float | None
    """Its best score."""
    tokens: int
    """Tokens spent on it."""
    text: str
    """Text of its representative: the sample with the best score, else the first requested."""
    said: tuple[Score, ...] = ()
    """Scores of that sample, with the verifiers' remarks."""
    reasoning: str = ""
    """The model's separate thinking in that sample."""

    def to_json(self) -> dict[str, Any]:
        """Return it as in ``ponder solve --json``; ``said`` and ``reasoning`` only if not empty."""
        said = [
            {"verifier": s.verifier, "score": s.value, "verdict": s.verdict, "detail": s.detail}
            for s in self.said
        ]
        known = {
            "answer": self.answer,
            "votes": self.votes,
            "score": self.score,
            "tokens": self.tokens,
            "text": self.text,
            **({"reasoning": self.reasoning} if self.reasoning else {}),
        }
        return {**known, "said": said} if said else known


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one run."""

    answer: str | None
    """The answer; None if no sample had one."""
    confidence: float | None
    """Probability that it is right if ``calibrated`` says so, else the share of the answered
    samples that agree with it; None if there are fewer than two, or all grew from one prefix.
    """
    strategy: str
    knobs: dict[str, Any]
    model: str
    run: str | None
    """ID of the recorded run; None if it was not recorded."""
    seed: int
    stopped_by: StoppedBy
    """``done``; the limit that ended the run; ``interrupt``; ``lost``: a necessary request failed
    when there was an answer already; ``overcharged``: an endpoint charged more than a request
    allowed, as the receipt states; or ``accepted``: a person accepted an answer.
    """
    receipt: Receipt
    candidates: tuple[Candidate, ...]
    silent: int = 0
    """Number of samples without an answer, including lost and cancelled ones."""
    trace: Trace | None = field(default=None, repr=False)
    """The trace that the answer came from."""
    lost: str = ""
    """One sentence on the samples that failed requests have lost; '' if there are none."""
    decided: tuple[str, ...] = ()
    """The strategy's choices and their reasons, in their order."""
    calibrated: str = ""
    """Description of the data to which the confidence was calibrated; '' if it was not."""

    @property
    def refusal(self) -> str | None:
        """The words in which the model refused to answer, '' if it gave none; None if it did not
        refuse.
        """
        return refusal([self.trace]) if self.trace else None

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls of tools that the answer is; () if it is a text."""
        return self.trace.calls if self.trace else ()

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``ponder solve --json`` prints.

        ``chosen`` is the path of the call that the answer came from; ``decided``, ``lost``,
        ``calibrated`` and ``calls`` only if not empty, and ``refusal`` only if the model refused.
        """
        known = {
            "answer": self.answer,
            "confidence": self.confidence,
            "strategy": self.strategy,
            "knobs": self.knobs,
            "model": self.model,
            "run": self.run,
            "seed": self.seed,
            "stopped_by": self.stopped_by,
            "receipt": self.receipt.to_json(),
            "candidates": [c.to_json() for c in self.candidates],
            "silent": self.silent,
            "chosen": self.trace.id if self.trace else None,
        }
        rare = {
            "decided": list(self.decided),
            "lost": self.lost,
            "calibrated": self.calibrated,
            "calls": [asdict(call) for call in self.calls],
        }
        refused = {} if self.refusal is None else {"refusal": self.refusal}
        return {**known, **{name: value for name, value in rare.items() if value}, **refused}


def refusal(traces: Sequence[Trace]) -> str | None:
    """Return the words of the first trace in which the model refused to answer; None if it did in
    none.
    """
    return next((trace.text.strip() for trace in traces if trace.finish == "refusal"), None)


def leader(traces: Sequence[Trace]) -> Trace | None:
    """Return a trace of the most frequent answer: the best so far of a strategy without
    proposals.
    """
    groups = _groups(traces)
    return groups[0][0] if groups and groups[0][0].answer else None


def candidates(
    traces: Sequence[Trace], scores: Mapping[str, Sequence[Score]]
) -> tuple[Candidate, ...]:
    """Return whole traces, grouped by answer: most votes first, then in request order.

    ``scores`` are the verifiers' scores by trace, in the order in which they were given.
    """
    found = []
    for group in _groups(traces):
        values = {t.id: last_value(scores.get(t.id, ())) for t in group}
        valued = [value for value in values.values() if value is not None]
        score = max(valued, default=None)
        stands = next(t for t in group if score is None or values[t.id] == score)
        answer = stands.answer
        found.append(
            Candidate(
                answer=answer.text if answer else None,
                votes=len(group) if answer else 0,
                score=score,
                tokens=sum(t.tokens for t in group),
                text=stands.text,
                said=tuple(scores.get(stands.id, ())),
                reasoning=stands.reasoning,
            )
        )
    return tuple(found)


def last_value(scores: Sequence[Score]) -> float | None:
    """Return the last value from a verifier, skipping abstentions."""
    return next((s.value for s in reversed(scores) if s.value is not None), None)


def ends(traces: Sequence[Trace]) -> list[Trace]:
    """Return the traces that were not continued, in request order."""
    continued = {t.parent for t in traces}
    return sorted((t for t in traces if t.id not in continued), key=attrgetter("order"))


def _groups(traces: Sequence[Trace]) -> list[list[Trace]]:
    groups: dict[str | None, list[Trace]] = {}
    for trace in ends(traces):
        groups.setdefault(trace.answer.key if trace.answer else None, []).append(trace)
    unanswered = groups.pop(None, None)
    ranked = sorted(groups.values(), key=len, reverse=True)
    return [*ranked, unanswered] if unanswered else ranked


def votes(chosen: Trace, traces: Sequence[Trace]) -> Seen | None:
    """Return the votes of the samples; None if the chosen trace's answer does not lead."""
    whole = ends(traces)
    counts = Counter(t.answer.key for t in whole if t.answer is not None)
    leading = max(counts.values(), default=0)
    if chosen.answer is None or counts[chosen.answer.key] < leading:
        return None
    silent = sum(trace.answer is None for trace in whole)
    return Seen(tuple(sorted(counts.values(), reverse=True)), silent)


def agreement(chosen: Trace, traces: Sequence[Trace]) -> float | None:
    """Return the share of answered ends that agree with the chosen one.

    None if there are fewer than two, or if all grew from one prefix: a trace that repeats itself is
    not a second opinion.
    """
    parents = {t.id: t.parent for t in traces}

    def root(name: str) -> str:
        while parents.get(name) in parents:
            name = parents[name]
        return name

    answered = {t.id: t.answer.key for t in ends(traces) if t.answer is not None}
    if chosen.answer is None or len({root(name) for name in answered}) < 2:
        return None
    return [*answered.values()].count(chosen.answer.key) / len(answered)
