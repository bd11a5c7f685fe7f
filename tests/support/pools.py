"""Short ways to a pool: in memory, on disk, and through the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ponder.cli import main
from ponder.experiments.pools.samples import Entry, Sample


def sample(answer: str | None, correct: bool | None = False, **more: Any) -> Sample:
    return Sample(answer, correct, more.pop("scores", {}), more.pop("tokens", 10), **more)


def entry(name: str, *samples: Sample, kind: Any = "text", gold: Any = "a") -> Entry:
    return Entry(name, gold, kind, samples)


def spelt(name: str, answers: Sequence[str | None], scores: Sequence[float] = ()) -> Entry:
    """A problem whose gold is ``a``, with such answers and scores."""
    given = [{"s": score} for score in scores] or [{}] * len(answers)
    return entry(
        name, *(sample(a, a == "a", scores=s) for a, s in zip(answers, given, strict=True))
    )


def lines(path: Path, *values: Any) -> Path:
    """A file with one JSON value (or raw text) per line."""
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def line(name: str, *answers: str | None, **more: Any) -> dict[str, Any]:
    samples = [{"answer": a, "correct": a == "a", "tokens": 10} for a in answers]
    return {"problem_id": name, "gold": "a", "answer_type": "text", "samples": samples, **more}


class Command:
    """``ponder pool``, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """(exit code, stdout, stderr)."""
        with pytest.raises(SystemExit) as ended:
            main.main(["pool", *map(str, arguments)])
        out, err = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    def json(self, *arguments: object) -> dict[str, Any]:
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    def refusal(self, *arguments: object) -> str:
        code, out, err = self(*arguments)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1, err
        return err
