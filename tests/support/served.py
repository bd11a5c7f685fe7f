"""``ponder serve`` in a process of its own, and programs that are its clients."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENTS = Path(__file__).parents[1] / "server" / "clients"
"""The scripts that are run as clients."""
PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")
SECONDS = 240
"""Most that a program may take."""


@contextmanager
def served(folder: Path, model: str, **environment: str) -> Iterator[str]:
    """Serve a model until the block ends; yields the base URL, which ends with ``/v1``."""
    journal = ["--journal", str(folder / "runs.sqlite")]
    process = subprocess.Popen(
        [sys.executable, "-m", "ponder", "serve", "--model", model, "--port", "0", *journal],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    try:
        [address] = re.findall(r"http://\S+", process.stdout.readline())
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


def program(*command: str, folder: Path | None = None, **environment: str) -> str:
    """What a program of Python prints, run in a folder."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def example(language: str, url: str, model: str) -> str:
    """An example of ``docs/clients.md``, for a server and its model."""
    block: str = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)[0]
    asked = block.replace("http://127.0.0.1:8000/v1", url)
    return asked.replace("qwen2.5-coder-1.5b", model)
