"""``ponder runs``: what the journal holds, from the outside."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ponder.api import journal_path
from ponder.cli.tree import mermaid
from ponder.core.record.effects import Call, Steer
from ponder.runtime.journal import Journal
from tests.support.commands import QUESTION, ponder
from tests.support.killing import interrupted
from tests.support.seeded import configure, seeded_server


def solved(capsys: pytest.CaptureFixture[str]) -> str:
    _, out, _ = ponder(capsys, "solve", QUESTION, "-m", "simulated", "--json")
    run: str = json.loads(out)["run"]
    return run


def test_runs_are_listed_newest_first(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ponder(capsys, "runs", "list")
    assert (code, out) == (0, "")
    assert "no runs are recorded yet" in err
    older, newer = solved(capsys), solved(capsys)
    _, out, _ = ponder(capsys, "runs", "list", "--json")
    assert [row["run"] for row in json.loads(out)] == [newer, older]
    _, out, _ = ponder(capsys, "runs", "list", "--limit", "1")
    assert newer in out
    assert older not in out


def test_show_prints_question_samples_and_result(capsys: pytest.CaptureFixture[str]) -> None:
    run = solved(capsys)
    code, out, _ = ponder(capsys, "runs", "show", run)
    assert code == 0
    assert QUESTION in out
    assert "0.0.0" in out
    assert "stopped by done" in out
    _, out, _ = ponder(capsys, "runs", "show", run, "--json")
    shown = json.loads(out)
    assert shown["result"]["run"] == run
    assert shown["calls"][0]["effect"] == "generate"
    assert shown["calls"][0]["spent"]["calls"] == 1


@pytest.mark.parametrize("spec", [{"kind": "recording", "suite": "gsm8k", "model": "m"}, None])
def test_a_tree_is_shown_of_a_recording_and_of_what_another_version_wrote(
    spec: dict[str, str] | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.sqlite"
    journal = ["--journal", str(path)]
    knobs = ["--set", "expansions=1", "--set", "fan=2"]
    ponder(capsys, "solve", QUESTION, "-m", "simulated", "-s", "mcts", *knobs, "-q", *journal)
    book = Journal(path)
    [run] = book.runs()
    other = spec or {**run.spec, "version": "9.9.9"}
    book._execute("update runs set spec = ? where id = ?", (json.dumps(other), run.id))
    book.close()
    code, out, _ = ponder(capsys, "runs", "show", run.id, "--tree", *journal)
    assert code == 0
    assert out.splitlines()[0] == ("the suite gsm8k" if spec else QUESTION)
    assert out.count("├─ ") + out.count("└─ ") == 3


def test_a_removed_run_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    run = solved(capsys)
    assert ponder(capsys, "runs", "rm", run)[0] == 0
    code, _, err = ponder(capsys, "runs", "show", run)
    assert code == 2
    assert "no run with an ID that starts with" in err


def test_a_run_that_ended_is_not_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    run = solved(capsys)
    code, _, err = ponder(capsys, "runs", "resume", run)
    assert code == 2
    assert f"run {run} has ended: see it with 'ponder runs show {run}'." in err


def test_an_interrupted_run_is_resumed_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done, first = interrupted(tmp_path, "--json")
    run = json.loads(done.stdout)["run"]
    with seeded_server() as server:
        configure(tmp_path, server.url)
        journal = ["--journal", str(tmp_path / "runs.sqlite")]
        code, out, err = ponder(capsys, "runs", "resume", run[:-2], "--json", *journal)
        assert (code, out) == (2, "")  # of a journal that is named nobody knows who wrote it
        assert f"say 'ponder runs resume {run} {' '.join(journal)} --trust loop'." in err
        trusting = [*journal, "--trust", "loop"]
        code, out, _ = ponder(capsys, "runs", "resume", run[:-2], "--json", *trusting)
        assert code == 0
        assert sorted(server.seeds) == sorted(first.seeds[3:])
    result = json.loads(out)
    assert (result["run"], result["stopped_by"]) == (run, "done")
    assert sum(c["votes"] for c in result["candidates"]) == 8
    # what was cancelled stays on the receipt
    total = result["receipt"]["total"]
    assert (total["calls"], total["completion_tokens"]) == (13, 80)
    assert total["wasted_tokens"] == 5 * 1024


def test_a_run_of_another_version_is_not_resumed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done, _ = interrupted(tmp_path, "--json")
    run = json.loads(done.stdout)["run"]
    monkeypatch.setattr("ponder.planning.spec.__version__", "9.9.9")
    journal = ["--journal", str(tmp_path / "runs.sqlite")]
    code, _, err = ponder(capsys, "runs", "resume", run, *journal)
    assert code == 2
    assert "resume it with that version" in err


@pytest.mark.parametrize("command", ["frob", "run"])
def test_an_unknown_command_is_one_sentence(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ponder(capsys, command)
    assert (code, out) == (2, "")
    assert err.startswith(f"ponder: unknown command {command!r}: ")
    assert err.count("\n") == 1


def test_a_run_that_another_process_works_on_is_not_removed(tmp_path: Path) -> None:
    with seeded_server() as server:
        configure(tmp_path, server.url)
        server.hold = lambda count: True
        journal = ["--journal", str(tmp_path / "runs.sqlite")]
        with subprocess.Popen(
            [sys.executable, "-m", "ponder", "solve", QUESTION, "-m", "loop", *journal]
        ) as process:
            assert server.held.acquire(timeout=600)
            done = subprocess.run(
                [sys.executable, "-m", "ponder", "runs", "rm", "2", *journal],
                capture_output=True,
                text=True,
                timeout=600,
            )
            process.kill()
    assert done.returncode == 2
    assert f"process {process.pid} is working on run" in done.stderr


def test_a_journal_is_never_written_over_by_its_tree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "runs.html")
    ponder(capsys, "solve", QUESTION, "-m", "simulated", "-q", "--journal", path)
    said = ("--journal", path, "--export", path, "--force")
    code, _, err = ponder(capsys, "runs", "show", "2", *said)
    assert (code, f"{path} is what is read: give the output another name." in err) == (2, True)
    assert ponder(capsys, "runs", "list", "--journal", path)[0] == 0


@pytest.mark.parametrize("other", [["--tree"], ["--export", "tree.html"]])
def test_a_tree_is_not_json(other: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ponder(capsys, "runs", "show", solved(capsys), "--json", *other)
    assert (code, out) == (2, "")
    assert err == "ponder: --json goes with neither --tree nor --export: give it without them.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "--all"], "--all says nothing without --tree: give both, or leave it out."),
        (["show", "--force"], "--force says nothing without --export: give both, or leave it out."),
        (["resume", "--json", "-q"], "--json and --quiet exclude each other: give one of them."),
        (["resume", "--json", "--show-trace"], "--json and --show-trace exclude each other: "
         "give one of them."),
    ],
)  # fmt: skip
def test_no_option_is_ignored(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ponder(capsys, "runs", *arguments, solved(capsys)) == (2, "", f"ponder: {said}\n")


def test_who_resumes_a_run_that_waits_for_a_person_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    person = ["-s", "best_of_n", "--set", "n=2", "--verifier", "human(0.01, mean_logprob)"]
    said = ["solve", QUESTION, "-m", "simulated", "--json", *person]
    run = json.loads(ponder(capsys, *said)[1])["run"]
    told = "this run waits for a person: answer with 'ponder review'"
    code, _, err = ponder(capsys, "runs", "resume", run)
    assert (code, told in err) == (2, False)  # it has ended
    for more, heard in (([], True), (["--json"], False), (["-q"], False)):
        book = Journal(journal_path())
        book._execute("update runs set state = 'running', result = null", ())
        book.close()
        code, _, err = ponder(capsys, "runs", "resume", run, *more)
        assert (code, told in err) == (0, heard), err


def going_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *how: str
) -> tuple[str, list[str]]:
    """A run that looks as if it were still going on, and the option that names its journal."""
    journal = ["--journal", str(tmp_path / "runs.sqlite")]
    ponder(capsys, "solve", QUESTION, "-m", "simulated", *how, "-q", *journal)
    book = Journal(tmp_path / "runs.sqlite")
    [run] = book.runs()
    book._execute("update runs set state = 'running', result = null", ())
    book.close()
    return run.id, journal


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["prune", "nonsense"], "has no node 'nonsense'"),
        (["accept", "0.99.99"], "has no node '0.99.99'"),
        (["more", "5"], "more needs a node of a search over steps"),
        (["more", "many"], "more needs a whole number of branches"),
        (["hint"], "hint needs a text"),
        (["pause", "0.0.0"], "pause takes no '0.0.0'"),
    ],
)
def test_an_action_that_cannot_be_taken_is_refused_at_once(
    words: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, journal = going_on(tmp_path, capsys, "-s", "beam_search", "--set", "width=1")
    code, out, err = ponder(capsys, "runs", "steer", run, *words, *journal)
    assert (code, out) == (2, "")
    assert why in err


def test_what_was_done_to_a_run_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, journal = going_on(tmp_path, capsys, "-s", "direct")
    code, _, err = ponder(
        capsys, "runs", "steer", run, "hint", "be", "brief", "--by", "ann", *journal
    )
    assert (code, err) == (0, "accepted: the run takes it at its next step\n")
    book = Journal(tmp_path / "runs.sqlite")
    [(number, action)] = book.pending(run)
    effect = Steer(())
    book.note(run, 99, Call("s0", effect), effect, (action,), None)
    book.applied(number)
    book.close()
    _, out, _ = ponder(capsys, "runs", "show", run, *journal)
    assert "hint be brief (by ann)" in out


def test_a_paused_run_is_listed_as_paused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = ["--journal", str(tmp_path / "runs.sqlite")]
    gate, asked = threading.Event(), threading.Semaphore(0)

    def before(count: int) -> None:
        asked.release()
        assert gate.wait(600)

    def state() -> str:
        [row] = json.loads(ponder(capsys, "runs", "list", "--json", *book)[1])
        shown = ponder(capsys, "runs", "show", row["run"], *book)[1]
        assert re.search(r"^state +(.*)$", shown, re.M)[1] == row["state"]  # type: ignore[index]
        return str(row["state"])

    def steer(*words: str) -> str:
        code, _, err = ponder(capsys, "runs", "steer", "2", *words, *book)
        assert code == 0
        return err

    with seeded_server() as server:
        configure(tmp_path, server.url)
        server.before = before
        server.answer = lambda seed: str(seed)  # type: ignore[method-assign]  # two decide nothing
        how = ["-m", "loop", "-s", "self_consistency", "--set", "n=3", *book]
        with subprocess.Popen(
            [sys.executable, "-m", "ponder", "solve", QUESTION, "-q", *how]
        ) as process:
            assert asked.acquire(timeout=600)
            assert asked.acquire(timeout=600)
            steer("pause")
            assert state() == "running"  # the run has not come to its next step
            gate.set()
            assert steer("hint", "be brief", "--wait") == "applied\n"  # taken with the pause
            assert state() == "paused"
            gate.clear()
            assert steer("resume", "--wait") == "applied\n"
            assert asked.acquire(timeout=600)
            assert state() == "running"
            gate.set()
            assert process.wait(600) == 0
    assert state() == "done"
    assert len(server.seeds) == 3


def test_a_tree_is_printed_and_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = ("--journal", str(tmp_path / "runs.sqlite"))
    mcts = ("-m", "simulated", "-s", "mcts", "--set", "expansions=1", "-q", *book)
    assert ponder(capsys, "solve", QUESTION, *mcts)[0] == 0
    _, out, _ = ponder(capsys, "runs", "list", "--json", *book)
    [run] = [row["run"] for row in json.loads(out)]
    code, out, _ = ponder(capsys, "runs", "show", run, "--tree", *book)
    assert code == 0
    assert out.splitlines()[0] == QUESTION
    assert out.count("· the answer") == 1
    assert ponder(capsys, "runs", "show", run, "--tree", "--all", *book)[:2] == (0, out)
    assert (
        "--all says nothing without --tree"
        in ponder(capsys, "runs", "show", run, "--all", *book)[2]
    )
    for suffix, begins in ((".html", "<!doctype html>"), (".mmd", "flowchart TD")):
        target = tmp_path / f"tree{suffix}"
        said = ("runs", "show", run, "--export", str(target), *book)
        assert ponder(capsys, *said) == (0, "", f"wrote {target}\n")
        assert target.read_text().startswith(begins)
        target.write_text("mine")
        refused = f"ponder: {target} exists: choose another name, or say --force.\n"
        assert ponder(capsys, *said) == (2, "", refused)
        assert target.read_text() == "mine"
        assert ponder(capsys, *said, "--force")[0] == 0
        assert target.read_text().startswith(begins)
    for bad, why in (("tree.txt", "writes FILE.html or FILE.mmd"), ("no/t.mmd", "cannot write")):
        code, _, err = ponder(capsys, "runs", "show", run, "--export", str(tmp_path / bad), *book)
        assert code == 2
        assert why in err


def test_show_says_what_mermaid_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mermaid, "EDGES", 9)
    book = ("--journal", str(tmp_path / "runs.sqlite"))
    wide = ("-m", "simulated", "-s", "mcts", "--set", "expansions=3", "-q", *book)
    assert ponder(capsys, "solve", QUESTION, *wide)[0] == 0
    _, out, _ = ponder(capsys, "runs", "list", "--json", *book)
    run, target = json.loads(out)[0]["run"], tmp_path / "wide.mmd"
    _, _, err = ponder(capsys, "runs", "show", run, "--export", str(target), *book)
    assert "Mermaid draws no more than 50,000 characters and 9 edges, so " in err
    assert len(target.read_text().splitlines()) <= 9
