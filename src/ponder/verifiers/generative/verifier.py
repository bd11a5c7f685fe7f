"""A model reads a solution and is asked if it is right: the probability of Yes against No.

Zhang et al. 2024, 'Generative Verifiers: Reward Modeling as Next-Token Prediction', arXiv
2408.15240. Without words (GenRM, section 3.1) one prefill is enough: the score is
p(Yes) / (p(Yes) + p(No)) at the first token. The paper takes p(Yes) alone, of a model that was
trained to say nothing else; an untrained one may begin with other words, and which of the two it
prefers is told all the same. With ``k`` (GenRM-CoT, sections 3.2 and 3.3) the model first checks in
a few words, ``k`` times, and the mean over the checks is the score.

``generative(MODEL, agg=min, k=4, length=256)``: MODEL is any that ``--model`` takes, so also a file
of weights or one that has learned (``BASE+NAME``); without it the run's own model reads.

A chain that has ended is asked about as a whole, a prefix in a search over steps 'so far'. With
``agg`` each step is: a process verifier, whose scores ``process.steps`` combines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ponder.core.errors import ModelError, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.thinking import Thinking
from ponder.core.trace import Score, Trace
from ponder.policies.decisions import Reading, averaged, read_greedy, read_place
from ponder.policies.labels import LEAST_MASS
from ponder.verifiers.base import Facts
from ponder.verifiers.generative import template
from ponder.verifiers.generative.template import LABELS
from ponder.verifiers.judge.asking import Asker, judged
from ponder.verifiers.judge.verifier import shown
from ponder.verifiers.naming import Arguments
from ponder.verifiers.process.steps import AGGREGATES, prefixes
from ponder.verifiers.process.verifier import told

ROLE = "verify"
LEAST = 0.05
"""Least probability of Yes and No together: below it, spellings that are not among the alternatives
may outweigh those that are.
"""
HEAT = 0.7
"""Temperature of the checks in words."""
LENGTH = 256
NEITHER = read_place({}, LABELS)
"""The reading of a reply that is neither Yes nor No."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A solution, or the first steps of one, that is asked about."""

    problem: Problem
    text: str
    ended: bool

    @property
    def prompt(self) -> str:
        """The prompt for a verdict at once."""
        return (template.whole if self.ended else template.so_far)(self.problem, self.text)

    @property
    def check(self) -> str:
        """The prompt for a check in words."""
        return template.check(self.problem, self.text, ended=self.ended)

    @property
    def verdict(self) -> str:
        """The question after a check."""
        return template.verdict(ended=self.ended)


@dataclass(frozen=True, slots=True)
class Generative(Facts):
    """Scores each trace by itself."""

    name: str
    model: str = ""
    """Name of the reader; '' is the run's own model."""
    agg: str = ""
    """A key of ``AGGREGATES``, to score each step; '' scores the trace at once."""
    k: int = 0
    """Number of checks in words; 0 asks for the verdict at once."""
    length: int = LENGTH
    """Most tokens of a check."""

    @property
    def models(self) -> tuple[str, ...]:
        """The reader, unless it is the run's own model."""
        return (self.model,) if self.model else ()

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        """Return the probability of Yes for each trace; an abstention where it says neither.

        Raises:
            UsageError: the reader reports no log-probabilities.
            LimitReached: the budget did not allow even one.
        """
        return await judged(session, traces, self.name, partial(self._one, problem))

    async def _one(self, problem: Problem, session: Session, trace: Trace) -> Score:
        text = shown(trace, "text")
        if not text:
            return Score(None, self.name, "there is nothing to judge")
        *before, last = prefixes(text) if self.agg else [text]
        wanted = [
            *(Asked(problem, part, False) for part in before),
            Asked(problem, last, trace.done),
        ]
        if before:
            found = await session.gather([partial(self._read, asked=asked) for asked in wanted])
        else:
            found = [await self._read(session, wanted[0])]  # a loss is reported with its reason
        if len(found) < len(wanted):
            return Score(None, self.name, "not judged: the budget ended or a request was lost")
        if (least := min(reading.mass for reading in found)) < LEAST:
            detail = f"no verdict: Yes and No have {least:.2f} of the first token"
            return Score(None, self.name, detail)
        values = [math.exp(reading.logprobs[0]) for reading in found]
        if not self.agg:
            return Score(values[0], self.name, f"Yes with p={values[0]:.2f}")
        return Score(AGGREGATES[self.agg](values), self.name, told(values, self.agg))

    async def _read(self, session: Session, asked: Asked) -> Reading:
        """Return the probabilities of Yes and No, the mean over the checks if there are any."""
        if not self.k:
            return await self._look(session, Message("user", asked.prompt))
        checks = await session.gather([partial(self._checked, asked=asked)] * self.k)
        if not checks:
            raise ModelError("no check arrived")
        return averaged(checks)

    async def _checked(self, session: Session, asked: Asked) -> Reading:
        """Return the probabilities of Yes and No after a check in words."""
        prompt = Message("user", asked.check)
        check = await session.grow(
            Trace.empty(Problem((prompt,))),
            role=ROLE,
            model=self.model,
            length=self.length,
            temperature=HEAT,
            logprobs=False,
            top_logprobs=0,
        )
        return await self._look(session, prompt, check.message, Message("user", asked.verdict))

    async def _look(self, session: Session, *turns: Message) -> Reading:
        """Return the probabilities of Yes and No as the next token.

        Raises:
            UsageError: the reader reports none.
        """
        how: dict[str, Any] = {}
        if session.thinks:  # the first token is to be the verdict
            how["thinking"] = None if self.model else Thinking("off")
        said = await Asker(ROLE, self.model).look(session, turns, **how)
        if said.top:
            return read_place(said.top[0], LABELS)
        if said.logprobs:
            alone = read_greedy(said.text, said.logprobs[0], LABELS)
            return alone if alone.mass >= LEAST_MASS else NEITHER
        if said.top is None and said.logprobs is None and said.turn:
            raise UsageError(
                f"verifier {self.name!r} reads probabilities, and its model reports none: take the "
                "embedded engine, llama.cpp, or an endpoint whose capabilities in ponder.toml "
                'have "logprobs".'
            )
        return NEITHER  # it ended at once


def generative(given: Arguments) -> Generative:
    """Return the verifier ``generative(MODEL, ...)``.

    Raises:
        UsageError: an option is invalid, or the model is named twice.
    """
    named = given.text("model") or ""
    if given.model and named:
        raise UsageError(
            f"verifier 'generative': {given.model} and {named} are two models: name one."
        )
    return Generative(
        given.name,
        given.model or named,
        given.one_of("agg", tuple(AGGREGATES)) if given.at("agg") else "",
        given.whole("k", 0),
        given.whole("length", LENGTH, 16, 8192),
    )
