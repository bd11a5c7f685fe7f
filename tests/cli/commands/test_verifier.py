"""``ponder verifier train`` and ``ponder verifier eval`` from the outside."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ponder.experiments.pools import file as pools
from ponder.experiments.pools.samples import Header
from tests.support.commands import ponder
from tests.support.recording import lines
from tests.support.training import SECRET, entries

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pools of one model, of different problems; the second has one of the first's, too."""
    monkeypatch.chdir(tmp_path)
    first = entries()
    pools.write("a.jsonl", Header(("m",), {"seed": 0}), first)
    pools.write("b.jsonl", Header(("m",), {"seed": 1}), [*entries(seed=1), first[0]])
    return tmp_path


@pytest.fixture
def trained(folder: Path, capsys: Capture) -> Path:
    code, out, err = ponder(capsys, "verifier", "train", "a.jsonl", "-o", "v.json")
    assert (code, out) == (0, ""), err
    assert "wrote v.json: learned from" in err
    assert "samples of 24 problems" in err
    assert "agreement" in err
    assert "no run can ask for the score 'sure', only pools: unknown verifier 'sure'" in err
    return folder


def evaluated(capsys: Capture, *more: str) -> tuple[dict[str, Any], str]:
    code, out, err = ponder(capsys, "verifier", "eval", "v.json", *more, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found, err


def test_eval_measures_on_other_problems(trained: Path, capsys: Capture) -> None:
    found, err = evaluated(capsys, "b.jsonl", "--n", "4")
    assert err == ""
    assert list(found) == [
        "problems", "n", "left_out", "samples", "base_rate", "auroc", "auroc_within_problems",
        "brier", "ece", "reliability", "rows", "differences", "cross_validated",
    ]  # fmt: skip
    assert (found["problems"], found["left_out"], found["n"]) == (24, 1, 4)
    assert 0.7 < found["auroc"]["low"] < found["auroc"]["value"] < found["auroc"]["high"] <= 1
    assert found["brier"]["value"] < found["brier"]["reference"]
    assert sum(part["count"] for part in found["reliability"]) == found["samples"]
    rows = {row["by"]: row["accuracy"] for row in found["rows"]}
    assert list(rows) == ["random", "majority", "best:learned", "weighted:learned", "coverage"]
    assert rows["random"] < rows["best:learned"] <= rows["coverage"]
    again, _ = evaluated(capsys, "b.jsonl", "--n", "4")
    assert again == found


def test_eval_in_a_terminal(trained: Path, capsys: Capture) -> None:
    code, out, err = ponder(capsys, "verifier", "eval", "v.json", "b.jsonl")
    assert (code, err) == (0, "")
    assert "24 problems" in out
    assert "scored among 8; 1 that it was trained on left out" in out
    assert "the base rate of" in out
    assert out.count("█") > 20
    assert "best:learned@8 - majority@8: " in out


def test_cross_validation_learns_anew(trained: Path, capsys: Capture) -> None:
    code, _, err = ponder(capsys, "verifier", "eval", "v.json", "a.jsonl")
    assert code == 2
    assert "all 24 problems of the pool were trained on: take another pool" in err
    found, _ = evaluated(capsys, "a.jsonl", "--cross-validate")
    assert (found["problems"], found["left_out"], found["cross_validated"]) == (24, 0, True)
    assert found["auroc"]["value"] > 0.7


def test_a_pool_with_the_scores_can_be_scored(trained: Path, capsys: Capture) -> None:
    before = lines(Path("b.jsonl"))
    code, _, err = ponder(
        capsys, "verifier", "eval", "v.json", "b.jsonl", "--write", "c.jsonl", "--json"
    )
    assert code == 0
    assert "wrote c.jsonl: 24 problems, 192 samples with the score 'learned'" in err
    header, *problems = lines(Path("c.jsonl"))
    assert header == before[0]
    for old, new in zip(before[1:], problems, strict=False):
        for a, b in zip(old["samples"], new["samples"], strict=True):
            learned = b["score"].pop("learned")
            assert b.pop("verified") == {"learned": {}}
            assert a == b
            assert (learned == 0) == (a["answer"] is None)
    found, _ = evaluated(capsys, "b.jsonl")
    by = "best:learned,weighted:learned"
    out = ponder(capsys, "pool", "score", "c.jsonl", "--n", "8", "--by", by, "--json")[1]
    rows = {row["by"]: row["accuracy"] for row in json.loads(out)["rows"]}
    assert (
        rows.items() <= {row["by"]: pytest.approx(row["accuracy"]) for row in found["rows"]}.items()
    )


def test_the_scores_that_are_looked_at_can_be_chosen(folder: Path, capsys: Capture) -> None:
    train = ["verifier", "train", "a.jsonl", "-o", "v.json", "-q"]
    code, _, err = ponder(capsys, *train, "--scores", "sure", "--calibration", "isotonic")
    assert (code, err) == (0, "")
    saved = json.loads(Path("v.json").read_text())
    assert [f for f in saved["features"] if "score:" in f] == ["score:sure"]
    assert saved["calibration"]["method"] == "isotonic"
    assert saved["about"]["pools"] == ["a.jsonl"]
    assert SECRET not in Path("v.json").read_text()


def test_scores_whose_names_have_commas(folder: Path, capsys: Capture) -> None:
    both, within = "first(regex:[0-3], arithmetic)", "regex:[1,2]"
    text = Path("a.jsonl").read_text().replace('"sure": ', f'"{within}": 1, "{both}": ')
    Path("a.jsonl").write_text(text)
    train = ["verifier", "train", "a.jsonl", "-o", "v.json", "-q", "--force", "--scores"]
    for said in (both, f'"{within}",{both}'):
        code, _, err = ponder(capsys, *train, said)
        assert (code, err) == (0, "")
        features = json.loads(Path("v.json").read_text())["features"]
        assert [f for f in features if "score:" in f] == [f"score:{both}"]  # the other is constant


def test_no_scores_are_not_all_scores(folder: Path, capsys: Capture) -> None:
    code, _, err = ponder(capsys, "verifier", "train", "a.jsonl", "-o", "v.json", "--scores", "")
    assert (code, err) == (2, "ponder: --scores: expected names of scores, not ''.\n")


def test_a_pool_is_not_asked_for_log_probabilities(folder: Path, capsys: Capture) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        text = Path(name).read_text().replace('"sure": ', '"mean_logprob": ')
        Path(name).write_text(text)
    train = ("verifier", "train", "a.jsonl", "-o", "v.json", "--scores", "mean_logprob", "-q")
    assert ponder(capsys, *train)[0] == 0
    said = ("pool", "verify", "b.jsonl", "--verifier", "learned:v.json", "-o", "c.jsonl")
    code, _, err = ponder(capsys, *said)
    assert (code, err.count("\n")) == (2, 1)
    assert "score the pool with 'ponder verifier eval FILE POOL --write OUT'." in err
    said = ("verifier", "eval", "v.json", "b.jsonl", "--write", "c.jsonl", "-q")
    assert ponder(capsys, *said)[0] == 0


def test_another_model_is_noted(trained: Path, capsys: Capture) -> None:
    pools.write("o.jsonl", Header(("other",)), entries(seed=2))
    _, err = evaluated(capsys, "o.jsonl")
    assert err == "note: trained on samples of m, and these are of other\n"


def test_broken_lines_are_left_out_and_counted(trained: Path, capsys: Capture) -> None:
    with Path("b.jsonl").open("a") as file:
        file.write("broken\n")
    code, _, err = ponder(capsys, "verifier", "eval", "v.json", "b.jsonl")
    assert (code, err.count("\n")) == (2, 1)
    assert evaluated(capsys, "b.jsonl", "--skip-broken")[1] == "skipped 1 broken line\n"


BAD = {
    "train a.jsonl -o b.jsonl": "b.jsonl exists: choose another name, or say --force",
    "train b.jsonl a.jsonl -o a.jsonl --force": "a.jsonl is what is read: give the output another",
    "train a.jsonl -o v.json --scores ,": "',' cannot be read at ',': expected a name or a value",
    "train no.jsonl -o v.json": "cannot read the pool no.jsonl: No such file or directory",
    "train a.jsonl a.jsonl -o v.json": "a.jsonl is given twice",
    "train a.jsonl other.jsonl -o v.json": "train on pools of one model, or say --mixed",
    "train a.jsonl -o v.json --scores shoes": "no sample has the score 'shoes'; there are sure",
    "train ungraded.jsonl -o v.json": "ungraded.jsonl: 1 sample lacks 'correct'",
    "train same.jsonl -o v.json": "no problem has wrong samples: there is nothing to learn",
    "train few.jsonl -o v.json": "4 problems with answered samples are too few to learn from",
    "train a.jsonl -o no/v.json": "cannot write no/v.json: there is no folder no.",
    "eval a.jsonl a.jsonl": "a.jsonl is not a learned verifier (not JSON (Extra data",
    "eval v2.json a.jsonl": "v2.json has format 2, this Ponder reads 1",
    "eval good.json a.jsonl --n 9": "n = 9 is more than the pool holds",
    "eval good.json same.jsonl": "no sample of the pool has the score 'sure'",
    "eval good.json ungraded.jsonl": "1 sample lacks 'correct'",
    "eval good.json b.jsonl --write a.jsonl": "a.jsonl exists: choose another name",
}


@pytest.mark.parametrize("command", BAD)
def test_bad_input_is_one_sentence(command: str, folder: Path, capsys: Capture) -> None:
    def pool(name: str, **sample: Any) -> None:
        rows = [{"answer": "1", **sample}, {"answer": "2", **sample}]
        known = [{"problem_id": str(i), "gold": "1", "samples": rows} for i in range(12)]
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in known))

    pool("same.jsonl", correct=True)
    known = entries()
    pools.write("few.jsonl", None, known[:4])
    bare = [known[0], *entries(problems=12, seed=3)]
    pools.write("ungraded.jsonl", None, bare)
    text = Path("ungraded.jsonl").read_text().replace('"correct": true, ', "", 1)
    Path("ungraded.jsonl").write_text(text.replace('"correct": false, ', "", 0))
    pools.write("other.jsonl", Header(("other",)), entries(seed=2))
    Path("v2.json").write_text('{"ponder_learned": 2}')
    if "good.json" in command:
        ponder(capsys, "verifier", "train", "a.jsonl", "-o", "good.json", "-q")
        command = command.replace("eval good.json a", "eval good.json b")
    code, out, err = ponder(capsys, "verifier", *command.split())
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert BAD[command.replace("eval good.json b.jsonl --n", "eval good.json a.jsonl --n")] in err


def test_without_scikit_learn(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)

    class Absent:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] == "sklearn":
                raise ModuleNotFoundError(f"No module named {name!r}", name="sklearn")

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    code, _, err = ponder(capsys, "verifier", "train", "a.jsonl", "-o", "v.json")
    assert code == 2
    assert err == (
        "ponder: training a verifier needs the extra 'learn': pip install 'ponder[learn]'.\n"
    )
