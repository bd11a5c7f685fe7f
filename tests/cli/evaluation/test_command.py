"""``ponder eval`` from the outside: what it prints, and how it refuses."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ponder.cli.evaluation import command
from ponder.core.errors import UsageError
from ponder.experiments.suites.grading import confined
from tests.support.commands import ponder, start
from tests.support.evaluation import PROBLEMS, Capture, as_json, evaluate, recorded, rows, suite
from tests.support.seeded import configure, seeded_server


def test_a_grid_is_evaluated_graded_and_compared(tmp_path: Path, capsys: Capture) -> None:
    code, out, err = evaluate(capsys, tmp_path, "--grid", "n=1,5")
    assert code == 0, err
    assert "evaluating: 24/24" in err
    assert "grading: " in err
    head, first, second, difference = rows(out)
    assert head == ["id", "name", "problems", "accuracy", "95 % interval", "tokens", "flops",
                    "seconds"]  # fmt: skip
    assert first[1:3] == ["self_consistency n=1", str(PROBLEMS)]
    assert second[1:3] == ["self_consistency n=5", str(PROBLEMS)]
    assert difference[0].startswith("self_consistency n=5 - self_consistency n=1: ")
    assert "McNemar's p = " in difference[0]


def test_given_again_it_costs_nothing_and_says_the_same(tmp_path: Path, capsys: Capture) -> None:
    once = evaluate(capsys, tmp_path, "--grid", "n=1,3")
    again = evaluate(capsys, tmp_path, "--grid", "n=1,3")
    assert again[:2] == once[:2]
    assert "24/24, 0 tokens" in again[2]
    assert evaluate(capsys, tmp_path, "--grid", "n=1,3", "-q") == (0, once[1], "")


def test_grades_that_are_kept_are_told_and_may_be_given_anew(
    tmp_path: Path, capsys: Capture
) -> None:
    said = ("eval", "--suite", suite(tmp_path), "-m", "simulated(accuracy=1)", "-s", "direct")
    code, out, err = ponder(capsys, *said)
    assert (code, "kept" in err) == (0, False)
    file = tmp_path / "sums.jsonl"
    file.write_text(file.read_text().replace('"a": "42"', '"a": "43"'))
    assert ponder(capsys, *said)[1] == out
    code, _, err = ponder(capsys, *said)
    told = "kept 12 grades of before: if references have changed since, say --regrade\n"
    assert (code, told in err, err.count("--regrade")) == (0, True, 1)
    code, out, err = ponder(capsys, *said, "--regrade", "--json")
    assert (code, "kept" in err) == (0, False)
    assert json.loads(out)["configurations"][0]["accuracy"] == 0.0


def test_whoever_waits_for_a_person_is_told(tmp_path: Path, capsys: Capture) -> None:
    said = ("-s", "best_of_n", "--set", "n=2", "--limit", "1", "--verifier")
    told = "this run waits for a person: answer with 'ponder review'"
    code, _, err = evaluate(capsys, tmp_path, *said, "human(0.01, mean_logprob)")
    assert (code, told in err) == (0, True), err
    code, _, err = evaluate(capsys, tmp_path, *said, "regex:human")
    assert (code, told in err) == (0, False), err


def test_json_is_one_object_of_the_documented_shape(tmp_path: Path, capsys: Capture) -> None:
    code, out, err = evaluate(capsys, tmp_path, "--grid", "n=1,5", "--json", "-q")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert list(told) == ["suite", "problems", "store", "configurations"]
    assert (told["suite"], told["problems"]) == ("sums", PROBLEMS)
    assert Path(told["store"]).name == "results.sqlite"
    one, five = told["configurations"]
    assert list(one) == [
        "id", "name", "model", "problems", "ungraded", "accuracy", "low", "high", "failed",
        "refused", "stopped_by", "tokens", "flops", "seconds", "usd", "resolved", "difference",
    ]  # fmt: skip
    assert one["difference"] is None
    assert five["resolved"]["knobs"]["n"] == 5
    difference = five["difference"]
    assert list(difference) == [
        "a", "b", "problems", "accuracy_a", "accuracy_b", "difference", "low", "high", "only_a",
        "only_b", "p", "decided", "needed", "cost", "verdict",
    ]  # fmt: skip
    assert (difference["a"], difference["b"]) == (one["id"], five["id"])
    assert difference["difference"] == pytest.approx(five["accuracy"] - one["accuracy"])
    assert difference["cost"]["tokens"] == pytest.approx(five["tokens"] / one["tokens"])


def test_limit_and_every_choose_problems_and_more_are_added(
    tmp_path: Path, capsys: Capture
) -> None:
    evaluate(capsys, tmp_path, "-s", "direct", "--every", "5", "--limit", "2")
    shown = as_json(capsys, "show", "direct")
    assert [o["problem_id"] for o in shown["outcomes"]] == ["sums/0", "sums/5"]
    _, _, err = evaluate(capsys, tmp_path, "-s", "direct", "--limit", "6")
    assert "evaluating: 6/6" in err
    shown = as_json(capsys, "show", "direct")
    assert [o["position"] for o in shown["outcomes"]] == list(range(6))


def test_configurations_come_from_a_file(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        f"suite = {json.dumps(suite(tmp_path))}\nmodel = 'simulated'\n"
        "[[configuration]]\nname = 'one'\nstrategy = 'direct'\n"
        "[[configuration]]\nname = 'many'\nknobs = { n = 3 }\nbudget = { tokens = 4000 }\n"
    )
    code, out, err = ponder(capsys, "eval", "--file", str(file))
    assert code == 0, err
    assert [row[1] for row in rows(out)[1:3]] == ["one", "many"]
    assert as_json(capsys, "show", "many")["resolved"]["budget"]["tokens"] == 4000
    for more in (["--set", "n=1"], ["--budget", "usd=1"], ["--grid", "n=1"], ["--name", "x"]):
        code, _, err = ponder(capsys, "eval", "--file", str(file), *more)
        assert code == 2
        assert "do not go with --file: write them into the file." in err
    code, _, err = ponder(capsys, "eval", "--file", str(file), "-m", "simulated")
    assert (code, "model is given twice" in err) == (2, True), err
    code, _, err = ponder(capsys, "eval", "--file", str(file), "--suite", "gsm8k")
    assert (code, "suite is given twice" in err) == (2, True)


def test_a_budget_holds_for_each_problem(tmp_path: Path, capsys: Capture) -> None:
    code, out, _ = evaluate(
        capsys, tmp_path, "--set", "n=16", "--budget", "tokens=400,flops=1e15", "--json"
    )
    assert code == 0
    [one] = json.loads(out)["configurations"]
    assert one["stopped_by"]["tokens"] > 0
    assert one["tokens"] <= 400
    assert one["name"] == "self_consistency n=16 budget.tokens=400 budget.flops=1e+15"


def test_the_dial_is_evaluated_and_told_apart_and_resumed(tmp_path: Path, capsys: Capture) -> None:
    plans = tmp_path / "mine.toml"
    plans.write_text('[efforts.low]\nstrategy = "self_consistency"\nknobs = { n = 2 }\n')
    auto = ("-e", "auto", "--escalate-to", "simulated(accuracy=0.9)")
    kinds = [
        ((*auto,), 'auto escalate="simulated(accuracy=0.9)" effort=auto'),
        ((*auto, "--worth", "1e6 tokens"), "auto worth=1,000,000 tokens escalate"),
        (
            ("-e", "low", "--worth", "9 tokens"),
            "self_consistency worth=9 tokens n=4 stop=value effort=low",
        ),
        (("-e", "low", "--plans", str(plans)), "plans=mine.toml#"),
    ]
    ids = []
    for options, name in kinds:
        code, out, err = evaluate(capsys, tmp_path, *options, "--limit", "3", "--json")
        assert (code, "evaluating: 3/3" in err) == (0, True), err
        [one] = json.loads(out)["configurations"]
        assert name in one["name"]
        ids.append(one["id"])
        code, again, err = evaluate(capsys, tmp_path, *options, "--limit", "3", "--json")
        assert (again, "3/3, 0 tokens" in err) == (out, True)
    assert len({*ids}) == len(kinds)
    stored = {one["id"]: one for one in as_json(capsys, "show")}
    assert {*stored} == {*ids}
    assert as_json(capsys, "show", ids[1])["resolved"]["worth"] == {
        "amount": 1e6, "unit": "tokens",
    }  # fmt: skip


# Bad input ----------------------------------------------------------------------------------------

BAD: dict[str, str] = {
    "--suite gsm9k": "unknown suite 'gsm9k': did you mean 'gsm8k'?",
    "--suite gsm8k": "no folder of benchmark data is known: name it with --data DIR",
    "--suite gsm8k --data /nowhere": "there is no data folder /nowhere",
    "--suite {folder}/gone.jsonl": "there is no file",
    "--suite {folder}/empty.jsonl": "has no problems",
    "-s vote": "unknown strategy 'vote'",
    "--set m=3": "unknown knob 'm'",
    "--set n": "--set takes KNOB=VALUE",
    "--set n=many": "knob 'n' must be a whole number, not 'many'",
    "--grid n=1,many": "knob 'n' must be a whole number, not 'many'",
    "--grid sede=1": "unknown name in --grid 'sede': did you mean 'seed'?",
    "--grid n=1 --set n=2": "'n' is given twice",
    "--grid n=1;;2": "values stand between commas, not ';'",
    "-e lots": "unknown effort 'lots'",
    "-m gpt": "unknown model 'gpt'",
    "--verifier orm": "unknown verifier 'orm'",
    "--seed -1": "the seed must be a whole number from 0",
    "--budget tokens": "expected KEY=VALUE, KEY=VALUE, not 'tokens' alone",
    "--budget dollars=1": "unknown unit of the budget 'dollars'",
    "--budget tokens=3": "a budget of 3 tokens is too small",
    "--set weight=confidence --set stop=bayes": "stop=bayes counts votes",
    "--worth lots": "the worth of a right answer must be an amount above zero",
    "--worth 1 -s direct": "does not ask what a right answer is worth",
    "--plans {folder}/gone.toml": "cannot read",
    "--plans {folder}/text": "line 1: not valid TOML",
    "--escalate-to simulated(length=9)": "--escalate-to goes with --effort auto",
    "--escalate-to simulated(length=9) --grid effort=auto,low": "for every configuration",
    "-e auto --escalate-to gpt": "unknown model 'gpt'",
    "-e auto --escalate-to gpt --set escalate=gpt": "are the same: give one of them",
    "--file {folder}/gone.toml": "cannot read",
    "--limit 0": "is not in the range",
    "--store {folder}": "name another file.",
    "--store {folder}/empty.jsonl/x": "name another file.",
    "--store {folder}/text": "it is not a SQLite file; name another file.",
    "nonsense": "No such command 'nonsense'",
}  # fmt: skip


@pytest.mark.parametrize("said", BAD)
def test_bad_input_is_one_sentence(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.delenv("PONDER_DATA", raising=False)
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "text").write_text("nothing like a database" * 50)
    arguments = said.format(folder=tmp_path).split()
    given = [] if "--suite" in arguments else ["--suite", suite(tmp_path, 2)]
    given += [] if "-m" in arguments else ["-m", "simulated"]
    code, out, err = ponder(capsys, "eval", *given, *arguments)
    assert (code, out) == (2, ""), err
    assert BAD[said] in err
    assert err.count("\n") == 1, err


def test_a_suite_must_be_named(capsys: Capture) -> None:
    code, _, err = ponder(capsys, "eval")
    assert (code, err) == (
        2, "ponder: there is no suite: name it with --suite; 'ponder data list' has them.\n",
    )  # fmt: skip


def test_options_go_behind_the_subcommand(capsys: Capture) -> None:
    code, _, err = ponder(capsys, "eval", "--suite", "gsm8k", "show")
    assert code == 2
    assert "options go behind the subcommand: ponder eval show ..." in err


def test_without_numpy_it_says_what_to_install(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "ponder.experiments.evals.figures"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr("ponder.experiments.evals.figures", raising=False)
    for module in [m for m in sys.modules if m == "numpy"]:
        monkeypatch.setitem(sys.modules, module, None)
    code, _, err = evaluate(capsys, tmp_path)
    assert code == 2
    assert "an evaluation needs the extra 'experiments': pip install" in err
    assert not list(tmp_path.glob("home/results.sqlite"))


# Runs that fail -----------------------------------------------------------------------------------


def test_failed_runs_are_told_and_tried_again(tmp_path: Path, capsys: Capture) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1", retries=0)
    said = ("-m", "loop", "-s", "direct", "--limit", "3")
    code, out, err = evaluate(capsys, tmp_path, *said)
    assert code == 1
    assert rows(out)[0][-1] == "failed"
    assert rows(out)[1][-1] == "3"
    assert "failed: 3 of 3 runs (no sample came back: " in err
    assert "the same command tries them again" in err
    with seeded_server() as server:
        configure(tmp_path, server.url, retries=0)
        code, out, err = evaluate(capsys, tmp_path, *said)
        assert (code, len(server.seeds)) == (0, 3), err
    assert "failed" not in out


def test_a_model_that_is_gone_ends_it(tmp_path: Path, capsys: Capture) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1", retries=0)
    code, out, err = ponder(
        capsys, "eval", "--suite", suite(tmp_path, 40), "-m", "loop", "-s", "direct"
    )
    assert (code, out) == (1, "")
    assert "the same command goes on from there" in err
    assert "16 runs in a row failed: no sample came back" in err
    assert "Traceback" not in err


def test_dollars_are_counted(tmp_path: Path, capsys: Capture) -> None:
    with seeded_server() as server:
        with configure(tmp_path, server.url).open("a") as settings:
            settings.write("\nprice = { input = 1.0, output = 2.0 }\n")
        code, out, err = evaluate(capsys, tmp_path, "-m", "loop", "-s", "direct", "--json")
    assert code == 0, err
    [one] = json.loads(out)["configurations"]
    assert one["usd"] == pytest.approx(40e-6)  # 20 prompt tokens and 10 more
    assert one["flops"] is None
    assert "$0.0005" in err


def test_what_cannot_be_graded_here_is_told(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: Any, parts: Sequence[str]) -> Any:
        raise UsageError("programs cannot be confined here.")

    monkeypatch.setattr(confined.Confined, "__call__", refuse)
    folder = tmp_path / "data" / "mbpp"
    monkeypatch.setattr(command, "find", lambda name: Programs())
    code, out, err = ponder(
        capsys, "eval", "--suite", "programs", "--data", str(folder), "-m", "simulated", "-s",
        "direct",
    )  # fmt: skip
    assert code == 1
    assert "accuracy" not in out
    assert rows(out)[0][-1] == "ungraded"
    assert "the runs are recorded but not graded: programs cannot be confined here." in err


class Programs:
    """A suite of one program; the simulated model's answer is 42, or near it."""

    name = "programs"

    def load(self, folder: Path | None = None) -> list[Any]:
        from ponder.experiments.suites.base import Item, ask
        from ponder.experiments.suites.grading.gold import HiddenTests

        return [Item("programs/0", ask("Write f.", "number"), HiddenTests("assert f()"))]


# Ctrl-C -------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_ctrl_c_keeps_what_has_come(tmp_path: Path, capsys: Capture) -> None:
    said = ["eval", "--suite", suite(tmp_path, 5), "-m", "loop", "-s", "self_consistency",
            "--set", "n=3", "--set", "stop=never", "--at-once", "2",
            "--store", str(tmp_path / "results.sqlite")]  # fmt: skip
    with seeded_server() as server:
        configure(tmp_path, server.url, concurrency=2)
        server.hold = lambda count: count > 4
        process = start(tmp_path, *said, journal=False)
        assert server.held.acquire(timeout=600)
        assert server.held.acquire(timeout=600)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == (130, ""), err
    assert "results.sqlite; the same command goes on from there" in err
    assert "interrupted." in err
    assert "Traceback" not in err
    paid = recorded(tmp_path)
    assert len(paid) == 4
    with seeded_server() as server:
        configure(tmp_path, server.url, concurrency=2)
        code, _, err = ponder(capsys, *said)
    assert code == 0, err
    assert not paid & set(server.seeds)
    assert len(paid) + len(server.seeds) == 5 * 3
