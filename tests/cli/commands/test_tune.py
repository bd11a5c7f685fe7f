"""``ponder tune``: what it prints and writes, its exit codes, and plans in use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ponder.planning.plans import load
from tests.support.commands import ponder
from tests.support.evaluation import suite
from tests.support.pools import line, lines

Capture = pytest.CaptureFixture[str]
ANSWERS = ("aaaaaaab", "aaabbcda", "abcdefga", "bbbbbbba", "aabbccaa", "aaaaaaaa")


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    problems = [line(str(i), *ANSWERS[i % 6]) for i in range(12)]
    return lines(tmp_path / "pool.jsonl", {"pool": 1, "model": "simulated"}, *problems)


def test_a_table_a_file_and_a_run_by_it(pool: Path, tmp_path: Path, capsys: Capture) -> None:
    output = str(tmp_path / "plans.toml")
    code, out, err = ponder(capsys, "tune", str(pool), "-o", output)
    assert code == 0
    assert out.startswith("fitted to 6 problems, judged on 6 others; cost in tokens")
    assert "\nfitted on pool: simulated, 8 samples each\n" in out
    assert "fixed plans on the judged problems" in out
    assert "by difficulty" in out
    assert err == f"wrote {output}: use it with 'ponder solve --plans {output}'\n"
    plans = load(output)
    minimal = plans.efforts["minimal"]
    assert (minimal.strategy, minimal.sampling.length) == ("direct", 10)
    how = ("--plans", output, "-m", "simulated", "--no-journal", "--json", "-e", "max")
    code, out, _ = ponder(capsys, "solve", "What is 6 x 7?", *how)
    found = json.loads(out)
    assert found["strategy"] == plans.efforts["max"].strategy
    assert found["knobs"]["length"] == 10
    _, _, err = ponder(capsys, "solve", "What is 6 x 7?", *(one for one in how if one != "--json"))
    told = "effort max: a plan fitted to 6 problems of pool: simulated, 8 samples each; fitted "
    assert told in " ".join(err.split())


def test_json_is_one_object(pool: Path, tmp_path: Path, capsys: Capture) -> None:
    output = str(tmp_path / "plans.toml")
    code, out, _ = ponder(capsys, "tune", str(pool), "-o", output, "--json", "--judge", "0.25")
    found = json.loads(out)
    assert code == 0
    assert (found["unit"], found["problems"], found["judged_on"]) == ("tokens", 9, 3)
    low = found["efforts"][1]
    assert (low["effort"], low["ceiling"]) == ("low", 40)
    assert low["regret"]["difference"] == pytest.approx(low["best"]["accuracy"] - low["accuracy"])


def test_a_model_is_measured_within_a_budget_and_again_for_nothing(
    tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "plans.toml"
    model = "simulated(accuracy=1,thinking=60)"
    how = ("tune", "--suite", suite(tmp_path), "-m", model, "-o", str(output),
           "--max-tokens", "90000", "--set", "length=900", "--n", "4",
           "--unit", "tokens")  # fmt: skip
    code, out, err = ponder(capsys, *how)
    assert code == 0, err
    assert out.startswith("fitted to 6 problems, judged on 6 others; cost in tokens")
    assert "off-plain: 32 samples, " in err
    assert "dropped high-plain: off-plain costs less and is right as often or more" in err
    assert f"use it with 'ponder solve --plans {output} --model \"{model}\"'\n" in err
    assert str(load(output).efforts["minimal"].sampling.thinking) == "off"
    pools = sorted((tmp_path / "plans.toml.pools").glob("*.jsonl"))
    assert [path.stem for path in pools] == ["off-plain"]
    before = output.read_text()
    code, again, err = ponder(capsys, *how, "--force")
    assert (code, again, output.read_text()) == (0, out, before)
    assert " samples, " not in err
    assert ponder(capsys, "tune", *map(str, pools), "-o", str(output), "--force", "--unit",
                  "tokens")[1] == out  # fmt: skip


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ((), "there is nothing to fit to: give pools or results, or measure with --suite and a"),
        (("--suite", "gsm8k"), "there is nothing to fit to"),
        (("--max-usd", "2"), "a budget is for measuring: name the suite with --suite"),
        (("--max-tokens", "0", "--suite", "gsm8k"), "the budget's tokens must be greater than"),
    ],
)
def test_measuring_needs_a_suite_and_a_budget(
    how: tuple[str, ...], said: str, tmp_path: Path, capsys: Capture
) -> None:
    code, out, err = ponder(capsys, "tune", *how, "-o", str(tmp_path / "plans.toml"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_budget_that_buys_nothing_fails_and_writes_no_plans(
    tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "plans.toml"
    code, out, err = ponder(capsys, "tune", "--suite", suite(tmp_path), "-m", "simulated",
                            "--max-tokens", "100", "-o", str(output))  # fmt: skip
    assert (code, out) == (1, "")
    assert "give a larger budget, or fewer problems with --limit" in err
    assert not output.exists()


def test_nothing_is_overwritten_unasked(pool: Path, tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "plans.toml"
    output.write_text("mine")
    code, out, err = ponder(capsys, "tune", str(pool), "-o", str(output))
    assert (code, out) == (2, "")
    assert "exists: choose another name, or say --force" in err
    assert output.read_text() == "mine"
    assert ponder(capsys, "tune", str(pool), "-o", str(pool), "--force")[0] == 2


def test_a_pool_that_cannot_be_fitted_is_refused(tmp_path: Path, capsys: Capture) -> None:
    one = lines(tmp_path / "one.jsonl", line("1", "a", "b"))
    for paths, said in (
        ((one,), "1 problem cannot be split"),
        ((tmp_path / "none.jsonl",), "cannot read"),
    ):
        code, out, err = ponder(capsys, "tune", *map(str, paths), "-o", str(tmp_path / "p.toml"))
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
    assert not (tmp_path / "p.toml").exists()


def test_a_wrong_file_of_plans_is_refused(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "plans.toml"
    path.write_text('[efforts.low]\nstrategy = "direct"\nknobs = {n = 4}\n')
    code, out, err = ponder(capsys, "solve", "?", "--plans", str(path), "-m", "simulated")
    assert (code, out) == (2, "")
    assert err.startswith(f"ponder: {path}, line 3: unknown knob 'n'")
