"""Conversions without an engine, and processes that are killed between any two of their steps."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ponder.models.gguf.metadata import Header
from ponder.models.openvino import converted

STEPS = {
    "open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
    "tempfile.mkdtemp", "shutil.rmtree", "os.scandir", "os.listdir",
}  # fmt: skip


def export(path: Path, header: Header, folder: Path, on_tick: Callable[[], None]) -> None:
    """Write what an engine would, with the file's own bytes for weights."""
    for name in converted.FILES:
        if name.endswith(".bin"):
            weights = path.read_bytes()
            (folder / name).write_bytes(weights)
            xml = f'<net><data offset="0" size="{len(weights)}" /></net>\n'
            (folder / name).with_suffix(".xml").write_text(xml)


def killed_at_each_step(path: Path, root: Path, begin: Callable[[Path], None]) -> int:
    """Prepare the file's conversion in processes that are killed before their first, second, ...
    step, until one comes through; each time look at what was left. Returns the number of steps.

    ``begin`` fills the folder of conversions before each.
    """
    for steps in range(1000):
        home = root / str(steps)
        converted._root = lambda home=home: home  # type: ignore[misc]
        begin(home)
        child = os.fork()
        if not child:
            _work(path, home, steps)
        _, status = os.waitpid(child, 0)
        left = converted.find(path)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            assert left is not None
            return steps
        assert (
            left is None or (left.folder / "openvino_model.bin").read_bytes() == path.read_bytes()
        )
        again = converted.prepare(path, "m", lambda line: None)
        assert again is not None
        assert sorted(p.name for p in home.iterdir()) == [".lock", again.folder.name]
    raise AssertionError("it never came through")


def _work(path: Path, home: Path, steps: int) -> None:
    left = steps

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in STEPS and arguments and str(arguments[0]).startswith(str(home)):
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(count)
    os._exit(0 if converted.prepare(path, "m", lambda line: None) else 1)
