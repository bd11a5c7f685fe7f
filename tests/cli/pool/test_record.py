"""``ponder pool record`` and ``ponder pool grade`` from the outside."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ponder.experiments.pools.recording import journal_of
from ponder.runtime.journal import Journal
from tests.support.commands import ponder, start
from tests.support.killing import kill_at
from tests.support.recording import PROBLEMS, N, lines, suite
from tests.support.seeded import configure, seeded_server


def record(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> tuple[int, str, str]:
    usual = {"--suite": suite(folder), "-m": "simulated", "-o": str(folder / "pool.jsonl")}
    arguments = [word for option in usual.items() if option[0] not in more for word in option]
    return ponder(capsys, "pool", "record", *arguments, *more)


def test_a_recording_is_graded_and_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = record(capsys, tmp_path, "--n", "4")
    assert (code, out) == (0, "")
    assert "sampling: 16/16" in err
    assert "wrote" in err
    header, *problems = lines(tmp_path / "pool.jsonl")
    assert header["model"] == "simulated"
    assert [len(p["samples"]) for p in problems] == [4] * PROBLEMS
    for problem in problems:
        for sample in problem["samples"]:
            assert sample["correct"] is (sample["answer"] == "42")
    twice = ("--by", "majority,majority")
    code, out, err = ponder(capsys, "pool", "score", str(tmp_path / "pool.jsonl"), *twice)
    assert (code, out) == (2, "")
    assert err == "ponder: --by names majority twice: name each aggregator once.\n"
    code, out, err = ponder(capsys, "pool", "score", str(tmp_path / "pool.jsonl"), "--json")
    assert code == 0, err
    assert json.loads(out)["samples_per_problem"] == 4


def test_a_pool_is_not_overwritten_unless_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(capsys, tmp_path, "--n", "1", "-q")
    code, _, err = record(capsys, tmp_path, "--n", "2")
    assert code == 2
    assert "pool.jsonl exists: choose another name, or say --force" in err
    code, _, err = record(capsys, tmp_path, "--n", "2", "--force", "--quiet")
    assert (code, err) == (0, "")
    assert len(lines(tmp_path / "pool.jsonl")[1]["samples"]) == 2


def test_the_file_of_a_suite_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named, file = suite(tmp_path), str(tmp_path / "sums.jsonl")
    before = Path(file).read_text()
    assert record(capsys, tmp_path, "--n", "1", "-q")[0] == 0
    again = str(tmp_path / "pool.jsonl")
    for said in (
        ("record", "--suite", named, "-m", "simulated"),
        ("grade", again, "--suite", named),
        ("verify", again, "--suite", named, "--verifier", "schema"),
    ):
        code, _, err = ponder(capsys, "pool", *said, "-o", file, "--force")
        assert (code, f"{file} is what is read: give the output another name." in err) == (2, True)
    assert Path(file).read_text() == before


def test_limit_and_every_choose_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(capsys, tmp_path, "--n", "1", "--every", "2", "--limit", "2")
    _, *problems = lines(tmp_path / "pool.jsonl")
    assert [p["problem_id"] for p in problems] == ["sums/0", "sums/2"]


BAD = {
    "--set lenght=3": "unknown knob 'lenght': did you mean 'length'?",
    "--set length=0": "knob 'length' must be between 1 and",
    "--n 0": "0 is not in the range 1<=x<=4096",
    "--n 100000000": "not in the range 1<=x<=4096",
    "-o . --force": ". is a folder: give the name of a file.",
    "-o no/where/p.jsonl": "there is no folder no/where",
    "--max-tokens 0": "must be greater than zero",
    "-m nomodel": "unknown model 'nomodel'",
    "--suite gsm9k": "unknown suite 'gsm9k': did you mean 'gsm8k'?",
    "--suite gsm8k --data nowhere": "there is no data folder nowhere",
    "--suite sums.jsonl(question=x,answer=a)": "unknown column 'x'",
    "--max-seconds x": "'x' is not a valid float",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_one_sentence(
    arguments: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = record(capsys, tmp_path, *arguments.split())
    assert (code, out) == (2, "")
    assert BAD[arguments] in err
    assert err.count("\n") == 1
    assert not (tmp_path / "pool.jsonl").exists()


def test_a_budget_that_ends_it_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = record(capsys, tmp_path, "--n", "8", "--max-tokens", "4000")
    assert code == 1
    assert "the budget of tokens ended it; the same command with --force and a larger one" in err
    held = sum(len(p["samples"]) for p in lines(tmp_path / "pool.jsonl")[1:])
    assert 0 < held < 8 * PROBLEMS
    code, _, err = record(capsys, tmp_path, "--n", "8", "--force")
    assert code == 0
    assert sum(len(p["samples"]) for p in lines(tmp_path / "pool.jsonl")[1:]) == 8 * PROBLEMS


def test_an_endpoint_that_is_not_there_fails_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1", retries=0)
    code, out, err = record(capsys, tmp_path, "-m", "loop", "--n", "1")
    assert (code, out) == (1, "")
    assert "the same command goes on from there" in err
    assert "no sample came back" in err
    assert "Traceback" not in err
    assert not (tmp_path / "pool.jsonl").exists()


def test_dollars_are_on_the_pool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with seeded_server() as server:
        with configure(tmp_path, server.url).open("a") as settings:
            settings.write("\nprice = { input = 1.0, output = 2.0 }\n")
        code, _, err = record(capsys, tmp_path, "-m", "loop", "--n", "2")
    assert code == 0, err
    header, first, *_ = lines(tmp_path / "pool.jsonl")
    assert [s["usd"] for s in first["samples"]] == [40e-6] * 2  # 20 prompt tokens and 10 more
    assert header["receipt"]["usd"] == pytest.approx(320e-6)
    assert "$0.0003" in err
    _, out, _ = ponder(capsys, "pool", "score", str(tmp_path / "pool.jsonl"), "--json", "--n", "2")
    assert [row["usd"] for row in json.loads(out)["rows"]] == [pytest.approx(80e-6)] * 3


# kill -9 ------------------------------------------------------------------------------------------


def recording(folder: Path) -> list[str]:
    pool = str(folder / "pool.jsonl")
    return ["pool", "record", "--suite", suite(folder), "-m", "loop", "--n", str(N), "-o", pool]


def launch(folder: Path) -> subprocess.Popen[str]:
    return start(folder, *recording(folder), journal=False)


def without_clock(path: Path) -> list[dict[str, Any]]:
    header, *problems = lines(path)
    del header["receipt"]["seconds"]
    for problem in problems:
        for sample in problem["samples"]:
            del sample["seconds"]
    return [header, *problems]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("whole")
    with seeded_server() as server:
        configure(folder, server.url, concurrency=4)
        process = launch(folder)
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        assert len(server.seeds) == len(set(server.seeds)) == PROBLEMS * N
    return without_clock(folder / "pool.jsonl")


@pytest.mark.parametrize("attempt", range(10))
def test_a_recording_killed_at_a_random_moment_goes_on(
    attempt: int,
    tmp_path: Path,
    uninterrupted: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = random.Random(attempt)
    moment, early = rng.randint(1, PROBLEMS * N), rng.random() < 0.5
    with seeded_server() as server:
        configure(tmp_path, server.url, concurrency=4)
        process: list[subprocess.Popen[str]] = []
        kill_at(server, moment, early, process)
        process.append(launch(tmp_path))
        process[0].communicate(timeout=600)
        killed = process[0].returncode == -signal.SIGKILL
        assert killed or moment == PROBLEMS * N  # the last reply came before the signal
        assert killed != (tmp_path / "pool.jsonl").exists()
    paid = recorded(tmp_path)
    with seeded_server() as server:  # another one: the first may still read what it was sent
        configure(tmp_path, server.url, concurrency=4)
        if killed:
            code, _, err = ponder(capsys, *recording(tmp_path))
            assert code == 0, err
        asked_again = server.seeds
    assert not paid & set(asked_again)
    assert len(paid) + len(asked_again) == PROBLEMS * N
    assert without_clock(tmp_path / "pool.jsonl") == uninterrupted


def recorded(folder: Path) -> set[int]:
    journal = Journal(journal_of(folder / "pool.jsonl"))
    rows = [row for run in journal.runs() for row in journal.calls(run.id)]
    journal.close()
    return {row.effect["seed"] for row in rows if row.lost is None}


# grade --------------------------------------------------------------------------------------------


def test_grading_reads_the_texts_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = [
        {"answer": "7", "correct": False, "tokens": 3, "key": "q:7", "text": "It is \\boxed{8}."},
        {"answer": None, "tokens": 3, "text": "no idea"},
        {"answer": "8", "tokens": 3},
        {"answer": None, "tokens": 9, "cut": True, "text": "so far 8 and"},
    ]
    line = {"problem_id": "p", "gold": "8", "answer_type": "number", "samples": samples}
    path, output = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    path.write_text(json.dumps({"pool": 1, "model": "m"}) + "\n" + json.dumps(line) + "\n")
    code, out, err = ponder(capsys, "pool", "grade", str(path), "-o", str(output))
    assert (code, out) == (0, ""), err
    header, problem = lines(output)
    assert header == {"pool": 1, "model": "m"}
    graded = [(s["answer"], s["correct"], s.get("key")) for s in problem["samples"]]
    assert graded == [("8", True, "q:8"), (None, False, None), ("8", True, None),
                      (None, False, None)]  # fmt: skip


def test_samples_without_a_text_keep_their_grades(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [{"answer": "3 + 5", "correct": True, "tokens": 3}, {"answer": "8", "tokens": 3}]
    line = {"problem_id": "p", "gold": "8", "answer_type": "text", "samples": samples}
    path, output = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    path.write_text(json.dumps(line) + "\n")
    code, _, err = ponder(capsys, "pool", "grade", str(path), "-o", str(output))
    assert code == 0
    assert "1 samples have no text, and keep their grades" in err
    assert [s["correct"] for s in lines(output)[-1]["samples"]] == [True, True]


def test_grading_takes_the_references_of_a_suite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(capsys, tmp_path, "--n", "2", "-q")
    header, *problems = lines(tmp_path / "pool.jsonl")
    bare = [{**p, "gold": None} for p in problems]
    path = tmp_path / "bare.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [header, *bare]))
    grade = ("pool", "grade", str(path), "-o", str(tmp_path / "again.jsonl"))
    code, _, err = ponder(capsys, *grade)
    assert code == 2
    assert "problem 'sums/0' has no reference in the pool: name its suite with --suite" in err
    code, _, err = ponder(capsys, *grade, "--suite", suite(tmp_path), "--quiet")
    assert (code, err) == (0, "")
    again = [[s["correct"] for s in p["samples"]] for p in lines(tmp_path / "again.jsonl")[1:]]
    assert again == [[s["correct"] for s in p["samples"]] for p in problems]


def test_grading_refuses_the_wrong_suite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(capsys, tmp_path, "--n", "1", "-q")
    other = tmp_path / "other.jsonl"
    other.write_text('{"question": "?", "answer": "1"}\n')
    code, _, err = ponder(
        capsys, "pool", "grade", str(tmp_path / "pool.jsonl"), "-o", str(tmp_path / "x.jsonl"),
        "--suite", str(other),
    )  # fmt: skip
    assert code == 2
    assert "has no problem 'sums/0', which the pool has" in err
