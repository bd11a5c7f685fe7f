"""The samples and rewards of each step, in a file of its own: written before they are used.

A line is one sample, appended as it arrives; the last line has the rewards. So a run that is killed
goes on with the samples that it has, and none is drawn twice. A last line that is not complete was
never used, and is removed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ponder.core.errors import PonderError, UsageError
from ponder.util.decoding import Malformed, decode, parse


@dataclass(frozen=True, slots=True)
class Sample:
    """A completion as it was drawn."""

    place: int
    """Its place within the step, from 0: the completions of the first problem come first."""
    text: str
    """The text that is scored, without the model's own thinking."""
    prompt: list[int]
    """Tokens of the prompt."""
    tokens: list[int]
    """Tokens of the completion; empty if they are not known, so that it teaches nothing."""
    logprobs: list[float]
    """Natural log-probability of each token under the weights that sampled it."""
    truncated: bool = False
    """True if it was ended by its length."""


@dataclass(slots=True)
class Record:
    """The samples of one step, and their rewards."""

    path: Path
    samples: dict[int, Sample] = field(default_factory=dict)
    """By place."""
    rewards: list[float | None] | None = None
    """By place; None while they are not known."""

    @classmethod
    def read(cls, path: Path) -> Record:
        """Return what the file holds; an empty record if there is none.

        Raises:
            UsageError: a line is damaged.
        """
        found = cls(path)
        if not path.exists():
            return found
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            found._take(line, number)
        return found

    def _take(self, line: bytes, number: int) -> None:
        try:
            row = decode(dict[str, Any], parse(line), "it")
            if "rewards" in row:
                self.rewards = decode(list[float | None], row["rewards"], "rewards")
            else:
                sample = decode(Sample, row, "it")
                self.samples[sample.place] = sample
        except Malformed as error:
            raise UsageError(
                f"{self.path}, line {number}: {error}; delete the file, and the step is sampled "
                "again."
            ) from None

    def add(self, sample: Sample) -> None:
        """Write a sample.

        Raises:
            PonderError: the disk refuses.
        """
        self._append(asdict(sample))
        self.samples[sample.place] = sample

    def close(self, rewards: Sequence[float | None]) -> None:
        """Write the rewards of all samples.

        Raises:
            PonderError: the disk refuses.
        """
        self._append({"rewards": list(rewards)})
        self.rewards = list(rewards)

    def _append(self, row: dict[str, Any]) -> None:
        try:
            with self.path.open("ab") as file:
                file.write(json.dumps(row).encode() + b"\n")
        except OSError as error:
            raise PonderError(
                f"cannot write {self.path}: {error.strerror or error}; free some space and give "
                "the command again: it goes on where it ended."
            ) from None
