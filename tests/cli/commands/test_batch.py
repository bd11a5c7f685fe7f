"""``ponder batch``: what it writes, what it refuses, and a process that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ponder, start
from tests.support.seeded import configure, seeded_server

Capture = pytest.CaptureFixture[str]
ROWS: list[dict[str, Any]] = [
    {"id": "b", "question": "How many is 6 * 7?", "answer": "GOLD"},
    {"id": "a", "messages": [{"role": "user", "content": "How many?"}], "answer_type": "number"},
    {"id": "c", "question": "Which is even?", "choices": ["A", "B"], "level": {"of": 3}},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, *map(json.dumps, ROWS))


def written(folder: Path, *lines: str) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def asked(file: Path, *more: str) -> list[str]:
    where = ["--journal", str(file.parent / "runs.sqlite")]
    return ["batch", str(file), "-m", "simulated", "--max-tokens", "6k", *where, *more]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_rows_in_their_order_with_all_their_fields(file: Path, capsys: Capture) -> None:
    output = file.with_name("answers.jsonl")
    code, out, err = ponder(capsys, *asked(file, "-o", str(output)))
    assert (code, out) == (0, "")
    assert "answered 3 of 3 questions" in err or "answered 2 of 3 questions" in err
    assert "tokens left; wrote" in err
    assert "completion tokens" in err
    found = read(output)
    assert [row["id"] for row in found] == ["b", "a", "c"]
    assert found[0]["given"] == {"answer": "GOLD"}
    assert found[2]["level"] == {"of": 3}
    made = {"answer", "confidence", "calibrated", "samples", "tokens", "usd", "stopped_by"}
    assert all(row.keys() >= made for row in found)
    assert sum(row["tokens"] for row in found) <= 6_000
    assert not list(file.parent.glob("*.part"))


def test_without_an_output_the_rows_are_printed(file: Path, capsys: Capture) -> None:
    code, out, err = ponder(capsys, *asked(file, "-q"))
    assert (code, err) == (0, "")
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["b", "a", "c"]


def test_json_sums_up_and_the_same_command_goes_on(file: Path, capsys: Capture) -> None:
    output = ["-o", str(file.with_name("answers.jsonl")), "--force", "--json"]
    small = [part.replace("6k", "2500") for part in asked(file, *output)]
    code, out, err = ponder(capsys, *small)
    first = json.loads(out)
    assert (code, err) == (0, "")
    assert (first["questions"], first["stopped_by"]) == (3, "tokens")
    assert first["left"] == {"tokens": 2500 - sum_of(first)}
    _, out, _ = ponder(capsys, *asked(file, *output))
    second = json.loads(out)
    assert second["run"] == first["run"]
    assert second["samples"] > first["samples"]
    code, out, _ = ponder(
        capsys, "runs", "list", "--json", "--journal", str(file.parent / "runs.sqlite")
    )
    [row] = json.loads(out)
    assert (row["strategy"], row["question"]) == ("batch", "3 questions")


def sum_of(told: dict[str, Any]) -> int:
    total = told["receipt"]["total"]
    return int(total["prompt_tokens"] + total["completion_tokens"] + total["wasted_tokens"])


def test_a_killed_process_goes_on_to_the_same_end(tmp_path: Path, capsys: Capture) -> None:
    rows = [json.dumps({"question": f"How many is {i} * 7?"}) for i in range(4)]
    file = written(tmp_path, *rows)
    output = tmp_path / "answers.jsonl"
    line = ["batch", str(file), "-o", str(output), "-m", "loop", "--set", "length=64",
            "--max-tokens", "900", "--at-once", "4", "--force"]  # fmt: skip
    with seeded_server() as server:
        configure(tmp_path, server.url)
        code, _, _ = ponder(capsys, *line, "--no-journal")
        whole, unbroken = server.seeds, read(output)
        assert code == 0
    with seeded_server() as server:
        configure(tmp_path, server.url)
        victim: Future[subprocess.Popen[str]] = Future()

        def kill(count: int) -> None:
            if count == 7:
                victim.result().kill()

        server.before = kill
        process = start(tmp_path, *line)
        victim.set_result(process)
        process.communicate(timeout=600)
        assert process.returncode == -signal.SIGKILL
    with seeded_server() as server:
        configure(tmp_path, server.url)
        code, _, err = ponder(capsys, *line, "--journal", str(tmp_path / "runs.sqlite"))
        again = server.seeds
    assert code == 0
    assert "going on with run" in err
    assert len(again) < len(whole) == len({*whole})
    assert {*again} <= {*whole}
    assert read(output) == unbroken


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "there is no question"),
        (["{"], "line 1: not JSON"),
        (['{"question": "a"}', "", "[]"], "line 3: expected an object"),
        (['{"prompt": "a"}'], "line 1: expected a field 'question'"),
        (['{"question": "a"}', '{"question": ""}'], "line 2: 'question' must be a text"),
        (['{"question": "a", "answer_type": "nmber"}'], "line 1: unknown answer type 'nmber'"),
    ],
)
def test_a_file_that_holds_no_questions(
    lines: list[str], reason: str, tmp_path: Path, capsys: Capture
) -> None:
    code, out, err = ponder(capsys, *asked(written(tmp_path, *lines)))
    assert (code, out) == (2, "")
    assert reason in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--json"], "say with -o"),
        (["--no-journal"], "exclude each other"),
        (["--force"], "--force says nothing without -o: give both, or leave it out."),
        (["--set", "stop=never"], "unknown knob 'stop'"),
        (["--set", "n"], "KNOB=VALUE"),
        (["--at-once", "0"], "at_once must be"),
        (["--type", "numbers"], "ponder: unknown answer type 'numbers'"),
        (["--max-usd", "-1"], "must be greater than zero"),
        (["-o", "no/such/folder/answers"], "there is no folder"),
    ],
)
def test_wrong_usage_is_told_in_one_sentence(
    more: list[str], reason: str, file: Path, capsys: Capture
) -> None:
    code, out, err = ponder(capsys, *asked(file, *more))
    assert (code, out) == (2, "")
    assert reason in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("size", ["k", "1.5", "0.0001k", "5kk", "five", "nan", "inf", "1e400"])
def test_a_budget_that_is_no_size(size: str, file: Path, capsys: Capture) -> None:
    code, _, err = ponder(capsys, "batch", str(file), "--max-tokens", size)
    assert code == 2
    assert "'--max-tokens': expected a whole number such as 20000, 500k or 1.5m" in err


@pytest.mark.parametrize("size", ["0", "-5k"])
def test_a_budget_of_nothing(size: str, file: Path, capsys: Capture) -> None:
    code, _, err = ponder(capsys, "batch", str(file), "--max-tokens", size)
    assert code == 2
    assert "the budget's tokens must be greater than zero" in err


def test_it_needs_a_budget_and_a_file_that_is_there(file: Path, capsys: Capture) -> None:
    code, _, err = ponder(capsys, "batch", str(file), "-m", "simulated")
    assert (code, "a batch needs a budget" in err) == (2, True)
    code, _, err = ponder(capsys, "batch", "nowhere.jsonl", "--max-tokens", "1m")
    assert (code, "cannot read nowhere.jsonl" in err) == (2, True)
    code, _, err = ponder(capsys, *asked(file, "-o", str(file), "--force"))
    assert (code, "is what is read" in err) == (2, True)


def test_nothing_answered_is_a_failure(file: Path, capsys: Capture) -> None:
    tiny = [part.replace("6k", "30") for part in asked(file)]
    code, out, err = ponder(capsys, *tiny)
    assert (code, out) == (1, "")
    assert "does not allow one sample" in err
