"""Verifiers as rewards: functions that trainers call with completions, run in Ponder's sandbox.

    with Rewards("arithmetic") as reward:
        GRPOTrainer(reward_funcs=reward, train_dataset=rows, ...)    # rows of --format prompts

The verifier is the caller's: a row may come from anybody, and the name in it may be of a script.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from ponder.core.problem import Problem
from ponder.core.text.refs import spelled
from ponder.learning.rows.questions import problem_from_text
from ponder.runtime.engine import Engine
from ponder.util.bounded import bounded
from ponder.verification import ascore

AT_ONCE = 8
"""Problems that are verified at once."""
Completion = str | Sequence[dict[str, Any]]
"""A reply as a trainer has it: a text, or messages."""


class Rewards:
    """A reward function whose rewards are the scores of a verifier.

    It opens an engine when it is first called, and closes it with ``close``.

    Raises:
        UsageError: the verifier's name is malformed.
    """

    def __init__(self, verifier: str, *, model: str = "", unsafe: bool = False) -> None:
        self.verifier = verifier
        self.model = model
        self.__name__ = f"ponder_{spelled(verifier).name}"  # trainers log rewards under it
        self._unsafe = unsafe
        self._engine: Engine | None = None
        self._owned = ExitStack()
        self._opening = threading.Lock()

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Completion], **columns: Any
    ) -> list[float | None]:
        """Return one reward per completion, None for an abstention, as TRL's trainers ask.

        ``columns`` are those of the rows; ``problem`` holds what was asked. Completions to one
        problem are scored together.

        Raises:
            UsageError: a row's problem is damaged, or the verifier cannot be asked here.
        """
        return self.scores(columns["problem"], [text_of(one) for one in completions])

    def scores(self, problems: Sequence[str], texts: Sequence[str]) -> list[float | None]:
        """Return one score per text, a reply to the problem at its place.

        Raises:
            UsageError: as the call.
        """
        places: dict[str, list[int]] = {}
        for i, problem in enumerate(problems):
            places.setdefault(problem, []).append(i)
        asked = [(problem_from_text(text), where) for text, where in places.items()]
        engine = self.engine

        async def one(pair: tuple[Problem, list[int]]) -> list[float | None]:
            problem, where = pair
            done = await ascore(
                problem,
                [texts[i] for i in where],
                verifier=self.verifier,
                model=self.model,
                engine=engine,
            )
            return [score.value for score in done.scores]

        found = engine.wait(lambda: bounded(one, asked, AT_ONCE))
        values: list[float | None] = [None] * len(texts)
        for (_, where), scores in zip(asked, found, strict=True):
            for i, value in zip(where, scores, strict=True):
                values[i] = value
        return values

    @property
    def engine(self) -> Engine:
        """The engine, opened when it is first needed."""
        with self._opening:  # trainers may ask from several threads
            if self._engine is None:
                self._engine = self._owned.enter_context(Engine(unsafe=self._unsafe))
            return self._engine

    def close(self) -> None:
        """End what was started."""
        self._owned.close()
        self._engine = None

    def __enter__(self) -> Rewards:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def text_of(completion: Completion) -> str:
    """Return the text of a completion: of messages, that of the last one."""
    if isinstance(completion, str):
        return completion
    return str(completion[-1].get("content") or "") if completion else ""
