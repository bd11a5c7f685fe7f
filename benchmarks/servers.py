"""Every strategy on a running server, whole, with a budget and cancelled, by its own counters.

    python benchmarks/servers.py http://127.0.0.1:8080/v1 --prefill final_message --stream

Each cell is prompt + completion tokens: on the receipt, and behind `/` by the counters of the
server's ``/metrics`` if those differ. ``whole`` has no limit. ``budget`` has two thirds of the
tokens that ``whole`` took. ``cancelled`` is interrupted once half of the samples are there and the
server works on the next. Nobody else may use the server meanwhile. llama.cpp shows its counters if
it was started with ``--metrics``; vLLM always does. The exit code is 1 if a limit was passed, a
budget left no answer, or a server was not idle soon after.

A cancelled run cannot be equal to the token unless its samples are streamed: without a stream it is
booked at its worst case, which is then more than the server's.

With ``--deaths COMMAND``, which starts the server, each run is a command of its own, and the server
is ended in the middle of it: by SIGTERM, and by SIGKILL. Then it is started again, and the run is
resumed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from counters import Count, Server  # beside this file
from ponder import Budget, Engine
from ponder.api import prepare
from ponder.core.costs.ledger import Item
from ponder.core.errors import RunFailed, UsageError
from ponder.core.record.events import Event, Grew
from ponder.models.base import Capability
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat
from ponder.planning.wishes import spec
from ponder.strategies.registry import STRATEGIES

QUESTION = "A box holds 6 eggs. How many eggs are in 7 boxes?"
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
    "aggregate": {"n": 2, "k": 2, "rounds": 1},
    "sequential_parallel": {"n": 4, "chains": 2},
    "tree_of_thoughts": {"width": 2, "fan": 2, "votes": 1, "expansions": 4},
    "verify_and_backtrack": {"tries": 2, "most": 6},
    "mcts": {"expansions": 4, "fan": 2},
    "ab_mcts": {"n": 4},
    "particle_filter": {"n": 3},
    "auto": {"n": 4},
}
"""Knobs that keep each strategy short."""
SHARE = 2, 3
"""Budget of a run with a limit, as a fraction of what it takes without."""
NOTICED = 16  # tokens that a server may generate until it notices that nobody listens
SOON = 5.0  # seconds in which a server must be idle after a run


@dataclass
class Heard:
    """The events of a run, so far."""

    tokens: dict[str, int] = field(default_factory=dict)
    """Number of tokens of each sample that has begun to grow."""

    @property
    def total(self) -> int:
        """Number of tokens of all samples so far."""
        return sum(self.tokens.values())

    def hear(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, Grew):
            self.tokens[event.path] = event.tokens


@dataclass(frozen=True)
class Outcome:
    """One run."""

    total: Item
    server: Count
    idle: float
    """Seconds until the server was idle."""
    ended: str
    answer: str | None

    @property
    def made(self) -> int:
        """Number of tokens booked as generated."""
        return self.total.completion_tokens + self.total.wasted_tokens

    @property
    def tokens(self) -> str:
        """Return the tokens, by the receipt and by the server if those differ."""
        booked = self.total.prompt_tokens, self.made
        seen = self.server.prompt, self.server.completion
        both = [f"{prompt:,} + {made:,}" for prompt, made in dict.fromkeys((booked, seen))]
        thought = self.total.reasoning_tokens
        return " / ".join(both) + (f" ({thought:,} thinking)" if thought else "")

    @property
    def said(self) -> str:
        """Return the answer in a few words."""
        return "no answer" if self.answer is None else " ".join(self.answer.split())[:24]


class Trial:
    """Runs of strategies on one server."""

    def __init__(self, server: Server, engine: Engine, args: argparse.Namespace) -> None:
        self._server, self._engine, self._args = server, engine, args
        self.model = OpenAICompat(endpoint(args))
        self.faults: list[str] = []

    async def run(self, name: str, limit: int | None = None, upto: int | None = None) -> Outcome:
        """Run one strategy, and interrupt it once it is at work after so many tokens, if any."""
        args, heard = self._args, Heard()
        before, _ = await self._server.settled()
        asked = spec(
            args.question,
            model=self.model.info.name,
            strategy=name,
            knobs={"length": args.length, **SMALL.get(name, {}), **args.set},
            budget=Budget(tokens=limit),
            seed=args.seed,
        )
        total, answer = Item("total", ""), None
        ready = prepare(asked, self._engine, model=self.model, journal=False, publish=heard.hear)
        try:
            async with ready as runner:
                going = asyncio.create_task(runner.go())
                if upto is not None:
                    await self._server.until(
                        lambda now: going.done() or (now.running and heard.total >= upto)
                    )
                    runner.interrupt()
                result = await going
            total, ended, answer = result.receipt.total, str(result.stopped_by), result.answer
        except RunFailed as error:
            total = error.receipt.total if error.receipt else total
            ended = f"failed: {error}"
        except UsageError as error:
            ended = f"refused: {error}"
        after, idle = await self._server.settled()
        return Outcome(total, after - before, idle, ended, answer)

    async def row(self, name: str) -> str:
        """Return one strategy's row of the table."""
        whole = await self.run(name)
        used = whole.total.cost.tokens
        limit = used * SHARE[0] // SHARE[1]
        held = await self.run(name, limit=limit)
        stopped = await self.run(name, upto=whole.made // 2 if self._args.stream else 0)
        spent = held.server.prompt + held.server.completion
        self._check(name, spent <= limit, f"took {spent:,} of {limit:,} tokens")
        refused = held.ended.startswith("refused")  # it is too small for one sample
        self._check(name, refused or held.ended == "tokens", f"budget: {held.ended}")
        answered = held.answer is not None or whole.answer is None
        self._check(name, answered or refused, "budget: no answer")
        self._check(name, stopped.ended == "interrupt", f"cancelled: {stopped.ended}")
        for what, one in (("whole", whole), ("budget", held), ("cancelled", stopped)):
            self._check(name, one.idle < SOON, f"{what}: not idle for {one.idle:.1f} s")
            asked = one.total.prompt_tokens - one.server.prompt
            more = one.server.completion - one.made
            even = not (asked or more)
            if one is stopped:  # a request that the server has not yet counted is at its worst case
                even = asked >= 0 and more <= NOTICED
            self._check(name, even, f"{what}: {one.tokens}, {one.ended}")
        return (
            f"| `{name}` | {whole.tokens} | {whole.said} | {limit:,} | {held.tokens} | {held.said} "
            f"| {stopped.tokens} | {stopped.idle:.1f} s |"
        )

    def _check(self, name: str, good: bool, otherwise: str) -> None:
        if not good:
            self.faults.append(f"{name}: {otherwise}")


def endpoint(args: argparse.Namespace) -> Endpoint:
    """Return the server as an endpoint."""
    capabilities: set[Capability] = {"seed", "stop", "logprobs", "top_logprobs"}
    if args.n:
        capabilities.add("n")
    if "thinking" in args.set:
        capabilities.add("native_thinking")
    return Endpoint(
        name="server",
        base_url=args.base_url,
        model=args.model,
        dialect=args.dialect,
        capabilities=frozenset(capabilities),
        prefill=args.prefill,
        stream=args.stream,
        context=args.context,
        concurrency=args.concurrency,
        extra_body=json.loads(args.extra_body),
        local=True,
    )


async def strategies(server: Server, args: argparse.Namespace) -> list[str]:
    """Print the table of strategies; return what was not as it should be."""
    print("| strategy | whole | answer | budget | within it | answer | cancelled | idle after |")
    print("| --- " * 8 + "|", flush=True)
    async with Engine() as engine:
        trial = Trial(server, engine, args)
        for name in args.strategies or STRATEGIES:
            print(await trial.row(name), flush=True)
        await trial.model.close()
    return trial.faults


@contextlib.asynccontextmanager
async def started(server: Server, command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the server, yield it once it answers, and end it."""
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await server.until(lambda now: True)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            process.kill()
        await process.wait()


@dataclass(frozen=True)
class Attempt:
    """One command of Ponder."""

    code: int
    errors: str
    said: dict[str, Any]

    @property
    def booked(self) -> tuple[int, int]:
        """Prompt and generated tokens on the receipt, which is a table if the run failed."""
        total = self.said.get("receipt", {}).get("total", {})
        for kind, figure in re.findall(r"^(\w+) tokens +([\d,]+)$", self.errors, re.M):
            total.setdefault(f"{kind}_tokens", int(figure.replace(",", "")))
        prompt, made, wasted = (
            total.get(f"{kind}_tokens", 0) for kind in ("prompt", "completion", "wasted")
        )
        return prompt, made + wasted


async def ponder(*words: str, home: Path) -> asyncio.Task[Attempt]:
    """Start a command, with a journal and a configuration in ``home``."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ponder", *words, "--json"),
        env=os.environ | {"PONDER_HOME": str(home), "PONDER_CONFIG": str(home / "ponder.toml")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    async def ended() -> Attempt:
        out, err = await process.communicate()
        return Attempt(process.returncode or 0, err.decode(), json.loads(out) if out else {})

    return asyncio.create_task(ended())


async def death(server: Server, args: argparse.Namespace, name: str, how: signal.Signals) -> str:
    """End the server in the middle of a run, start it again, resume; return the table's row."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "ponder.toml").write_text(configuration(args))
        knobs = {"length": args.length, **SMALL.get(name, {}), **args.set}
        options = [part for knob, value in knobs.items() for part in ("--set", f"{knob}={value}")]
        words = ("solve", args.question, "--model", "server", "--strategy", name, *options)
        async with started(server, args.deaths) as process:
            running = await ponder(*words, "--seed", str(args.seed), home=home)
            # Samples of one request end together, so that nothing has ended while it goes on.
            await server.until(lambda now: now.running and (args.n or now.completion))
            process.send_signal(how)
            first = await running
        again = re.search(r"runs resume ([\w-]+)", first.errors)
        if not again:
            return f"| `{name}` | {how.name} | {first.code} | {first.errors.strip()} | | | | |"
        async with started(server, args.deaths):
            second = await (await ponder("runs", "resume", again[1], home=home))
            count, _ = await server.settled()
        asked, made = (b - a for a, b in zip(first.booked, second.booked, strict=True))
        said = next(line for line in first.errors.splitlines() if line.startswith("ponder: "))
        return (
            f"| `{name}` | {how.name} | {first.code} | {said[8:120]} | {first.booked[0]:,} + "
            f"{first.booked[1]:,} | {second.code} | {asked:,} + {made:,} "
            f"| {count.prompt:,} + {count.completion:,} |"
        )


def configuration(args: argparse.Namespace) -> str:
    """Return the server as an endpoint in ``ponder.toml``."""
    made = endpoint(args)
    lines = [
        f"{name} = {json.dumps(getattr(made, name))}"
        for name in ("base_url", "model", "prefill", "dialect", "stream")
    ]
    return "\n".join(
        [
            "[endpoints.server]",
            *lines,
            f"capabilities = {sorted(made.capabilities)}",
            "local = true",
            "",
        ]
    )


async def deaths(server: Server, args: argparse.Namespace) -> None:
    """Print the table of runs whose server ended."""
    print("| strategy | signal | exit | said | booked | resumed: exit | booked anew | server |")
    print("| --- " * 8 + "|", flush=True)
    for name in args.strategies or ["self_consistency"]:
        for how in (signal.SIGTERM, signal.SIGKILL):
            print(await death(server, args, name, how), flush=True)


async def main(args: argparse.Namespace) -> None:
    metrics = args.metrics or args.base_url.rstrip("/").removesuffix("/v1") + "/metrics"
    async with aiohttp.ClientSession() as session:
        server = Server(session, metrics)
        if args.deaths:
            await deaths(server, args)
            return
        faults = await strategies(server, args)
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(bool(faults))


def knobs(text: str) -> dict[str, Any]:
    """Return knobs, from JSON."""
    return dict(json.loads(text))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("base_url", help="such as http://127.0.0.1:8080/v1")
    parser.add_argument("--model", default="default", help="its name on the server")
    parser.add_argument("--metrics", default="", help="by default /metrics beside base_url")
    parser.add_argument(
        "--prefill", default="none", choices=("none", "final_message", "continue_final_message")
    )
    parser.add_argument("--dialect", default="", help="its words for thinking, such as vllm")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--n", action="store_true", help="several samples in one request")
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--extra-body", default="{}", help="JSON, added to every request")
    parser.add_argument("--length", type=int, default=96, help="most tokens of a sample")
    parser.add_argument("--set", type=knobs, default={}, help='JSON, such as {"thinking": 32}')
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--strategies", nargs="*", choices=tuple(STRATEGIES), default=[])
    parser.add_argument("--deaths", default="", help="the command that starts the server")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
