"""What every command says of an endpoint that charges more than it was allowed to: exit code 1."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ponder as package
from tests.support.commands import QUESTION, ponder
from tests.support.recording import lines, suite
from tests.support.seeded import Seeded, configure, seeded_server

Capture = pytest.CaptureFixture[str]
SAYS = "loop charged 40,000 completion tokens where"


def overcharging(server: Seeded, after: int = 0) -> None:
    """From the reply after so many on, each is charged at 40,000 tokens."""

    def reply(asked: dict[str, Any]) -> bytes:
        value = json.loads(Seeded.reply(server, asked))
        honest = min(10, asked["max_tokens"])
        charged = honest if len(server.seeds) <= after else 40_000
        value["usage"]["completion_tokens"] = charged
        return json.dumps(value).encode()

    server.reply = reply  # type: ignore[method-assign]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Seeded]:
    with seeded_server() as server:
        overcharging(server)
        configure(tmp_path, server.url, concurrency=1)
        yield server


def test_solve_shows_the_answer_and_fails(server: Seeded, capsys: Capture) -> None:
    code, out, err = ponder(capsys, "solve", QUESTION, "-m", "loop", "-s", "direct")
    assert code == 1
    assert out.startswith("4")
    assert "stopped, since more was charged than allowed: the best so far" in out
    assert SAYS in " ".join(out.split())
    assert "Traceback" not in out + err


def test_solve_quiet_says_so_on_the_side(server: Seeded, capsys: Capture) -> None:
    code, out, err = ponder(capsys, "solve", QUESTION, "-m", "loop", "-s", "direct", "-q")
    assert code == 1
    assert out.strip().isdigit()
    assert err.startswith(f"ponder: {SAYS}")


def test_solve_json_says_so(server: Seeded, capsys: Capture) -> None:
    code, out, _ = ponder(capsys, "solve", QUESTION, "-m", "loop", "-s", "direct", "--json")
    assert code == 1
    result = json.loads(out)
    assert result["answer"] is not None
    assert result["stopped_by"] == "overcharged"
    assert result["receipt"]["overcharged"].startswith(SAYS)
    assert result["receipt"]["total"]["completion_tokens"] == 40_000


def test_a_vote_stops_where_it_happens(server: Seeded, capsys: Capture) -> None:
    overcharging(server, after=2)
    arguments = ["solve", QUESTION, "-m", "loop", "--set", "n=16", "--set", "stop=never", "--json"]
    code, out, _ = ponder(capsys, *arguments, "--max-tokens", "4000")
    result = json.loads(out)
    assert (code, result["stopped_by"]) == (1, "overcharged")
    assert 3 <= len(server.seeds) < 16
    assert result["answer"] is not None


def test_the_run_can_be_seen_and_has_ended(server: Seeded, capsys: Capture) -> None:
    _, out, _ = ponder(capsys, "solve", QUESTION, "-m", "loop", "-s", "direct", "--json")
    name = json.loads(out)["run"]
    code, out, _ = ponder(capsys, "runs", "show", name)
    assert code == 0
    assert "stopped by overcharged" in out
    code, out, err = ponder(capsys, "runs", "resume", name)
    assert code == 2
    assert "has ended" in err
    assert len(server.seeds) == 1


def test_a_run_that_was_killed_then_says_so_when_it_is_taken_up(
    server: Seeded, capsys: Capture, tmp_path: Path
) -> None:
    journal = tmp_path / "runs.sqlite"
    arguments = ["solve", QUESTION, "-m", "loop", "-s", "direct", "--journal", str(journal)]
    _, out, _ = ponder(capsys, *arguments, "--json")
    name = json.loads(out)["run"]
    database = sqlite3.connect(journal)
    database.execute("update runs set state = 'interrupted', result = null")
    database.commit()
    database.close()
    code, out, _ = ponder(
        capsys, "runs", "resume", name, "--journal", str(journal), "--trust", "loop", "--json"
    )
    assert code == 1
    assert json.loads(out)["stopped_by"] == "overcharged"
    assert len(server.seeds) == 1


def test_a_recording_stops_and_goes_on_when_told_to(
    server: Seeded, capsys: Capture, tmp_path: Path
) -> None:
    pool = tmp_path / "pool.jsonl"
    arguments = ["pool", "record", "--suite", suite(tmp_path), "-m", "loop", "--n", "4"]
    overcharging(server, after=2)
    code, _, err = ponder(capsys, *arguments, "-o", str(pool), "--max-tokens", "9000")
    assert code == 1
    assert SAYS in err
    header, *problems = lines(pool)
    assert header["stopped_by"] == "overcharged"
    kept = sum(len(problem["samples"]) for problem in problems)
    assert 3 <= kept < 16
    overcharging(server, after=10**6)
    again = [*arguments, "-o", str(pool), "--force", "--max-tokens", "900000"]
    code, _, err = ponder(capsys, *again)
    assert code == 0, err
    assert sum(len(problem["samples"]) for problem in lines(pool)[1:]) == 16


def test_the_last_sample_of_a_recording_says_so_too(
    server: Seeded, capsys: Capture, tmp_path: Path
) -> None:
    overcharging(server, after=15)
    pool = tmp_path / "pool.jsonl"
    arguments = ["pool", "record", "--suite", suite(tmp_path), "-m", "loop", "--n", "4"]
    code, _, err = ponder(capsys, *arguments, "-o", str(pool))
    assert code == 1
    assert SAYS in err
    assert len(server.seeds) == 16
    assert lines(pool)[0]["stopped_by"] == "overcharged"


def test_an_evaluation_begins_no_other_run(server: Seeded, capsys: Capture, tmp_path: Path) -> None:
    arguments = ["eval", "--suite", suite(tmp_path), "-m", "loop", "-s", "direct"]
    store = str(tmp_path / "store.sqlite")
    code, out, err = ponder(capsys, *arguments, "--store", store)
    assert code == 1
    assert "loop charged more than a run allowed" in err
    assert "Traceback" not in out + err


def candidates(folder: Path, count: int) -> list[str]:
    problem, texts = folder / "problem.json", folder / "candidates.jsonl"
    problem.write_text(json.dumps({"question": QUESTION}))
    texts.write_text("".join(json.dumps({"text": f"It is {i}."}) + "\n" for i in range(count)))
    return ["score", str(problem), str(texts), "--verifier", "judge", "-m", "loop"]


def test_scores_that_were_paid_for_are_shown(
    server: Seeded, capsys: Capture, tmp_path: Path
) -> None:
    overcharging(server, after=1)  # the first reply is no verdict, and the one sample is
    arguments = [one.replace("judge", "judge(k=1)") for one in candidates(tmp_path, 1)]
    code, out, err = ponder(capsys, *arguments, "--json")
    assert (code, err) == (1, "")
    scored = json.loads(out)
    assert len(scored["scores"]) == 1
    assert scored["receipt"]["overcharged"].startswith(SAYS)
    overcharging(server, after=3)
    code, out, _ = ponder(capsys, *arguments)
    assert code == 1
    assert SAYS in " ".join(out.split())


def test_scoring_that_comes_to_nothing_says_why(
    server: Seeded, capsys: Capture, tmp_path: Path
) -> None:
    code, out, err = ponder(capsys, *candidates(tmp_path, 5), "--json")
    assert (code, out) == (1, "")
    assert SAYS in err
    assert "give a larger one" not in err


def test_verifying_a_pool_says_so(server: Seeded, capsys: Capture, tmp_path: Path) -> None:
    pool = tmp_path / "pool.jsonl"
    recording = ["pool", "record", "--suite", suite(tmp_path), "-m", "simulated", "--n", "2"]
    assert ponder(capsys, *recording, "-o", str(pool), "-q")[0] == 0
    out = tmp_path / "out.jsonl"
    arguments = ["pool", "verify", str(pool), "--suite", suite(tmp_path), "--verifier", "judge"]
    code, _, err = ponder(capsys, *arguments, "-m", "loop", "-o", str(out))
    assert code == 1
    assert SAYS in err
    assert "Traceback" not in err


def test_the_python_result_says_so(server: Seeded) -> None:
    result = package.solve(QUESTION, model="loop", strategy="direct", journal=False)
    assert result.answer is not None
    assert result.stopped_by == "overcharged"
    assert result.receipt.overcharged.startswith(SAYS)
