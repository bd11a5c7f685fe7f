"""What Ponder itself costs: CPU per sample and samples per second, at an endpoint that answers at
once. Side by side with its-hub's self-consistency (pip install 'its-hub[lm]') and with a bare
aiohttp client, in one run, the contestants taking turns.

    python benchmarks/overhead.py [--n 64] [--rounds 30]

Both vote over the same N samples of one question; Ponder's journal is on (a file), and it asks for
all N (stop=never). One ``ponder.Engine`` keeps journal and connections from round to round, as the
other contestants keep their clients. 'client alone' is Ponder's client without a run: no budget, no
journal, no vote. 'one request each' sends N requests, as its-hub does; 'n in one request' uses
the endpoint's ``n``, which its-hub does not have. CPU is this process's user + system time, so the
endpoint's own (another process) is not in it. Medians over the rounds; the first two warm up.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

import ponder
from ponder.core.problem import Message
from ponder.models.base import Request
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat

QUESTION = "Natalia sold 48 clips in April and half as many in May. How many in all?"
Contestant = Callable[[], Awaitable[Any]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ponder_with(
    url: str, n: int, engine: ponder.Engine, journal: Path, *, grouped: bool
) -> tuple[OpenAICompat, Contestant]:
    capabilities = frozenset({"seed", "stop", "n"} if grouped else {"seed", "stop"})
    model = OpenAICompat(
        Endpoint(name="loopback", base_url=url, model="m", capabilities=capabilities)  # type: ignore[arg-type]
    )

    async def once() -> None:
        result = await ponder.asolve(
            QUESTION,
            engine=engine,
            model=model,
            strategy="self_consistency",
            knobs={"n": n, "stop": "never"},
            journal=journal,
        )
        assert result.answer == "72"
        assert result.candidates[0].votes == n

    return model, once


def client_with(model: OpenAICompat, n: int) -> Contestant:
    question = (Message("user", QUESTION),)

    async def once() -> None:
        requests = [Request(question, 1024, seed=seed) for seed in range(n)]
        await asyncio.gather(*map(model.generate, requests))

    return once


def its_hub_with(url: str, n: int) -> Contestant:
    from its_hub.core.algorithms.self_consistency import SelfConsistency
    from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel

    model = OpenAICompatibleLanguageModel(url, "no-key", "m")
    voting = SelfConsistency()
    return lambda: voting.ainfer(model, QUESTION, n)


def bare_with(url: str, n: int, session: aiohttp.ClientSession) -> Contestant:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": QUESTION}]}).encode()
    headers = {"Content-Type": "application/json"}

    async def one() -> Any:
        async with session.post(f"{url}/chat/completions", data=body, headers=headers) as reply:
            return json.loads(await reply.read())

    async def once() -> None:
        await asyncio.gather(*(one() for _ in range(n)))

    return once


async def measure(contestants: dict[str, Contestant], n: int, rounds: int) -> None:
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 2):
        for name, once in contestants.items():
            began, used = time.perf_counter(), time.process_time()
            await once()
            if turn >= 2:
                cpu[name].append((time.process_time() - used) / n * 1e6)
                wall[name].append(n / (time.perf_counter() - began))
    print(f"\n| at N = {n}, {rounds} rounds | CPU per sample (µs) | samples/s | most samples/s |")
    print("| --- | --- | --- | --- |")
    for name in contestants:
        middle, speed = statistics.median(cpu[name]), statistics.median(wall[name])
        print(f"| {name} | {middle:.0f} | {speed:,.0f} | {max(wall[name]):,.0f} |")
    if "its-hub" in contestants:
        for name in contestants:
            if name.startswith("ponder"):
                pairs = zip(cpu[name], cpu["its-hub"], strict=True)
                ratio = statistics.median(a / b for a, b in pairs)
                print(f"\nCPU per sample, {name} / its-hub, median of paired ratios: {ratio:.2f}")


async def compare(url: str, n: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with ponder.Engine() as engine, aiohttp.ClientSession() as session:
            one, two = Path(folder) / "a.sqlite", Path(folder) / "b.sqlite"
            each, one_by_one = ponder_with(url, n, engine, one, grouped=False)
            group, in_groups = ponder_with(url, n, engine, two, grouped=True)
            contestants: dict[str, Contestant] = {
                "bare aiohttp": bare_with(url, n, session),
                "ponder, client alone": client_with(each, n),
                "ponder, one request each": one_by_one,
                "ponder, n in one request": in_groups,
            }
            if importlib.util.find_spec("its_hub"):
                contestants["its-hub"] = its_hub_with(url, n)
            else:
                print("its-hub is not installed: pip install 'its-hub[lm]' to compare.")
            await measure(contestants, n, rounds)
        await each.close()
        await group.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, ponder {ponder.__version__}")
    port = free_port()
    server = [sys.executable, str(Path(__file__).with_name("endpoint.py")), str(port)]
    with subprocess.Popen(server, stdout=subprocess.PIPE) as endpoint:
        try:
            assert endpoint.stdout
            endpoint.stdout.readline()  # it says when it is ready
            asyncio.run(compare(f"http://127.0.0.1:{port}/v1", options.n, options.rounds))
        finally:
            endpoint.terminate()


if __name__ == "__main__":
    main()
