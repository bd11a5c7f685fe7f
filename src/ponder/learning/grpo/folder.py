"""The working folder of a run: its settings, the samples of each step, the weights under training.

=====================  =============================================================================
``run.json``           everything that must not change within the run
``steps/000000.jsonl`` the samples and rewards of a step, written before they are used
``checkpoint.pt``      trained weights, optimiser and figures, after some step
``sampler-*.gguf``     weights of the embedded engine
``card.json``          data, settings and results
=====================  =============================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError
from ponder.learning.claims import claimed
from ponder.learning.rows.exporting import write
from ponder.util.lock import exclusive


@dataclass(frozen=True, slots=True)
class Folder:
    """The working folder of a run."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The weights under training."""
        return self.path / "checkpoint.pt"

    def step(self, step: int) -> Path:
        """Return the file of a step's samples."""
        return self.path / "steps" / f"{step:06}.jsonl"

    @contextmanager
    def held(
        self, run: Mapping[str, Any], waiting: Callable[[], None] = lambda: None
    ) -> Iterator[bool]:
        """Hold the folder for a run; yields True if it is resumed.

        ``waiting`` is called if another process works in it.

        Raises:
            UsageError: it has another run, or something else.
            PonderError: it cannot be written.
        """
        with ExitStack() as lock:
            try:
                (self.path / "steps").mkdir(parents=True, exist_ok=True)
                lock.enter_context(exclusive(self.path / ".lock", waiting))
                for part in self.path.glob(".checkpoint.pt.*"):  # of a run that was killed
                    part.unlink()
                resumed = claimed(self.path / "run.json", run)
            except OSError as error:
                raise PonderError(
                    f"cannot write {self.path}: {error.strerror or error}; name another folder, or "
                    "free some space."
                ) from None
            yield resumed

    def save(self, content: bytes) -> None:
        """Write the weights under training, completely or not at all.

        Raises:
            PonderError: the disk refuses.
        """
        write({self.checkpoint: [content]})

    def saved(self) -> bytes | None:
        """Return the weights under training; None if there are none yet."""
        return self.checkpoint.read_bytes() if self.checkpoint.exists() else None

    def describe(self, card: Mapping[str, Any]) -> None:
        """Write the card.

        Raises:
            PonderError: the disk refuses.
        """
        write({self.path / "card.json": [json.dumps(card, indent=2).encode() + b"\n"]})
