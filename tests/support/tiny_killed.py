"""Trainings of the tiny model in processes of their own, one of them killed: a process that has
imported PyTorch and computed nothing with it yet forks for each, so that they start at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import torch

from ponder.learning.sft.training import Training
from tests.support import tiny


def trained(folder: Path, tell: Callable[[int, int, int, float], None]) -> str:
    """The hash of the weights at the end."""
    torch.set_num_threads(1)
    model = tiny.model()
    Training(model, tiny.examples(), tiny.SETTINGS, folder, tell=tell, pause=0).run()
    held = sha256()
    for name, value in sorted(model.state_dict().items()):
        held.update(name.encode() + value.numpy().tobytes())
    return held.hexdigest()


def forked(folder: Path, kill_at: int = 0) -> tuple[int, list[int], str]:
    """The signal that ended a training, the steps that it told of, and the hash of its weights."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        with os.fdopen(writing, "w", buffering=1) as lines:

            def tell(done: int, of: int, resumed: int, loss: float) -> None:
                lines.write(f"{done}\n")

            lines.write(trained(folder, tell) + "\n")
        os._exit(0)
    os.close(writing)
    steps: list[int] = []
    found = ""
    with os.fdopen(reading) as lines:
        for line in lines:
            if len(line) > 60:
                found = line.strip()
                continue
            steps.append(int(line))
            if kill_at and steps[-1] == kill_at:
                os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status), steps, found


def main(folder: Path) -> None:
    for name in ("whole", "killed"):
        (folder / name).mkdir()
    found = {
        "whole": forked(folder / "whole"),
        "killed": forked(folder / "killed", kill_at=3),
        "resumed": forked(folder / "killed"),
    }
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
