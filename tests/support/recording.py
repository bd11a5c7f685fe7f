"""Short ways to a recorded pool through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import evaluation

PROBLEMS, N = 4, 4


def suite(folder: Path) -> str:
    return evaluation.suite(folder, PROBLEMS)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
