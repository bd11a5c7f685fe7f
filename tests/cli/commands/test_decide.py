"""``ponder decide``: what it prints, and its exit codes."""

from __future__ import annotations

import io
import json
import math
import re
import sys
from pathlib import Path

import pytest

from ponder.decision import SPENT
from tests.support.commands import ponder

QUESTION = "Is it overdue?"
MODEL = ("-m", "simulated(accuracy=0.8)", "--no-journal")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "invoice.txt"
    path.write_text("Invoice 17 was due on 3 March.")
    return str(path)


def test_a_decision_and_its_cost(text: str, capsys: Capture) -> None:
    code, out, err = ponder(capsys, "decide", QUESTION, "--text", text, *MODEL)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == ["yes", "  0.900  yes", "  0.100  no"]
    assert any(line.split() == ["completion", "tokens", "2"] for line in lines)


def test_json_and_the_run(text: str, capsys: Capture, tmp_path: Path) -> None:
    where = ("--journal", str(tmp_path / "runs.sqlite"))
    code, out, _ = ponder(
        capsys, "decide", QUESTION, "-t", text, "-m", "simulated(accuracy=0.8)", "--json", *where
    )
    found = json.loads(out)
    assert (code, found["choice"], found["abstained"]) == (0, "yes", "")
    assert found["probabilities"] == pytest.approx({"yes": 0.9, "no": 0.1})
    code, out, _ = ponder(capsys, "runs", "list", "--json", *where)
    assert (code, json.loads(out)[0]["run"]) == (0, found["run"])
    code, out, _ = ponder(capsys, "runs", "show", found["run"], *where)
    assert code == 0
    assert "yes" in out


def test_an_abstention_has_an_exit_code_of_its_own(text: str, capsys: Capture) -> None:
    code, out, _ = ponder(capsys, "decide", QUESTION, "-t", text, "--threshold", "0.95", *MODEL)
    assert code == 3
    assert out.startswith("abstained: the likeliest choice has 0.90, less than the threshold")
    code, out, _ = ponder(
        capsys, "decide", QUESTION, "-t", text, "--threshold", "0.95", "-q", *MODEL
    )
    assert (code, out) == (3, "abstained\n")


def test_several_texts_one_line_each(
    text: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = io.TextIOWrapper(io.BytesIO(b"Invoice 18 was paid."))
    monkeypatch.setattr(sys, "stdin", piped)
    code, out, _ = ponder(capsys, "decide", QUESTION, "-t", text, "-t", "-", "-q", *MODEL)
    assert (code, out) == (0, f"{text}: yes\n-: yes\n")
    code, out, _ = ponder(capsys, "decide", QUESTION, "-t", text, "-t", text, "--json", *MODEL)
    assert [json.loads(line)["text"] for line in out.splitlines()] == [text, text]


def test_the_docs_show_what_is_printed(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs" / "decide.md").read_text("utf-8")
    [shown] = re.findall(r"^```text\n(.*?)^```$", page, re.M | re.S)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Invoice 17, due on 3 March.")))
    _, out, _ = ponder(capsys, "decide", QUESTION, "-t", "-", "-m", "simulated", "--no-journal")
    assert out.startswith(shown)


def test_choices_and_no_text(capsys: Capture) -> None:
    code, out, _ = ponder(
        capsys, "decide", "Which colour is the sky?", "-c", "blue, green,red", "-q", *MODEL
    )
    assert (code, out) == (0, "red\n")  # the simulated model's right choice is the last


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--choices", "yes"), "nothing to choose"),
        (("--text", "No payment."), "--text takes a file, and there is none named 'No payment.'"),
        (("--text", "-", "--text", "-"), "standard input can be read once"),
        (("--journal", "x", "--no-journal"), "exclude each other"),
        (("--json", "-q"), "--json and --quiet exclude each other"),
        (("--labels", "numbers"), "one of letters, words"),
        (("--max-tokens", "3", "--no-journal"), "too small"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], reason: str, capsys: Capture) -> None:
    code, out, err = ponder(capsys, "decide", QUESTION, "-m", "simulated", *arguments)
    assert (code, out) == (2, "")
    assert reason in err
    assert err.count("\n") == 1


def test_an_empty_text_is_refused(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(" \n")
    code, _, err = ponder(capsys, "decide", QUESTION, "-t", str(path), *MODEL)
    assert code == 2
    assert "is empty" in err


@pytest.fixture
def lines(tmp_path: Path) -> str:
    path = tmp_path / "texts.jsonl"
    path.write_text('It was due on 3 March.\n{"text": "It was due in May.", "id": 5}\n')
    return str(path)


def test_each_line_of_a_file_is_decided_on_in_order(lines: str, capsys: Capture) -> None:
    code, out, err = ponder(capsys, "decide", QUESTION, "--lines", lines, *MODEL)
    first, second = map(json.loads, out.splitlines())
    assert (code, err) == (0, "")
    assert (first["line"], second["line"], second["id"]) == (1, 2, 5)
    assert first["probabilities"] == pytest.approx({"yes": 0.9, "no": 0.1})
    assert first["tokens"] > 0
    assert ponder(capsys, "decide", QUESTION, "--lines", lines, "-q", *MODEL)[1] == "yes\nyes\n"


def test_the_budget_is_for_all_lines_together(lines: str, capsys: Capture) -> None:
    _, out, _ = ponder(capsys, "decide", QUESTION, "--lines", lines, *MODEL)
    first, second = (json.loads(line)["tokens"] for line in out.splitlines())
    told = []
    for most in (first + second, first + second - 1, first):
        budget = ("--max-tokens", str(most))
        code, out, _ = ponder(capsys, "decide", QUESTION, "--lines", lines, *MODEL, *budget)
        told.append((code, [json.loads(line)["choice"] for line in out.splitlines()]))
    assert told[2] == (3, ["yes", None])
    assert json.loads(out.splitlines()[1])["abstained"] == SPENT
    assert told[0] == (0, ["yes", "yes"])
    assert told[1][1][0] == "yes"


def test_a_temperature_is_fitted_to_half_of_the_labels(tmp_path: Path, capsys: Capture) -> None:
    """The model says 0.9 for yes, and half of the labels are no: it is much too sure."""
    path = tmp_path / "labelled.jsonl"
    rows = [{"text": f"It was due on {i} March.", "label": ["yes", "no"][i // 2 % 2]}
            for i in range(20)]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = ponder(capsys, "decide", QUESTION, "--lines", str(path), "--fit", *MODEL)
    assert told[0] == 0
    first, second = told[1].splitlines()
    assert first == "--soften 20, fitted to 10 lines"
    after, before = (float(word) for word in re.findall(r"\d\.\d+", second))
    assert before == pytest.approx(-(0.5 * math.log(0.9) + 0.5 * math.log(0.1)), abs=1e-3)
    assert after == pytest.approx(math.log(2), abs=0.01)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:4]))
    code, _, err = ponder(capsys, "decide", QUESTION, "--lines", str(path), "--fit", *MODEL)
    assert (code, err) == (2, f"ponder: {path} has 4 lines: --fit needs at least 10.\n")


def test_a_temperature_needs_probabilities(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "labelled.jsonl"
    rows = [{"text": f"It was due on {i} March.", "label": "yes"} for i in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ("decide", QUESTION, "--lines", str(path), "--fit", "--labels", "words", *MODEL)
    code, out, err = ponder(capsys, *asked)
    assert (code, out) == (1, "")
    assert (
        "only 0 of 12 lines got probabilities, and --fit needs 10; most others abstained: " in err
    )


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--fit",), "--fit needs labelled texts: give them with --lines FILE."),
        (("--lines", "x", "--text", "y"), "--lines and --text exclude each other"),
    ],
)
def test_what_excludes_each_other(more: tuple[str, ...], sentence: str, capsys: Capture) -> None:
    code, _, err = ponder(capsys, "decide", QUESTION, *MODEL, *more)
    assert code == 2
    assert sentence in err
