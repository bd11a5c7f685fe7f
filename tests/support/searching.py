"""A model whose continuations form a tree, and a verifier that scores by the path taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ponder.core.budget import Budget
from ponder.core.problem import Problem
from ponder.core.trace import Score, Trace
from ponder.models.base import Request
from ponder.models.fakes.scripted import Scripted
from ponder.runtime.result import Result
from ponder.runtime.runner import Runner
from ponder.verifiers.base import Facts
from tests.support.jobs import job

DEPTH = 3


@dataclass
class Tree:
    """A model whose k-th continuation of a chain is its k-th child: 'a', 'b', ... and so on, to a
    depth of three, where the answer is the path.
    """

    branching: int = 2
    asked: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: Request) -> str:
        if "final answer" in request.prefix:
            return "forced}"
        path = "".join(request.prefix.split())
        child = "abcdefgh"[self.asked[path] % self.branching]
        self.asked[path] += 1
        path += child
        if not request.stop:  # to the end: always the first child
            child = child + "a" * (DEPTH - len(path))
            path = path.ljust(DEPTH, "a")
        return f"{child}\n\n" if len(path) < DEPTH else f"{child} \\boxed{{{path}}}"


def path_of(trace: Trace) -> str:
    return "".join(c for c in trace.text.split("\\")[0] if c.isalpha())


@dataclass
class ByPath(Facts):
    """Scores a chain by the path it has taken."""

    value: Callable[[str], float | None]
    name: str = "by_path"
    listwise: bool = False
    seen: list[str] = field(default_factory=list)

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        self.seen += [path_of(t) for t in traces]
        return [Score(self.value(path_of(t)), self.name) for t in traces]


VALUES = {
    "a": 0.9, "b": 0.2,
    "aa": 0.3, "ab": 0.4, "ba": 0.1, "bb": 0.5,
    "aaa": 0.1, "aab": 0.2, "aba": 0.35, "abb": 0.3, "baa": 0.6, "bab": 1.0, "bba": 0.7, "bbb": 0.8,
}  # fmt: skip
"""Greedily 'a', 'ab', 'aba'; the best path, 'bab', has the poorest beginnings."""


async def search(
    strategy: str, knobs: dict[str, Any], value: Any = VALUES.get, **changes: Any
) -> tuple[Result, ByPath, Scripted]:
    verifier, model = ByPath(value), Scripted(Tree())
    changes.setdefault("budget", Budget())
    asked = job(
        model,
        strategy,
        knobs=knobs,
        verifiers={"by_path": verifier},
        verifier="by_path",
        **changes,
    )
    return await Runner(asked).go(), verifier, model


def thinker(words: dict[str, str], depth: int = 2) -> Any:
    """Grows 'a' and 'b' in turn, and values a beginning by a table."""
    counts: dict[str, int] = {}

    def reply(request: Request) -> str:
        asked = request.messages[-1].content
        if "Can this beginning lead" in asked:
            text = asked.split("solution:\n\n")[1].split("\n\nCan this")[0]
            return words.get("".join(text.split("\\")[0].split()), "no idea")
        path = "".join(request.prefix.split())
        child = "ab"[counts.get(path, 0) % 2]
        counts[path] = counts.get(path, 0) + 1
        path += child
        return f"{child}\n\n" if len(path) < depth else f"{child} \\boxed{{{path}}}"

    return reply
