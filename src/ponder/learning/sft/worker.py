"""The child process that trains: a job as a line of JSON on its input, progress on its output.

It ends when its input does, so that none is left behind by a parent that was killed. Its lines are
objects with one key: ``step`` and ``of``, ``done``, ``usage`` or ``failed`` (a sentence).
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError, UsageError
from ponder.learning.rows.questions import held_out
from ponder.learning.sft.data import Row, Source, encode, read
from ponder.learning.sft.settings import Settings
from ponder.util.errors import brief
from ponder.util.lock import exclusive


@dataclass(frozen=True, slots=True)
class Job:
    """A training."""

    base: str
    """The GGUF file of the model to train."""
    metadata: str
    """The GGUF file whose metadata the output takes over."""
    data: tuple[str, ...]
    """Files of rows."""
    folder: str
    """The folder of checkpoints and losses."""
    output: str
    """The GGUF file to write."""
    settings: Settings
    holdout: float = 0.0
    """Share of problems whose rows are not learned."""

    def to_json(self) -> dict[str, Any]:
        """Return the job as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Job:
        """Return the job that ``to_json`` wrote."""
        data, settings = tuple(value["data"]), Settings(**value["settings"])
        return cls(**value | {"data": data, "settings": settings})


def train(job: Job, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Train, merge and write the model; returns the part of the card that is known here.

    Raises:
        UsageError: a file is not as it must be, or no row is left.
        PonderError: the training or the disk failed.
    """
    rows: list[Row] = []
    sources: list[Source] = []
    for path in job.data:
        some, source = read(Path(path))
        rows += some
        sources.append(source)

    from ponder.learning.sft.training import Training
    from ponder.learning.weights.loading import load
    from ponder.learning.weights.saving import save

    base = load(Path(job.base))
    lessons = [row for row in rows if not held_out(row.side, job.holdout)]
    kept, too_long = encode(lessons, base.tokenizer, job.settings.longest)
    held, _ = encode(
        [row for row in rows if held_out(row.side, job.holdout)],
        base.tokenizer,
        job.settings.longest,
    )
    if not kept:
        raise UsageError(
            f"no row is left to learn from: {too_long:,} have more than {job.settings.longest:,} "
            f"tokens, and {len(rows) - len(lessons):,} are held out."
        )

    def made(done: int, of: int, resumed: int, loss: float) -> None:
        tell({"step": done, "of": of, "resumed": resumed, "loss": loss})

    trained = Training(base.model, kept, job.settings, Path(job.folder), held, made).run()
    save(base.model, Path(job.metadata), Path(job.output))
    return {
        "data": [asdict(source) for source in sources],
        "thinking": sorted({row.thinking for row in lessons} - {""}),
        "rows": {"learned": len(kept), "too_long": too_long, "held_out": len(held)},
        **trained.to_json(),
    }


def serve() -> None:
    """Run the child."""
    # Libraries print; the parent reads lines of JSON alone.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def tell(value: dict[str, Any]) -> None:
        lines.write(json.dumps(value) + "\n")

    job = Job.from_json(json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with exclusive(Path(job.folder) / "lock"):  # a killed parent's child may not have ended yet
            tell({"done": train(job, tell)})
    except UsageError as error:
        tell({"usage": str(error)})
    except PonderError as error:
        tell({"failed": str(error)})
    except OSError as error:
        why = error.strerror or str(error)
        tell(
            {"failed": f"cannot write in {job.folder}: {why}; the same command goes on from there."}
        )
    except Exception as error:  # a library's: whoever asked gets one sentence
        tell({"failed": f"the training failed: {brief(error)}"})


def _end_with_parent() -> None:
    os.read(0, 1)  # past the buffer of sys.stdin, whose lock would be held at the end
    os._exit(1)
