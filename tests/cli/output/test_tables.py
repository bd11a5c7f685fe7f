"""Tables: whatever the terminal's width, nothing is lost."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ponder.cli.output.tables import table
from tests.support.commands import ponder

ROWS = [
    {"run": "20261122-075206", "model": "a-model-of-a-long-name", "n": "1", "question": "[b] Why?"},
    {"run": "20261122-075207", "model": "b", "n": "200", "question": "How many " * 6},
]


def drawn(width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(table(ROWS, right=("n",), whole=("run",)))
    return out.getvalue().splitlines()


def letters(text: str) -> list[str]:
    return sorted("".join(text.split()))


@pytest.mark.parametrize("width", [45, 60, 79, 200])
def test_what_is_too_wide_is_folded(width: int) -> None:
    lines = drawn(width)
    assert max(map(len, lines)) <= width
    said = "".join([*ROWS[0], *(cell for row in ROWS for cell in row.values())])
    assert letters("".join(lines)) == letters(said)
    assert [line.split()[0] for line in lines if line.startswith("2026")] == [
        row["run"] for row in ROWS
    ]


def test_numbers_are_set_to_the_right() -> None:
    head, first, second = drawn(200)
    assert head.index(" n ") + 1 == first.index(" 1 ") + 1 == second.index("200") + 2


def test_models_have_their_whole_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    code, out, _ = ponder(capsys, "models", "list")
    assert code == 0
    assert "…" not in out
