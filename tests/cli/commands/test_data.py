"""``ponder data`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ponder.cli import main
from ponder.experiments.suites.registry import SUITES, find
from tests.support.pools import lines

Ponder = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ponder(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ponder:
    monkeypatch.delenv("PONDER_DATA", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.main(["data", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return run


def test_list_says_what_is_here(ponder: Ponder, tmp_path: Path) -> None:
    lines(tmp_path / "test.jsonl", {})
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "test.jsonl").rename(tmp_path / "gsm8k/test.jsonl")
    code, out, _ = ponder("list", "--data", tmp_path, "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert rows.keys() == SUITES.keys()
    assert rows["gsm8k"]["here"]
    assert not rows["math500"]["here"]
    code, out, err = ponder("list")
    assert (code, out.count("absent")) == (0, len(SUITES))
    assert "set PONDER_DATA" in err
    code, _, err = ponder("list", "--data", tmp_path / "none")
    assert (code, err.count("\n")) == (2, 1)


def test_show_prints_the_prompt_and_the_gold_only_if_asked(ponder: Ponder, tmp_path: Path) -> None:
    path = lines(tmp_path / "x.jsonl", *({"question": f"{n}?", "answer": "xyz"} for n in range(5)))
    code, out, err = ponder("show", path)
    assert code == 0
    assert [f"{n}?" in out for n in range(5)] == [True] * 3 + [False] * 2
    assert "xyz" not in out
    assert "3 of 5 problems of x" in err
    assert "gold: xyz" in ponder("show", path, "--gold", "--limit", "1")[1]
    [shown] = json.loads(ponder("show", path, "--index", "4", "--json")[1])
    assert shown["problem_id"] == "x/4"
    assert shown["problem"]["messages"][0]["content"].startswith("4?")
    assert "gold" not in shown
    code, out, err = ponder("show", path, "--index", "5")
    assert (code, out) == (2, "")
    assert "expected an index from 0 to 4, not 5" in err
    code, _, err = ponder("show", "gsm9k")
    assert (code, err) == (2, "ponder: unknown suite 'gsm9k': did you mean 'gsm8k'?\n")


@pytest.mark.parametrize("name", ["gsm8k", "humaneval", "game24/paper", "bbh/navigate"])
def test_show_prints_a_real_suite(ponder: Ponder, data: Path, name: str) -> None:
    code, out, _ = ponder("show", name, "--data", data, "--limit", 1, "--gold")
    assert code == 0
    assert out.startswith(find(name).load(data)[0].problem_id)
