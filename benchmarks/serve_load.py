"""The server under load: many streams at once, then readers that hang up at random moments.

python benchmarks/serve_load.py [--streams 200] [--n 8] [--seconds 60] [--hang-ups 100]
                                [--no-journal] [--profile FILE]
python benchmarks/serve_load.py --url URL --model NAME [--plain] [--pid PID]   # another server

The server runs in a process of its own, on loopback, with a model that takes 50 ms for a sample.
Each stream asks for a vote of N samples, reads to the end and asks again. Afterwards the server
says what is left of it: runs, places at the gate, samples in flight, tasks, open files, memory.
``--url`` asks another server with the same client; ``--plain`` leaves out what only Ponder knows;
``--pid`` is its process, whose processor time is shown for each reply: unlike replies a second,
that hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from ponder.models.base import Completion, Progress, Request, silent
from ponder.models.config import Config
from ponder.models.fakes.scripted import Scripted
from ponder.models.opening import Opened
from ponder.runtime.engine import Engine
from ponder.server.app import application
from ponder.server.serve import collecting_seldom, listening
from ponder.server.settings import Settings

SAMPLE = 0.05
"""Seconds of one sample."""
QUESTION = "Natalia sold 48 clips in April and half as many in May. How many in all?"
REPLY = "In May she sold 48 / 2 = 24 clips, so she sold 48 + 24 = 72 clips in all: \\boxed{72}"


class Taking(Scripted):
    """A model that takes its time and forgets what it was asked."""

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        self.running += 1
        try:
            await asyncio.sleep(SAMPLE)
        finally:
            self.running -= 1
        try:
            return await super().generate(request, progress)
        finally:
            self.requests.clear()


async def serve(journal: Path | bool) -> None:
    """Print the address; answer each line of the standard input with what is held now."""
    model = Taking(lambda request: REPLY)
    settings = Settings(journal=journal, at_once=1000, queue=0)
    async with Engine(Config()) as engine:
        app = application(engine, (), settings, given={"scripted": Opened(model)})
        with listening("127.0.0.1", 0) as sock, collecting_seldom():
            options = {"log_config": None, "access_log": False, "lifespan": "off"}
            server = uvicorn.Server(uvicorn.Config(app, **options))  # type: ignore[arg-type]
            serving = asyncio.ensure_future(server.serve([sock]))
            print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
            house = app.state.house
            while await asyncio.to_thread(sys.stdin.readline):
                held = {
                    "runs": len(house.runs) + len(engine._going),
                    "places": house.gate.inside + house.gate.waiting,
                    "samples": model.running,
                    "tasks": len(asyncio.all_tasks()),
                    "files": len(os.listdir("/proc/self/fd")),
                    "MiB": _resident(),
                    "cpu": round(time.process_time(), 2),
                    "tokens": engine.spent.tokens,
                }
                print(json.dumps(held), flush=True)
            server.should_exit = True
            await serving


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


@dataclass
class Server:
    """A server in another process."""

    url: str
    process: asyncio.subprocess.Process

    async def held(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        found: dict[str, Any] = json.loads(await self.process.stdout.readline())
        return found

    async def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


async def started(arguments: argparse.Namespace, journal: str) -> Server:
    more = ["--journal", journal] if journal else []
    more += ["--profile", arguments.profile] if arguments.profile else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--serve",
        *more,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    return Server((await process.stdout.readline()).decode().strip(), process)


@dataclass
class Seen:
    """The measurements of a client."""

    first: list[float] = field(default_factory=list)
    """Seconds to the first byte of each reply."""
    whole: list[float] = field(default_factory=list)
    """Seconds to its end."""
    errors: list[str] = field(default_factory=list)


async def ask(
    session: aiohttp.ClientSession,
    url: str,
    body: dict[str, Any],
    seen: Seen,
    until: Callable[[], bool] = lambda: False,
) -> None:
    began = time.perf_counter()
    try:
        async with session.post(f"{url}/v1/chat/completions", json=body) as said:
            parts: list[bytes] = []
            async for part in said.content.iter_any():
                if not parts:
                    seen.first.append(time.perf_counter() - began)
                parts.append(part)
                if until():
                    return
            text = b"".join(parts)
            if said.status != 200 or b'"error"' in text or b"72" not in text:
                seen.errors.append(f"{said.status} {text[-200:]!r}")
            seen.whole.append(time.perf_counter() - began)
    except (aiohttp.ClientError, TimeoutError) as error:
        seen.errors.append(repr(error))


async def load(url: str, body: dict[str, Any], streams: int, seconds: float) -> Seen:
    """Ask over as many connections, each again and again."""
    seen = Seen()
    end = time.perf_counter() + seconds

    async def one(session: aiohttp.ClientSession) -> None:
        while time.perf_counter() < end:
            await ask(session, url, body, seen)

    limits = aiohttp.ClientTimeout(total=120)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=limits) as session:
        await asyncio.gather(*(one(session) for _ in range(streams)))
    return seen


async def hang_up(url: str, body: dict[str, Any], readers: int) -> None:
    """Ask, and hang up at a random moment."""
    rng = random.Random(7)

    async def one(session: aiohttp.ClientSession, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await ask(session, url, body, Seen())
        except TimeoutError:
            pass

    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(one(session, rng.uniform(0, 1.0)) for _ in range(readers)))


def shown(what: str, seen: Seen, seconds: float) -> None:
    def of(times: list[float]) -> str:
        cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
        return f"{cuts[49] * 1000:.0f} / {cuts[98] * 1000:.0f} ms" if times else "none"

    done = len(seen.whole)
    print(f"{what}: {done} replies, {done / seconds:.1f} a second, {len(seen.errors)} errors")
    print(f"  first byte p50 / p99: {of(seen.first)}; whole reply: {of(seen.whole)}")
    for error in seen.errors[:3]:
        print(" ", error)


def charged(seconds: float, seen: Seen) -> None:
    each = seconds / max(1, len(seen.whole))
    print(f"  {each * 1000:.1f} ms of the server's processor for each reply")


def worked(pid: int) -> float:
    """Return the processor time of another process in seconds; 0 if none is named."""
    if not pid:
        return 0.0
    figures = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(figures[11]) + int(figures[12])) / os.sysconf("SC_CLK_TCK")


async def measure(arguments: argparse.Namespace) -> None:
    body: dict[str, Any] = {
        "model": arguments.model,
        "stream": not arguments.whole,
        "messages": [{"role": "user", "content": QUESTION}],
    }
    if not arguments.plain:
        knobs = {"n": arguments.n, "stop": "never"}
        body["ponder"] = {"strategy": "self_consistency", "knobs": knobs}
    body |= json.loads(arguments.body)
    if arguments.url:
        await load(arguments.url, body, 1, 0.5)
        began = worked(arguments.pid)
        seen = await load(arguments.url, body, arguments.streams, arguments.seconds)
        shown(arguments.url, seen, arguments.seconds)
        if arguments.pid:
            charged(worked(arguments.pid) - began, seen)
        return
    with tempfile.TemporaryDirectory() as folder:
        journal = "" if arguments.no_journal else f"{folder}/runs.sqlite"
        server = await started(arguments, journal)
        await load(server.url, body, 1, 0.5)
        print("before:", before := await server.held())
        asking = asyncio.ensure_future(load(server.url, body, arguments.streams, arguments.seconds))
        while not asking.done():
            await asyncio.wait([asking], timeout=arguments.seconds / 4)
            print("during:", await server.held())
        shown("streams", seen := await asking, arguments.seconds)
        print("after:", held := await server.held())
        charged(held["cpu"] - before["cpu"], seen)
        if arguments.hang_ups:
            await hang_up(server.url, body, arguments.hang_ups)
            ended = time.perf_counter()
            while (held := await server.held())["runs"] or held["samples"]:
                pass
            later = time.perf_counter() - ended
            print(f"{arguments.hang_ups} hung up; all ended {later:.2f} s after")
            await asyncio.sleep(1)
            print("a second later:", await server.held())
        await server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--hang-ups", type=int, default=100)
    parser.add_argument("--no-journal", action="store_true")
    parser.add_argument("--profile", default="")
    parser.add_argument("--url", default="")
    parser.add_argument("--pid", type=int, default=0, help="the other server's process")
    parser.add_argument("--model", default="scripted")
    parser.add_argument("--plain", action="store_true", help="without the ponder object")
    parser.add_argument("--whole", action="store_true", help="not as a stream")
    parser.add_argument("--body", default="{}", help="more members of the body")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--journal", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.serve:
        asyncio.run(measure(arguments))
        return
    work = serve(Path(arguments.journal) if arguments.journal else False)
    if not arguments.profile:
        asyncio.run(work)
        return
    with cProfile.Profile(time.process_time) as profile:
        asyncio.run(work)
    profile.dump_stats(arguments.profile)


if __name__ == "__main__":
    main()
