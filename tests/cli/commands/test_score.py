"""``ponder score``: verifiers on texts that came from anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.core.errors import UsageError
from ponder.verification import score
from tests.support.commands import ponder as run

QUESTION = {"question": "What is 4 + 5 x 6, in numbers?", "answer_type": "number"}
PUZZLE = {
    "question": "Make 24 of 4, 5, 6, 10.",
    "answer_type": "math",
    "tests": {"kind": "arithmetic", "numbers": [4, 5, 6, 10], "target": 24},
}
RIGHT, WRONG = "It is \\boxed{(10 - 6) * 5 + 4}.", "It is \\boxed{4 * 6}."


def files(folder: Path, problem: Any, *texts: Any) -> tuple[str, str]:
    paths = folder / "problem.json", folder / "candidates.jsonl"
    paths[0].write_text(problem if isinstance(problem, str) else json.dumps(problem))
    lines = [text if isinstance(text, dict) else {"text": text} for text in texts]
    paths[1].write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(paths[0]), str(paths[1])


def test_candidates_are_scored_in_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = files(tmp_path, PUZZLE, WRONG, RIGHT, "no idea", RIGHT)
    code, out, err = run(capsys, "score", *asked, "--verifier", "arithmetic", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert [s["score"] for s in found["scores"]] == [0.0, 1.0, 0.0, 1.0]
    assert [s["verdict"] for s in found["scores"]][:2] == ["fail", "pass"]
    assert set(found["scores"][0]) == {"score", "verdict", "detail"}
    assert found["receipt"]["total"]["calls"] == 0
    _, out, _ = run(capsys, "score", *asked, "--verifier", "arithmetic")
    assert [line.split()[0] for line in out.splitlines()[1:5]] == ["1", "2", "3", "4"]


def test_a_verifier_that_asks_a_model_is_on_the_receipt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = files(tmp_path, QUESTION, "\\boxed{34}", "\\boxed{7}")
    code, out, err = run(
        capsys, "score", *asked, "--verifier", "judge(k=2)", "-m", "simulated", "--json"
    )
    assert code == 0, err
    [item] = json.loads(out)["receipt"]["items"]
    assert (item["role"], item["model"]) == ("judge", "simulated")


BAD: dict[str, tuple[Any, list[Any], str, str]] = {
    "no verifier": (QUESTION, ["x"], "", "which verifier? Name one with --verifier"),
    "unknown": (QUESTION, ["x"], "--verifier jduge", "did you mean 'judge'?"),
    "no model": (QUESTION, ["x"], "--verifier judge", "name one with --model"),
    "no json": ("{", ["x"], "--verifier schema", "problem.json: not JSON"),
    "a list": ("[]", ["x"], "--verifier schema", "problem.json: expected a JSON object"),
    "no question": ({"q": 1}, ["x"], "--verifier schema", "has no 'question'"),
    "empty question": (
        {"question": " "}, ["x"], "--verifier schema", "problem.json: 'question' is empty: write"
    ),
    "field": ({**QUESTION, "gold": 1}, ["x"], "--verifier schema", "unknown field 'gold'"),
    "tests": ({**QUESTION, "tests": {"kind": "x"}}, ["x"], "--verifier schema", "invalid tests"),
    "type": ({**QUESTION, "answer_type": "x"}, ["x"], "--verifier schema", "answer type 'x'"),
    "empty": (QUESTION, [], "--verifier schema", "candidates.jsonl is empty"),
    "line": (QUESTION, [{"txt": 1}], "--verifier schema", 'line 1: expected {"text": ...}'),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem, texts, arguments, message = BAD[name]
    asked = files(tmp_path, problem, *texts)
    code, out, err = run(capsys, "score", *asked, *arguments.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "score", "nowhere.json", "x.jsonl", "--verifier", "schema")
    assert code == 2
    assert "cannot read nowhere.json" in err


def test_a_budget_that_does_not_reach_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = files(tmp_path, QUESTION, "\\boxed{34}")
    budget = ("--max-tokens", "10", "-m", "simulated")
    code, _, err = run(capsys, "score", *asked, "--verifier", "judge", *budget)
    assert code == 1
    assert "limit on tokens was reached before all candidates were scored" in err


def test_the_same_from_python() -> None:
    problem = ponder.Problem((ponder.Message("user", "Say a word with b."),), "text")
    found = score(problem, ["\\boxed{abc}", "\\boxed{xyz}"], verifier="regex:b")
    assert [s.value for s in found.scores] == [1.0, 0.0]
    for texts in ("a text", [1]):
        with pytest.raises(UsageError, match="texts must be a list of texts"):
            score(problem, texts, verifier="regex:b")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the seed must be a whole number"):
        score(problem, ["a"], verifier="regex:b", seed=-1)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("inner", ["\u2028", "\u2029", "\x85", " "])
def test_only_a_line_feed_ends_a_candidate(
    mark: str, end: str, inner: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = files(tmp_path, QUESTION)
    (tmp_path / "problem.json").write_text(f"{mark}{json.dumps(QUESTION)}", encoding="utf-8")
    lines = [f'{{"text": "So:{inner}the answer is {n}"}}{end}' for n in (34, 54)]
    (tmp_path / "candidates.jsonl").write_bytes(f"{mark}{''.join(lines)}".encode())
    code, out, _ = run(capsys, "score", *asked, "--verifier", 'regex("^34$")', "--json")
    assert code == 0
    assert [score["score"] for score in json.loads(out)["scores"]] == [1.0, 0.0]
