"""Every strategy made small, and models that answer by the request alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ponder.core.problem import Message, Problem
from ponder.core.trace import Score, Trace
from ponder.models.base import Completion, Progress, Request, silent
from ponder.models.fakes.scripted import Scripted
from ponder.verifiers.base import Facts

KNOBS: dict[str, dict[str, Any]] = {
    "self_consistency": {"n": 5},
    "confident": {"n": 4, "warmup": 2, "window": 4},
    "best_of_n": {"n": 4},
    "beam_search": {"width": 2, "fan": 2},
    "dvts": {"trees": 2, "fan": 2},
    "particle_filter": {"n": 3, "iterations": 2, "threshold": 1.0},
    "mcts": {"expansions": 3, "fan": 2, "rollout": True},
    "ab_mcts": {"n": 5, "batch": 2},
    "tree_of_thoughts": {"width": 2, "fan": 2, "votes": 1, "expansions": 4},
    "verify_and_backtrack": {"most": 5},
    "budget_forcing": {"waits": 2},
    "early_exit": {"interval": 8},
    "decompose": {},
    "mixture": {"n": 2, "rounds": 1, "strategies": "direct, beam_search(width=1, fan=2)"},
    "aggregate": {"n": 3, "k": 2},
    "refine": {"rounds": 3},
    "sequential_parallel": {"n": 4, "chains": 2},
    "decide": {"calibrate": True},
    "auto": {"n": 6, "ways": "direct, program, refine(rounds=1)"},
    "program": {"repairs": 2},
}


def number(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=4).digest(), "big")


def reply(request: Request) -> str:
    """A word or two, a step's end, now and then an answer: by the request alone."""
    asked = request.messages[-1].content
    if "smaller questions" in asked:
        return "1. One?\n2. Two?"
    if "lead to the right answer" in asked:
        return ("sure", "likely", "impossible")[number(asked, request.seed) % 3]
    if request.prefix.endswith("boxed{"):
        return f"{number(request.prefix) % 3}}}"
    draw = number(request.prefix, request.seed, len(request.messages))
    if "program" in asked:  # two of three fail
        said = f"print({draw % 4})" if draw % 3 == 0 else "print(nothing)"
        return f"w{draw % 7}\n```python\n{said}\n```"
    depth = request.prefix.count("\n\n")
    if draw % 3 == 0 or depth > 2 or not request.stop:
        return f"w{draw % 7} \\boxed{{{draw % 4}}}"
    return f"w{draw % 7}\n\nand more"


class Delayed(Scripted):
    """Replies after a time of each request's own, so that samples come in any order."""

    salt = 0

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        await asyncio.sleep(number("delay", self.salt, request.seed) % 7)
        return await super().generate(request, progress)


class Opinion(Facts):
    """A score by the text alone."""

    name = "opinion"

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        return [Score(number(t.text) % 100 / 100, self.name) for t in traces]


ABLE = {
    "prefill": "final_message",
    "capabilities": ["seed", "stop", "logprobs"],
    "concurrency": 4,
}
"""What the endpoint can do: all that any strategy needs."""


def asked_for(body: dict[str, Any]) -> Request:
    """The request that an endpoint was sent."""
    turns = [Message(turn["role"], turn["content"]) for turn in body["messages"]]
    prefix = turns.pop().content if turns[-1].role == "assistant" else ""
    stop = tuple(body.get("stop", ()))
    return Request(tuple(turns), body["max_tokens"], prefix, seed=body["seed"], stop=stop)


def completion(body: dict[str, Any]) -> bytes:
    """A reply by the request alone. It begins with a word that no other has, so that whatever was
    built upon it shows.
    """
    request = asked_for(body)
    said = reply(request)
    if said.startswith("w"):
        said = f"s{request.seed}e {said}"
    at, stopped_at = min([(said.find(s), s) for s in request.stop if s in said], default=(None, ""))
    words = said[:at].split(" ")
    kept = words[: request.max_tokens]
    whole = len(kept) == len(words)
    logprob = -(number("how sure", request.seed) % 100) / 100
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": " ".join(kept)},
        "finish_reason": "stop" if whole else "length",
        "matched_stop": stopped_at if whole and stopped_at else None,
        "logprobs": {"content": [{"token": word, "logprob": logprob} for word in kept]},
    }
    usage = {"prompt_tokens": 20, "completion_tokens": len(kept)}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def knobs_of(name: str) -> dict[str, Any]:
    """Small, and such that the same is asked whoever is first."""
    surely = {"stop": "never"} if name == "self_consistency" else {}
    return {**KNOBS.get(name, {}), "length": 60, **surely}
