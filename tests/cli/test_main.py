"""How ``ponder`` begins and ends, whatever the command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["click", "rich"])
def test_ctrl_c_while_something_is_imported_is_quiet(module: str, tmp_path: Path) -> None:
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "ponder", "models", "list"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "\nponder: interrupted.\n"
