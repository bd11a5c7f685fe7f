"""Malformed requests to every address of a server, and requests that its own document describes.

    python benchmarks/serve_fuzz.py [--examples 2000] [--conforming 100] [--seed 0]

A real server on loopback, with a scripted model. First the malformed requests, each made of its
seed (tests/support/malformed.py): no server error that the document does not declare, no hang,
nothing told of the inside, nothing logged as an error. Then schemathesis, by
tests/support/published.py: data that fits and data that does not, for every operation; statuses,
types and forms of the answers are as published, and what does not fit is refused.
Exits with 1 if there is a finding.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.lived import lived_in
from tests.support.malformed import tried
from tests.support.published import Asked, conform

from ponder.core.text.visible import visible_line


async def conforming(examples: int) -> Asked:
    """Return the requests that were answered as published."""
    with tempfile.TemporaryDirectory() as folder:
        async with lived_in(Path(folder) / "journal.sqlite") as lived:
            document = (await lived.server.http.get("/openapi.json")).json()
            return await asyncio.to_thread(
                conform, document, lived.server.url, examples, lived.places, lived.good
            )


def main() -> int:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=2000, help="malformed requests")
    parser.add_argument("--conforming", type=int, default=100, help="per operation and mode")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    given = parser.parse_args()
    began = time.monotonic()
    seeds = range(given.seed, given.seed + given.examples)
    with tempfile.TemporaryDirectory() as folder:
        faults = asyncio.run(tried(seeds, Path(folder) / "journal.sqlite"))
    for one in faults:
        print(
            f"seed {one.seed}: {visible_line(one.what)}: {one.asked.method} {one.asked.path[:80]}"
        )
    print(f"{given.examples} malformed: {len(faults)} findings, {time.monotonic() - began:.0f} s")
    if given.conforming:
        began = time.monotonic()
        asked = asyncio.run(conforming(given.conforming))
        took, good = time.monotonic() - began, sum(asked.good.values())
        print(f"{asked.count} by the document, {good} with success: all as published, {took:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
