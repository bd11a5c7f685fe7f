"""Receipts against a server's own counters: every strategy, driven over one running server.

    python benchmarks/servers.py http://127.0.0.1:8080/v1 --prefill final_message --stream

For each strategy one table row: the tokens on the receipt, the tokens by which the counters of the
server's ``/metrics`` grew, the difference, the time that the server went on after the run had
ended, and the answer. Nobody else may use the server meanwhile. llama.cpp shows its counters if it
was started with ``--metrics``; vLLM always does.

A run that cancels samples (``cancelled``) cannot be equal to the token unless its samples are
streamed: without a stream it is booked at its worst case, which is then more than the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

import ponder
from ponder import Budget, Engine
from ponder.core.errors import RunFailed, UsageError
from ponder.core.events import Event, SampleLost
from ponder.core.ledger import Item
from ponder.models.base import Capability
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat
from ponder.strategies.registry import STRATEGIES

QUESTION = "A box holds 6 eggs. How many eggs are in 7 boxes?"
COUNTERS = {
    "prompt": (
        "llamacpp:prompt_tokens_total",
        "llamacpp:prompt_tokens_cached_total",
        "vllm:prompt_tokens_total",
        "sglang:prompt_tokens_total",
    ),
    "completion": (
        "llamacpp:tokens_predicted_total",
        "vllm:generation_tokens_total",
        "sglang:generation_tokens_total",
    ),
    "running": (
        "llamacpp:requests_processing",
        "llamacpp:requests_deferred",
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "sglang:num_running_reqs",
        "sglang:num_queue_reqs",
    ),
}
SMALL: dict[str, dict[str, Any]] = {
    "self_consistency": {"n": 4, "stop": "never"},
    "confident": {"n": 6, "warmup": 3, "window": 16},
    "best_of_n": {"n": 4},
    "beam_search": {"width": 2, "fan": 2},
    "dvts": {"trees": 2, "fan": 2},
    "early_exit": {"interval": 32},
    "decompose": {"split_length": 64},
    "refine": {"rounds": 2, "critique_length": 64},
    "mixture": {"n": 2},
    "sequential_parallel": {"n": 4, "chains": 2},
    "tree_of_thoughts": {"width": 2, "fan": 2, "votes": 1, "expansions": 4},
    "verify_and_backtrack": {"tries": 2, "most": 6},
    "mcts": {"expansions": 4, "fan": 2},
    "ab_mcts": {"n": 4},
    "particle_filter": {"n": 3},
}
"""Knobs that keep each strategy short."""
SETTLE = 60.0  # seconds that the server may take to end what it runs


@dataclass(frozen=True)
class Count:
    """The counters of a server."""

    prompt: int
    completion: int
    running: int

    def __sub__(self, other: Count) -> Count:
        prompt, completion = self.prompt - other.prompt, self.completion - other.completion
        return Count(prompt, completion, self.running)


def read(text: str) -> Count:
    """Return the counters in a page of metrics, summed over their labels."""
    values: dict[str, float] = {}
    for name, value in re.findall(r"^([a-z]+:\w+)(?:\{[^\n]*\})? (\S+)", text, re.M):
        values[name] = values.get(name, 0.0) + float(value)
    if not values.keys() & set(COUNTERS["completion"]):
        sys.exit("the metrics have no counter of generated tokens that is known here.")
    return Count(*(int(sum(values.get(n, 0) for n in names)) for names in COUNTERS.values()))


async def settled(session: aiohttp.ClientSession, url: str) -> tuple[Count, float]:
    """Return the counters once the server is idle, and the seconds until then."""
    start = time.perf_counter()
    while True:
        async with session.get(url) as response:
            if response.status != 200:
                sys.exit(f"{url} answered {response.status}: does the server show its metrics?")
            count = read(await response.text())
        seconds = time.perf_counter() - start
        if not count.running or seconds > SETTLE:
            return count, seconds
        await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Outcome:
    """One run."""

    total: Item
    ended: str
    """What ended it, and the number of cancelled samples."""
    answer: str


async def ask(name: str, model: OpenAICompat, engine: Engine, args: argparse.Namespace) -> Outcome:
    """Run one strategy."""
    lost: list[SampleLost] = []

    def hear(event: Event) -> None:
        if isinstance(event, SampleLost):
            lost.append(event)

    try:
        result = await ponder.asolve(
            args.question,
            model=model,
            strategy=name,
            knobs={"length": args.length, **SMALL.get(name, {})},
            budget=Budget(tokens=args.max_tokens, seconds=args.max_seconds),
            journal=False,
            engine=engine,
            seed=args.seed,
            on_event=hear,
        )
    except RunFailed as error:
        total = error.receipt.total if error.receipt else Item("total", "")
        return Outcome(total, "failed", str(error))
    except UsageError as error:
        return Outcome(Item("total", ""), "refused", str(error))
    cancelled = sum(event.reason == "cancelled" and event.role != "" for event in lost)
    ended = result.stopped_by + (f", {cancelled} cancelled" if cancelled else "")
    return Outcome(result.receipt.total, ended, result.answer or "none")


async def main(args: argparse.Namespace) -> None:
    capabilities: set[Capability] = {"seed", "stop", "logprobs", "top_logprobs"}
    endpoint = Endpoint(
        name="server",
        base_url=args.base_url,
        model=args.model,
        capabilities=frozenset(capabilities | ({"n"} if args.n else set())),
        prefill=args.prefill,
        stream=args.stream,
        context=args.context,
        concurrency=args.concurrency,
        extra_body=json.loads(args.extra_body),
        local=True,
    )
    metrics = args.metrics or args.base_url.rstrip("/").removesuffix("/v1") + "/metrics"
    model = OpenAICompat(endpoint)
    unequal = 0
    head = (
        "| strategy | ended by | prompt | server | completion | server | difference | idle after |"
    )
    print(head, "answer |", flush=True)
    print("| --- " * 9 + "|")
    async with aiohttp.ClientSession() as session, Engine() as engine:
        for name in args.strategies or STRATEGIES:
            before, _ = await settled(session, metrics)
            outcome = await ask(name, model, engine, args)
            after, seconds = await settled(session, metrics)
            server, item = after - before, outcome.total
            made = item.completion_tokens + item.wasted_tokens
            beyond = item.prompt_tokens - server.prompt + made - server.completion
            equal = (item.prompt_tokens, made) == (server.prompt, server.completion)
            unequal += not equal
            print(
                f"| `{name}` | {outcome.ended} | {item.prompt_tokens:,} | {server.prompt:,} "
                f"| {made:,} | {server.completion:,} | {'equal' if equal else f'{beyond:+,}'} "
                f"| {seconds:.1f} s | {' '.join(outcome.answer.split())[:60]} |",
                flush=True,
            )
    await model.close()
    print(f"\n{unequal} not equal", file=sys.stderr)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("base_url", help="such as http://127.0.0.1:8080/v1")
    parser.add_argument("--model", default="default", help="its name on the server")
    parser.add_argument("--metrics", default="", help="by default /metrics beside base_url")
    parser.add_argument(
        "--prefill", default="none", choices=("none", "final_message", "continue_final_message")
    )
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--n", action="store_true", help="several samples in one request")
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--extra-body", default="{}", help="JSON, added to every request")
    parser.add_argument("--length", type=int, default=96, help="most tokens of a sample")
    parser.add_argument("--max-tokens", type=int, default=None)
    parser.add_argument("--max-seconds", type=float, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--strategies", nargs="*", choices=tuple(STRATEGIES), default=[])
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
