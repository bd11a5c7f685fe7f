"""Live progress: from the events of a run to what a reader of a stream sees while it thinks.

A single sample is passed on as it grows. Of a search, readers see sentences about its progress and
the first chain of each wave as it is written, both as reasoning; its answer follows at the end. A
sentence waits until the chain's line has ended, so that it never falls into the midst of its text.
"""

from __future__ import annotations

from dataclasses import dataclass

from ponder.core.record.effects import GENERATE, PROGRAM
from ponder.core.record.events import (
    Decided,
    Dropped,
    Ended,
    Event,
    Expanded,
    Grew,
    Proposed,
    Revised,
    RunStarted,
    SampleFinished,
    SampleLost,
    SampleStarted,
    Scored,
    Spent,
    Steered,
    VoteChanged,
    Weighed,
)
from ponder.core.text.visible import visible
from ponder.runtime.continuing import begun

SHOWN = 60
"""Most characters of an answer within a sentence."""


@dataclass(frozen=True, slots=True)
class Said:
    """An increment of a reply."""

    reasoning: str = ""
    content: str = ""
    sentence: bool = False
    """True if the reasoning is a sentence about the progress, and none of the model's."""


class Telling:
    """Turns the events of one run into increments of its reply.

    Args:
        chains: False if only the sentences are wanted, each at once.
    """

    def __init__(self, *, chains: bool = True) -> None:
        self._chains = chains
        self.sent = ""
        """The content so far."""
        self._live = self._exact = False
        self._followed: str | None = None
        self._tokens = 0
        self._broken = False
        self._space = ""
        self._begun = 0
        self._best: str | None = None
        self._line, self._writes = True, False
        self._held: list[str] = []

    def hear(self, event: Event, *, json: bool = False) -> list[Said]:
        """Return the increments of an event. ``json``: the answer is only a part of the text."""
        if isinstance(event, Spent) or (isinstance(event, Grew) and event.path != self._followed):
            return []  # most events are such, and tell nothing
        found: list[Said] = []
        if self._begun and self._matters(event):
            count, self._begun = self._begun, 0
            if not self._live:
                found += self._sentence(f"{_count(count, 'sample')} started.")
        match event:
            case RunStarted(strategy=strategy, model=model, problem=problem):
                self._exact = begun(problem.messages)
                self._live = strategy == "direct" and not json
                if strategy != "direct":
                    found += self._sentence(f"Searching with {strategy} on {model}.")
            case SampleStarted(path=path, role=role) if role in (GENERATE, PROGRAM):
                self._begun += 1
                if self._followed is None:
                    self._followed, self._tokens = path, 0
            case Grew():
                found += self._grown(event)
            case SampleFinished(path=path) | SampleLost(path=path) if path == self._followed:
                if not self._live:
                    self._followed = None
                found += [*self._over(), *self._told(event)]
            case _:
                found += self._told(event)
        return found

    def _matters(self, event: Event) -> bool:
        """Return True if something may be told after it; samples that start together are counted
        until then.
        """
        if isinstance(event, Grew):
            return bool(event.text or event.reasoning)
        return not isinstance(event, SampleStarted | SampleFinished)

    def _grown(self, event: Grew) -> list[Said]:
        if event.tokens < self._tokens:  # another attempt, whose text starts again
            self._broken = self._broken or bool(self.sent)
            self._tokens = 0
            broken = self._sentence("The connection to the model broke; it begins again.")
            return [*broken, *self._over()]
        grown = bool(event.text or event.reasoning)  # else it has only waited, maybe repeatedly
        self._tokens = max(int(grown), event.tokens)
        if not self._live:
            return [*self._thought(event.reasoning), *self._thought(event.text)]
        if not event.text:
            return self._thought(event.reasoning)
        return [*self._thought(event.reasoning), *self._over(), self._content(event.text)]

    def _thought(self, text: str) -> list[Said]:
        """Pass the text of a chain on, with the sentences that waited for the end of its line."""
        if not (text and self._chains):
            return []
        found: list[Said] = []
        if self._held and "\n" in text:
            line, _, text = text.partition("\n")
            self._line = True
            found = [Said(reasoning=f"{line}\n"), *self._over()]
        if text:
            self._line = text.endswith("\n")
            self._writes = True
            found.append(Said(reasoning=text))
        return found

    def _over(self) -> list[Said]:
        """Return the sentences that waited for the chain, whose line or text is over."""
        held, self._held, self._writes = self._held, [], False
        return [said for text in held for said in self._sentence(text)]

    def _content(self, text: str) -> Said:
        """Pass the text on without the space around the whole of it, which is not known before
        more text has come; that of a reply which had begun belongs to it.
        """
        if self._broken:
            return Said()
        if self._exact:
            self.sent += text
            return Said(content=text)
        text = self._space + text if self.sent else text.lstrip()
        kept = text.rstrip()
        self._space = text[len(kept) :]
        self.sent += kept
        return Said(content=kept)

    def rest(self, content: str) -> Said:
        """Return the part of the final content that was not sent yet."""
        if content.startswith(self.sent):
            return Said(content=content[len(self.sent) :])
        return Said(content=f"\n\n{content}" if content else "")

    def _sentence(self, text: str) -> list[Said]:
        if self._writes and not self._line:
            self._held.append(text)
            return []
        start, self._line = "" if self._line else "\n", True
        return [Said(reasoning=f"{start}{visible(text)}\n", sentence=True)]

    def _told(self, event: Event) -> list[Said]:
        sentence = self._told_of(event)
        return self._sentence(sentence) if sentence else []

    def _told_of(self, event: Event) -> str:
        match event:
            case VoteChanged(tally=tally, remaining=remaining) if tally:
                told = ", ".join(f"{short(answer)} has {weight:g}" for answer, weight in tally[:4])
                return f"The vote: {told}; {remaining} may still come."
            case Scored(traces=traces, scores=scores):
                pairs = [(s, t) for s, t in zip(scores, traces, strict=True) if s.value is not None]
                if not pairs:
                    return f"{scores[0].verifier} abstained." if scores else ""
                score, trace = max(pairs, key=lambda pair: pair[0].value or 0.0)
                which = f" ({short(trace.answer.text)})" if trace.answer else ""
                many = f"{_count(len(traces), 'candidate')}, the best of them" if pairs[1:] else "1"
                return f"{score.verifier} scored {many}: {score.value:.2f}{which}."
            case Proposed(trace=trace) if trace.answer and trace.answer.key != self._best:
                self._best = trace.answer.key
                return "" if self._live else f"Best so far: {short(trace.answer.text)}."
            case Expanded(children=children):
                return f"Expanded a branch into {len(children)}."
            case Dropped(nodes=nodes, why=why):
                return f"{_count(len(nodes), 'branch', 'branches')} pruned: {why}."
            case Revised():
                return "An answer was revised."
            case Decided(what=what, why=why):
                return f"{what}: {why}".rstrip(".") + "."
            case Steered(action=action):
                return f"Steered by {action.by or 'a person'}: {action.kind}."
            case Weighed(choice=choice, why=why):
                return f"Chose {choice}." if choice else f"Abstained: {why}".rstrip(".") + "."
            case SampleLost(failed=True, reason=reason):
                return f"A sample was lost: {reason}".rstrip(".") + "."
            case Ended(stopped_by=stopped) if stopped != "done":
                return f"Ended by {stopped}."
        return ""


def short(answer: str) -> str:
    """Return an answer on one line, cut to fit into a sentence."""
    line = " ".join(answer.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
