"""Learning without PyTorch: the simulated model for every name, trainings that write a file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ponder.learning.sft.worker import Job
from ponder.models.opening import Opened
from ponder.runtime.engine import Engine


class Simulating(Engine):
    """Opens the simulated model, whatever the name, and keeps the names."""

    opened: list[str]

    @asynccontextmanager
    async def model(self, name: str) -> AsyncIterator[Opened]:
        self.opened.append(name)
        async with super().model("simulated") as used:
            yield used


class Trainings:
    """In place of ``process.train``; fails at the numbers in ``broken``."""

    def __init__(self, *broken: int) -> None:
        self.jobs: list[Job] = []
        self.broken = {*broken}

    def __call__(self, job: Job, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        self.jobs.append(job)
        if len(self.jobs) in self.broken:
            raise KeyboardInterrupt
        tell({"step": 1, "of": 2, "resumed": 0, "loss": 1.5})
        Path(job.output).write_text(f"model of {Path(job.folder).name}")
        rows = [line for path in job.data for line in Path(path).read_text().splitlines()]
        return {
            "data": [], "rows": {"learned": len(rows), "too_long": 1, "held_out": 0},
            "thinking": ["high", "low"], "steps": 2, "losses": [1.5, 0.5],
            "tokens": {"computed": 30, "learned": 20}, "flops": 1000, "seconds": 2.5,
        }  # fmt: skip


def request(folder: Path) -> Any:
    return json.loads((folder / "request.json").read_text())
