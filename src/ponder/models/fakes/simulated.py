"""A world of known difficulty, for planning and for tests: no model, exact statistics.

A sample is right with probability ``accuracy``; a wrong one takes one of ``decoys`` wrong answers,
the more popular ones more often (Zipf). Lengths are geometric. A trace whose answer is forced (it
ends with an open box) answers at once, with the same accuracy. Mean log-probabilities of right and
wrong samples are ``signal`` standard deviations apart, so confidence is a verifier of known noise.
Everything follows from the request's seed.

Of lettered choices, asked for one token with alternatives, it knows the right one (the last in the
alphabet, so 'yes' rather than 'no') with probability ``accuracy``, and else guesses.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ponder.core.errors import UsageError
from ponder.core.problem import Message
from ponder.core.trace import Delta
from ponder.models.base import Capability, Completion, ModelInfo, Progress, Request, Shape, silent
from ponder.models.thinking import tokens_of

_OPEN = "\\boxed{"
_LISTED = re.compile(r"^\(([A-Z])\) (.+)$", re.M)
_WORDS = [
    "so",
    "then",
    "we",
    "add",
    "the",
    "terms",
    "and",
    "check",
    "each",
    "step",
    "of",
    "it",
    "again",
    "to",
    "be",
    "sure",
]


class Simulated:
    """A model whose accuracy is known.

    ``accuracy`` in [0, 1]; ``decoys`` wrong answers; ``length`` mean tokens of a sample; ``signal``
    in standard deviations; ``speed`` tokens per second of one sample (0: at once). ``thinking`` is
    the mean number of tokens that it thinks first, within the length, or beside it if ``beside``
    allows so many; a sample that continues a prefix does not think. ``name`` is what receipts say.
    """

    def __init__(
        self,
        *,
        accuracy: float = 0.5,
        decoys: int = 8,
        length: int = 100,
        signal: float = 1.0,
        speed: float = 0.0,
        thinking: int = 0,
        beside: int = 0,
        name: str = "simulated",
    ) -> None:
        if not 0 <= accuracy <= 1 or decoys < 1 or length < 1 or min(speed, thinking, beside) < 0:
            raise UsageError(
                "simulated: accuracy must be from 0 to 1, decoys and length at least 1, and speed, "
                "thinking and beside not negative."
            )
        self._thinking = thinking
        self._accuracy, self._length, self._signal, self._speed = accuracy, length, signal, speed
        self._decoys = [str(43 + i) for i in range(decoys)]
        self._popularity = [1 / (1 + i) for i in range(decoys)]
        capabilities: frozenset[Capability] = frozenset(
            {"prefill", "logprobs", "first_logprobs", "seed", "stop"}
        )
        if thinking:
            capabilities |= {"native_thinking"}
        shape = Shape(parameters=10**9)
        self.info = ModelInfo(name, capabilities, shape, 32_768, local=True, beside=beside)

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Count one token per word."""
        return sum(len(m.content.split()) for m in messages) + len(prefix.split())

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the same count: it is exact."""
        return self.prompt_bound(messages, prefix)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Draw one sample. The right answer is 42."""
        self.info.check(request.thinking)
        if request.top_logprobs and (listed := _LISTED.findall(request.messages[-1].content)):
            return self._look(request, listed)
        rng = random.Random(request.seed)
        right = rng.random() < self._accuracy
        answer = "42" if right else rng.choices(self._decoys, self._popularity)[0]
        prompt = self.prompt_bound(request.messages, request.prefix)
        made_to = request.prefix.endswith(_OPEN)
        thought = 0 if request.prefix else self._thought(request, rng)
        within = 0 if self.info.beside else thought
        room = request.max_tokens - within
        wanted = 1 if made_to else 1 + int(rng.expovariate(1 / max(1, self._length - 1)))
        tokens = max(0, min(wanted, room))
        mean = -0.3 + (0.1 * self._signal * (right - 0.5)) + rng.gauss(0, 0.1)
        words = [_WORDS[i % len(_WORDS)] for i in range(tokens - 1)]
        finished = wanted <= room
        last = f"{answer}}}" if made_to else f"{_OPEN}{answer}}}"
        text, stopped_at = " ".join([*words, last] if finished else words), None
        if found := [(at, stop) for stop in request.stop if (at := text.find(stop)) >= 0]:
            at, stopped_at = min(found)
            text, finished = text[:at], True
            tokens = text.count(" ") + 1
        done = Completion(
            text,
            "stop" if finished else "length",
            prompt,
            thought + tokens,
            logprobs=(min(mean, -0.001),) * (thought + tokens) if request.logprobs else None,
            seconds=(thought + tokens) / self._speed if self._speed else 0.0,
            stopped_at=stopped_at,
            reasoning=" ".join(_WORDS[i % len(_WORDS)] for i in range(thought)),
            reasoning_tokens=thought,
        )
        if request.pieces:
            pieces = tuple((thought + word).encode() for thought, word in _pieces(done))
            done = replace(done, pieces=pieces)
        if request.watched or self._speed:
            for count, (thoughts, word) in enumerate(_pieces(done), 1):
                shown = (word, thoughts) if request.watched else ("", "")
                progress(Delta(*shown, count, prompt))
                if self._speed:
                    await asyncio.sleep(1 / self._speed)
        else:
            progress(Delta(tokens=thought + tokens, prompt_tokens=prompt))
        await asyncio.sleep(0)
        return done

    def _look(self, request: Request, listed: Sequence[tuple[str, str]]) -> Completion:
        """Return the likeliest letter, and the log-probabilities of all."""
        best = max(listed, key=lambda pair: pair[1])[0]
        guess = (1 - self._accuracy) / len(listed)
        chances = {a: max(1e-6, guess + self._accuracy * (a == best)) for a, _ in listed}
        top = {letter: min(0.0, math.log(p)) for letter, p in chances.items()}
        prompt = self.prompt_bound(request.messages, request.prefix)
        told = (top[best],) if request.logprobs else None
        piece = (best.encode(),) if request.pieces else None
        return Completion(best, "length", prompt, 1, logprobs=told, top=(top,), pieces=piece)

    def _thought(self, request: Request, rng: random.Random) -> int:
        """Return the number of tokens of thinking."""
        if not self._thinking or (request.thinking and request.thinking.level == "off"):
            return 0
        most = tokens_of(request.thinking) if request.thinking else None
        drawn = 1 + int(rng.expovariate(1 / self._thinking))
        return min(drawn, most or drawn, self.info.beside or request.max_tokens)

    async def close(self) -> None:
        """Do nothing."""


def _pieces(done: Completion) -> Iterator[tuple[str, str]]:
    """Yield the thinking and the text that each token adds."""
    thought, said = (text.split(" ") if text else [] for text in (done.reasoning, done.text))
    for at in range(done.completion_tokens):
        place = at - done.reasoning_tokens
        if place < 0:
            yield " " * (at > 0) + thought[at], ""
        else:
            yield "", " " * (place > 0) + said[place] if place < len(said) else ""
