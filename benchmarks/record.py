"""Does recording a pool keep the engine full, from the first sample to the last?

    python benchmarks/record.py --data ../shared/data [--model NAME] [--limit 60] [--n 8]

Records the first problems of GSM8K's test set and prints completion tokens per second over the
whole recording (loading left out; prompts, journal, ramp and tail included), and over its best
sustained fifth: that is what the engine can do on just these samples. The ratio is the figure.
Target: at least 0.9. On a machine that others use, the best fifth is when they did least; so the
same is also given per second of processor time of the engine's process (Linux only). Tokens are
those that the engine has generated at each moment, looked at four times a second: counted when
samples land, a fifth in which many happen to end would look better than the engine can be.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import time
from pathlib import Path

import ponder
from ponder.core.budget import Budget
from ponder.core.record.effects import Sampling
from ponder.experiments.pools import recording
from ponder.experiments.suites.registry import find
from ponder.models import config
from ponder.models.opening import Teller, open_model
from ponder.models.openvino.model import OpenVINO


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of benchmark data")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--limit", type=int, default=60)
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    chosen = parser.parse_args()
    items = dict(list(enumerate(find("gsm8k").load(chosen.data)))[: chosen.limit])
    opened = await open_model(chosen.model, config.load(), Teller())
    asked = recording.Recording(
        "gsm8k", items, chosen.model, chosen.n, Sampling(chosen.length), Budget(), 0
    )
    wall: list[tuple[float, int]] = []
    busy: list[tuple[float, int]] = []

    assert isinstance(opened.model, OpenVINO)

    async def watch(model: OpenVINO) -> None:
        while True:
            wall.append((time.monotonic(), model.metrics().tokens))
            busy.append((children_seconds(), model.metrics().tokens))
            await asyncio.sleep(0.25)

    with tempfile.TemporaryDirectory() as folder:
        watching = asyncio.ensure_future(watch(opened.model))
        await recording.record(asked, Path(folder) / "pool", opened=opened)
        watching.cancel()
    await opened.model.close()
    print(f"ponder {ponder.__version__}, Python {platform.python_version()}, {platform.machine()}")
    print(f"{chosen.model}, {len(items)} problems x {chosen.n}, {wall[-1][1]:,} tokens")
    for name, points in {"second": wall, "second of its processor time": busy}.items():
        if points[-1][0] > points[0][0]:
            whole, best = rate(points[0], points[-1]), best_fifth(points)
            print(
                f"tokens per {name}: whole recording {whole:,.0f}, best sustained fifth "
                f"{best:,.0f}, ratio {whole / best:.2f}"
            )


def children_seconds() -> float:
    """Processor time of the processes that this one has started and that still run."""
    total = 0
    for task in Path("/proc/self/task").glob("*/children"):
        for child in task.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def rate(a: tuple[float, int], b: tuple[float, int]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])


def best_fifth(points: list[tuple[float, int]]) -> float:
    """Of the stretches that last a fifth of the whole time, the one with the most tokens."""
    fifth = (points[-1][0] - points[0][0]) / 5
    best, end = 0.0, 0
    for start in points:
        while end < len(points) - 1 and points[end][0] - start[0] < fifth:
            end += 1
        if points[end][0] - start[0] >= fifth:
            best = max(best, rate(start, points[end]))
    return best


if __name__ == "__main__":
    asyncio.run(main())
