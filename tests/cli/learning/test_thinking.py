"""``ponder learn thinking``, and ``learn export --format thinking``, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import ponder
from tests.support.lessons import rows

Capture = pytest.CaptureFixture[str]
SUITE = "countdown/train(seed=7, n=4)"


def test_what_was_written_is_told(tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "d.jsonl"
    how = ("learn", "thinking", SUITE, "-o", str(output), "--levels", "medium,off")
    code, out, err = ponder(capsys, *how)
    assert (code, out, len(rows(output))) == (0, "", 8)
    first, off, medium = err.splitlines()
    assert first == f"wrote {output}: 8 rows, of 4 of 4 problems"
    assert off == "off: 4 rows, tokens of thinking: 0 to 0, median 0"
    assert medium.startswith("medium: 4 rows, tokens of thinking: ")
    code, out, err = ponder(capsys, *how, "--force", "--json", "--limit", "1")
    told = json.loads(out)
    assert (code, err, told["rows"], list(told["levels"])) == (0, "", 2, ["off", "medium"])
    assert ponder(capsys, *how, "--force", "-q") == (0, "", "")
    assert {len(row["prompt"]) for row in rows(output)} == {9}
    assert ponder(capsys, *how, "--force", "-q", "--without-examples") == (0, "", "")
    assert {len(row["prompt"]) for row in rows(output)} == {1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["countdown"], "models are measured on countdown"),
        ([SUITE, "--levels", "often"], "unknown level of thinking to teach 'often'"),
        ([SUITE, "--levels", ""], "expected one or more of off, low, medium, high"),
        (["nothing"], "unknown suite 'nothing'"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "d.jsonl"
    code, out, err = ponder(capsys, "learn", "thinking", *arguments, "-o", str(output))
    assert (code, out) == (2, "")
    assert said in err
    assert not output.exists()
