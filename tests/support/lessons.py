"""Short ways to chains, pools and journals to learn from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ponder.core.problem import Message, Problem
from ponder.learning.rows.chains import Chain, Origin
from ponder.learning.rows.exporting import Export, Format, Summary, export
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.sources import Reader
from tests.support.pools import lines

SUM = "What is six times seven?"
HEADER = {"pool": 1, "model": "m", "seed": 3}


def asks(question: str, **more: Any) -> Problem:
    return Problem((Message("user", question),), "number", **more)


def chain(turn: str, score: float | None = 1.0, **more: Any) -> Chain:
    """A chain with a score of ``v``; its tokens are its words."""
    scores = {} if score is None else {"v": score}
    origin = Origin("f", "", more.pop("sample", "0"), "m", "", 0)
    whole = more.pop("whole", True)
    return Chain(turn, "42", "q:42", whole, len(turn.split()), scores, origin, **more)


def sample(text: str | None, score: float | None = 1.0, **more: Any) -> dict[str, Any]:
    scores = {} if score is None else {"score": {"v": score}}
    known = {"answer": "42", "tokens": len((text or "").split()), **scores}
    return {**known, **({} if text is None else {"text": text}), **more}


def asked(question: str, *samples: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A line of a pool that says itself what was asked."""
    known = {"problem_id": f"p/{question}", "answer_type": "number", "gold": "GOLD"}
    return {**known, "question": question, "samples": list(samples), **more}


def pool(path: Path, *entries: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    return str(lines(path, header or HEADER, *entries))


def exported(
    folder: Path,
    sources: Sequence[str],
    kind: Format = "sft",
    *,
    verifier: str = "v",
    data: Path | None = None,
    **how: Any,
) -> tuple[Summary, list[dict[str, Any]]]:
    """The summary and the rows of an export."""
    chosen = {k: how.pop(k) for k in [*how] if k in Choice.__dataclass_fields__}
    reader = Reader(folder / "runs.sqlite", folder=data, skip_broken=how.pop("skip", False))
    output = folder / "data.jsonl"
    wanted = Export(sources, Choice(verifier, **chosen), kind, **how)
    return export(wanted, output, reader), rows(output)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
