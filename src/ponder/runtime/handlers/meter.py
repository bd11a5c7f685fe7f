"""The cost of a request to one model, before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ponder.core.costs.cost import PICO, Cost
from ponder.core.errors import Limit
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Generate
from ponder.core.sessions.run import ASK, ASKED, Cue, boxed
from ponder.core.trace import Trace
from ponder.models.base import Model, Pricing

TEMPLATE = 64
"""Tokens that a chat template may add to a turn, and to one that asks for an answer."""
MARKS = 16
"""Tokens of the marks around the thinking, in a turn that is continued."""
BYTES = 4
"""Bytes of a prompt's token, by which prices are estimated; nothing is booked by it."""


class Meter:
    """Turns token counts of one model into costs, in the units of a budget."""

    def __init__(
        self,
        model: Model,
        pricing: Pricing | None = None,
        cue: Callable[[Problem], Cue] = boxed,
    ) -> None:
        self._model = model
        self._pricing = pricing
        self._cue = cue

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model.info.name

    @property
    def continues(self) -> bool:
        """True if the model can continue a prefix."""
        return "prefill" in self._model.info.capabilities

    @property
    def thinks(self) -> bool:
        """True if the model's own thinking can be set."""
        return "native_thinking" in self._model.info.capabilities

    def cue(self, problem: Problem) -> Cue:
        """Return the cue that forces an answer to the problem."""
        return self._cue(problem)

    def longest(self, problem: Problem) -> int:
        """Return the most tokens that a forced answer to the problem may have."""
        length = self._cue(problem).length
        return (length if self.continues else max(ASKED, length)) + self.beside

    def cost(
        self, prompt: int, cached: int, completion: int, stored: int = 0, hour: int = 0
    ) -> Cost:
        """Return the cost of so many tokens.

        Of the prompt's, ``cached`` were not evaluated again, and ``stored`` were written to a
        cache, ``hour`` of them for an hour.
        """
        price = self._pricing(prompt, cached, completion, stored, hour) if self._pricing else 0
        flops = self._model.info.shape.flops(prompt, cached, completion)
        return Cost(prompt + completion, price, flops)

    def most(self, prompt: int, cached: int, completion: int) -> Cost:
        """Return the same, if all else of the prompt may have been stored."""
        stores, rest = self._model.info.stores, max(0, prompt - cached)
        return self.cost(
            prompt, cached, completion, rest if stores else 0, rest if stores == "1h" else 0
        )

    @property
    def beside(self) -> int:
        """Most tokens of thinking that one sample may cost beside its length."""
        return self._model.info.beside

    def price(self, unit: Limit, problem: Problem, tokens: float, samples: int) -> float:
        """Return the expected price of samples requested at once, in a unit of the budget.

        A local model evaluates a prompt once for all of them. The prompt's size is an estimate by
        its length: what the model has counted since is not known to a run that is resumed.
        """
        info, prompt, made = self._model.info, _prompt(problem), round(tokens)
        if unit == "seconds":
            fresh = prompt * info.pace.each * info.pace.seconds
            return fresh + info.pace.time(tokens, samples)
        one = _figure(unit, self.cost(prompt, 0, made))
        more = _figure(unit, self.cost(prompt, prompt if info.local else 0, made))
        return one + (samples - 1) * more

    def ending(self, unit: Limit, problem: Problem, tokens: float) -> float:
        """Return the most that it may cost to force an answer from a chain of so many tokens, in a
        unit of the budget.

        The chain is part of the prompt, which a local model has evaluated already.
        """
        info, most = self._model.info, self.longest(problem)
        if unit == "seconds":
            return info.pace.time(most, 1)
        prompt = _prompt(problem) + round(tokens)
        return _figure(unit, self.cost(prompt, prompt if info.local else 0, most))

    def room(self, effect: Generate) -> int:
        """Return the effect's length in tokens, or less if the model's context ends before.

        A prompt of unknown size is taken at its least: a server refuses what does not fit free of
        charge, and tells the size.
        """
        length, context = effect.sampling.length, self._model.info.context
        if not context:
            return length
        prompt = self._model.prompt_least(effect.messages, effect.start.turn)
        return min(length, max(1, context - prompt))

    def conclusion(self, chain: Trace) -> Callable[[int], Cost]:
        """Return the most that forcing an answer can cost after so many more tokens of the trace.

        It counts tokens and dollars, and is zero if the model cannot be forced to answer. FLOPs are
        not counted: the prompt was evaluated a moment ago, and is usually still cached.
        """
        forcing = self._forcing(chain.problem.shown, chain)
        return lambda length: replace(forcing(length), flops=0)

    def answer(self, effect: Generate) -> Callable[[int], Cost]:
        """Return the most that forcing an answer from the effect's result can cost, by its length;
        zero if the model cannot be forced to answer.
        """
        shown, turn = effect.messages, effect.start.turn
        forcing, more = self._forcing(shown, effect.start), self.beside
        if self.thinks:
            more += MARKS
        if self._model.prompt_least(shown, turn) == self._model.prompt_bound(shown, turn):
            return lambda length: forcing(length + more)
        # Its size is not known exactly: the chain may have more tokens as a prompt.
        return lambda length: forcing(length + length // 32 + TEMPLATE + more)

    def _forcing(self, shown: tuple[Message, ...], chain: Trace) -> Callable[[int], Cost]:
        if not self._model.info.capabilities & {"prefill", "native_thinking"}:
            return lambda length: Cost()
        words = self._cue(chain.problem).text if self.continues else ASK
        most = self.longest(chain.problem)
        prompt = self._model.prompt_bound(shown, chain.turn) + len(words.encode())
        return lambda length: self.most(prompt + length, 0, most)

    def worst(self, effect: Generate) -> Callable[[int], Cost]:
        """Return the most that the effect can cost, as a function of its length in tokens."""
        prompt, beside = self._model.prompt_bound(effect.messages, effect.start.turn), self.beside
        return lambda length: self.most(prompt, 0, length + beside)


def _prompt(problem: Problem) -> int:
    """Return about the number of the prompt's tokens."""
    written = sum(len(message.content.encode(errors="replace")) for message in problem.shown)
    return -(-written // BYTES)


def _figure(unit: Limit, cost: Cost) -> float:
    """Return a cost in tokens, dollars or FLOPs."""
    figures = {"tokens": cost.tokens, "usd": cost.picousd / PICO, "flops": cost.flops}
    return figures[unit]
