"""The parent's side of the process that trains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError, UsageError
from ponder.learning.sft.worker import Job

_CHILD = "from ponder.learning.sft.worker import serve; serve()"
_APART = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "ignore",
}
"""Environment in which the libraries neither ask the network nor print."""


def train(job: Job, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Run a job in a process of its own; ``tell`` gets each step.

    Raises:
        UsageError: a file is not as it must be.
        PonderError: the training failed, or its process ended.
    """
    printed = Path(job.folder) / "printed.txt"
    with printed.open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env={**os.environ, **_APART},
            start_new_session=True,  # Ctrl-C is for the parent, which ends it
        )
        try:
            return _followed(child, job, tell)
        finally:
            child.kill()  # a checkpoint is there: it has nothing to save
            child.communicate()


def _followed(
    child: subprocess.Popen[str], job: Job, tell: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    assert child.stdin
    assert child.stdout
    child.stdin.write(json.dumps(job.to_json()) + "\n")
    child.stdin.flush()
    for line in child.stdout:
        value: dict[str, Any] = json.loads(line)
        if "usage" in value:
            raise UsageError(value["usage"])
        if "failed" in value:
            raise PonderError(value["failed"])
        if "done" in value:
            found: dict[str, Any] = value["done"]
            return found
        tell(value)
    raise PonderError(
        f"the training ended unexpectedly (exit code {child.wait()}; see {job.folder}/printed.txt):"
        " the memory may not have sufficed. The same command goes on from the last checkpoint."
    )
