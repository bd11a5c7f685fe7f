"""Commands, run in this process and in one of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ponder.cli.main import main

QUESTION = "How many is six times seven?"


def ponder(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def heed_interrupts() -> None:
    """A shell that starts the tests in the background lets them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, *arguments: str, journal: bool = True) -> subprocess.Popen[str]:
    environment = {**os.environ, "PONDER_CONFIG": str(folder / "ponder.toml")}
    kept = ["--journal", str(folder / "runs.sqlite")] if journal else []
    return subprocess.Popen(
        [sys.executable, "-m", "ponder", *arguments, *kept],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=heed_interrupts,
    )
