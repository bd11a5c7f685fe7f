"""``ponder solve`` from the outside: what it prints, and how it refuses."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ponder.cli.commands.solve import _question, verifier_name
from tests.support.commands import QUESTION, ponder
from tests.support.killing import interrupted
from tests.support.seeded import configure, seeded_server


def test_json_is_one_object_of_the_documented_shape(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ponder(capsys, "solve", QUESTION, "-m", "simulated", "--json", "--seed", "3")
    assert code == 0
    result = json.loads(out)
    assert list(result) == [
        "answer",
        "confidence",
        "strategy",
        "knobs",
        "model",
        "run",
        "seed",
        "stopped_by",
        "receipt",
        "candidates",
        "silent",
        "chosen",
    ]
    figures = [
        "calls",
        "failed",
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "wasted_tokens",
        "usd",
        "flops",
        "seconds",
    ]
    assert sorted(result["receipt"]["total"]) == sorted(figures)
    [item] = result["receipt"]["items"]
    assert sorted(item) == sorted(["role", "model", *figures])
    assert set(result["candidates"][0]) == {"answer", "votes", "score", "tokens", "text"}
    assert (result["seed"], result["stopped_by"]) == (3, "done")
    assert sum(c["votes"] for c in result["candidates"]) == item["calls"]


def test_same_seed_same_result(capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for _ in range(2):
        _, out, _ = ponder(capsys, "solve", QUESTION, "-m", "simulated", "--json", "--no-journal")
        result = json.loads(out)
        del result["receipt"]
        runs.append(result)
    assert runs[0] == runs[1]
    assert runs[0]["run"] is None


def test_quiet_prints_the_answer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ponder(capsys, "solve", QUESTION, "-m", "simulated(accuracy=1)", "-q")
    assert (code, out, err) == (0, "42\n", "")


def test_a_person_gets_answer_confidence_and_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ponder(
        capsys, "solve", QUESTION, "-m", "simulated(accuracy=1)", "--show-trace"
    )
    assert code == 0
    assert err == ""
    assert "so then we add the terms" in out
    assert "\n42\n" in out
    # no fit covers a world without a model, so that is no probability
    assert "\nconfidence 1.00: 5 of 5 answers agree" in out
    assert "self_consistency on simulated(accuracy=1): finished; run 2" in out
    assert "completion tokens" in out


@pytest.mark.parametrize("how", ["file", "stdin"])
def test_a_question_is_read_without_its_byte_order_mark(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"\xef\xbb\xbfdef add(a, b):\r\n    pass\n"
    (tmp_path / "question.txt").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    file = str(tmp_path / "question.txt") if how == "file" else None
    assert _question(None, file) == "def add(a, b):\n    pass\n"


@pytest.mark.parametrize("how", ["argument", "file", "stdin", "dash"])
def test_the_question_comes_as_argument_file_or_stdin(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "question.txt"
    file.write_text(QUESTION)
    given = {"argument": [QUESTION], "file": ["-f", str(file)], "stdin": [], "dash": ["-"]}[how]
    done = subprocess.run(
        [sys.executable, "-m", "ponder", "solve", *given, "-m", "simulated(accuracy=1)", "-q"],
        input=QUESTION if how in ("stdin", "dash") else "",
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=600,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


BAD: list[tuple[list[str], str]] = [
    (["--strategy", "self_consistancy"], "did you mean 'self_consistency'?"),
    (["--set", "nn=3"], "did you mean 'n'?"),
    (["--set", "n"], "--set takes KNOB=VALUE"),
    (["--set", "n=0"], "knob 'n' must be between 1 and 4,096, not '0'."),
    (["--set", "n=many"], "knob 'n' must be a whole number, not 'many'."),
    (["--set", "stop=soon"], "unknown stopping rule 'soon': expected one of"),
    (["--set", "stop=bayes", "--set", "weight=confidence"], "stop=bayes counts votes"),
    (["--set", "temperature=9"], "knob 'temperature' must be between 0 and 5, not '9'."),
    (["--effort", "hihg"], "did you mean 'high'?"),
    (["--model", "qwen2.5-coder-0.5"], "did you mean 'qwen2.5-coder-0.5b'?"),
    (["--model", "simulated(acuracy=1)"], "did you mean 'accuracy'?"),
    (["--model", "simulated:accuracy=1"], "expected simulated(KEY=VALUE, ...), such as simulated("),
    (["--model", "simulated(accuracy=most)"], "accuracy must be a number, not 'most'."),
    (["--model", "nowhere/model.gguf"], "there is no file nowhere/model.gguf"),
    (["--max-tokens", "0"], "the budget's tokens must be greater than zero, and finite, not 0."),
    (["--max-tokens", "-5"], "the budget's tokens must be greater than zero, and finite, not -5."),
    (["--max-usd", "nan"], "usd must be greater than zero, and finite, not nan."),
    (["--max-seconds", "-1"], "the budget's seconds must be greater than zero"),
    (["--max-tokens", "20"], "needs at least 33 tokens"),
    (["--max-flops", "5"], "needs at least"),
    (["--max-tokens", "lots"], "Invalid value for '--max-tokens'"),
    (["--verifier", "mean_logprop", "-s", "best_of_n"], "did you mean 'mean_logprob'?"),
    (["--verifier", "lowest_group"], "no choice of verifier, and 'lowest_group' was given"),
    (["--type", "numbr"], "did you mean 'number'?"),
    (["--seed", "-1"], "the seed must be a whole number from 0 to 2147483647"),
    (["--file", "nowhere.txt"], "the question is given twice"),
    (["--schema", "nowhere.json"], "cannot read nowhere.json: No such file or directory."),
    (["--schema", "SCHEMA"], "JSON Schema is invalid"),
    (
        ["--schema", "TYPES"],
        "invalid: at $.type, 5 is not valid under any of the given schemas; repair",
    ),
    (["--choices", "A,B", "--type", "number"], "--choices is for answers of the type choice, not"),
    (["--choices", "A,B", "--schema", "TYPES"], "not 'json': leave one of them out."),
    (["--journal", "a", "--no-journal"], "exclude each other"),
    (["--json", "--quiet"], "--json and --quiet exclude each other: give one of them."),
    (["--json", "--show-trace"], "--json and --show-trace exclude each other"),
    (
        ["-s", "mixture", "--set", "strategies=direct(x=3)"],
        "strategy 'direct' has no knobs of its own: leave x out.",
    ),
    (["--journal", "/dev/null/x.sqlite"], "cannot open the journal"),
    (["--frobnicate"], "No such option"),
    (["--set", "n=4", "--set", "n=8"], "--set n is given twice: give it once."),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("SCHEMA", "{"), ("TYPES", '{"type": 5}')):
        (tmp_path / name).write_text(text)
    named = [str(tmp_path / a) if a in ("SCHEMA", "TYPES") else a for a in arguments]
    model = [] if "--model" in named else ["-m", "simulated"]
    code, out, err = ponder(capsys, "solve", QUESTION, *model, *named)
    assert (code, out) == (2, "")
    assert err.startswith("ponder: ")
    assert err.count("\n") == 1
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_refused(question: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ponder(capsys, "solve", question, "-m", "simulated")
    assert code == 2
    assert err.startswith("ponder: the question is empty")


def test_a_question_longer_than_the_context_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ponder(capsys, "solve", "word " * 40_000, "-m", "simulated")
    assert code == 2
    assert "the question is too long" in err
    assert "32,768" in err


def test_an_unreadable_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    for file, why in ((tmp_path, "Is a directory"), (tmp_path / "latin.txt", "not UTF-8")):
        code, _, err = ponder(capsys, "solve", "-f", str(file), "-m", "simulated")
        assert code == 2
        assert why in err


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.gguf"
    file.write_bytes(b"GGUF")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, err = ponder(capsys, "solve", QUESTION, "-m", str(file))
    assert code == 2
    assert "pip install 'ponder[local]'" in err


def test_an_endpoint_without_its_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1", key_env="PONDER_TEST_NO_SUCH_KEY")
    code, _, err = ponder(capsys, "solve", QUESTION, "-m", "loop")
    assert code == 2
    assert "PONDER_TEST_NO_SUCH_KEY" in err


def test_a_verifier_that_needs_logprobs_is_refused_before_the_first_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with seeded_server() as server:
        configure(tmp_path, server.url)
        code, _, err = ponder(capsys, "solve", QUESTION, "-m", "loop", "-s", "best_of_n")
        assert code == 2
        assert "needs log-probabilities" in err
        assert server.seeds == []


def test_a_failed_run_exits_with_1_and_its_receipt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1", retries=0)
    code, out, err = ponder(capsys, "solve", QUESTION, "-m", "loop", "--effort", "minimal")
    assert (code, out) == (1, "")
    assert "ponder: no sample came back: endpoint 'loop' cannot be reached" in err
    assert "failed" in err


def test_the_key_appears_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOOP_KEY", "sk-very-secret-0123456789")
    with seeded_server() as server:
        configure(tmp_path, server.url, key_env="LOOP_KEY")
        journal = tmp_path / "runs.sqlite"
        arguments = ["-m", "loop", "--json", "--journal", str(journal)]
        code, out, err = ponder(capsys, "solve", QUESTION, *arguments)
        assert code == 0
    written = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
    assert "very-secret" not in out + err
    assert b"very-secret" not in written


def test_ctrl_c_gives_the_best_so_far_and_its_receipt(tmp_path: Path) -> None:
    done, _ = interrupted(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["stopped_by"] == "interrupt"
    assert result["answer"] is not None
    assert sum(c["votes"] for c in result["candidates"]) == 3
    total = result["receipt"]["total"]
    assert (total["calls"], total["completion_tokens"]) == (8, 30)
    assert total["wasted_tokens"] == 5 * 1024  # unstreamed: nobody knows, so the worst case


@pytest.mark.parametrize(
    ("budget", "missing"), [("--max-usd", "no price is known"), ("--max-flops", "the size of loop")]
)
def test_a_budget_that_nobody_can_keep_is_refused(
    budget: str, missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with seeded_server() as server:
        configure(tmp_path, server.url)
        code, _, err = ponder(capsys, "solve", QUESTION, "-m", "loop", budget, "1")
        assert code == 2
        assert missing in err
        assert server.seeds == []


def test_no_answer_is_said_on_stderr_alone_when_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-m", "simulated(length=5000)", "--set", "length=20", "--type", "json", "-q"]
    code, out, err = ponder(capsys, "solve", QUESTION, *arguments)  # it knows boxes only
    assert (code, out) == (1, "")
    assert err == (
        "ponder: no sample came to an answer: try a longer --set length=..., or another --type.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["How", "many"], "put the question in quotes"),
        (["-3 + 5 = ?"], "goes behind '--'"),
    ],
)
def test_first_mistakes_get_a_hint(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ponder(capsys, "solve", *arguments, "-m", "simulated")
    assert code == 2
    assert hint in err


def test_no_hint_about_questions_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("review", "list"), ("runs", "list", "-2")):
        code, _, err = ponder(capsys, *arguments)
        assert (code, "question" in err) == (2, False)


def test_a_larger_model_is_named_for_effort_auto_alone(capsys: pytest.CaptureFixture[str]) -> None:
    larger = ("--escalate-to", "simulated(accuracy=0.9)")
    for effort in ((), ("-e", "auto", "-s", "direct")):
        code, _, err = ponder(capsys, "solve", QUESTION, "-m", "simulated", *effort, *larger)
        assert (code, err) == (
            2, "ponder: --escalate-to goes with --effort auto: add that, or leave it out.\n"
        )  # fmt: skip
    for option in ("-e", "-s"):
        code, _, err = ponder(capsys, "solve", QUESTION, "-m", "simulated", option, "auto", *larger)
        assert code == 0, err


def test_help_fits_a_terminal_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ponder(capsys, "solve", "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80


def test_a_closed_stdin_or_a_full_disk_is_one_sentence() -> None:
    for line, why in (
        ("solve -m simulated <&-", "there is no question"),
        ("solve hi -m simulated --no-journal > /dev/full", "cannot go on: No space left"),
    ):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{sys.executable} -m ponder {line}"],
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode in (1, 2)
        assert why in done.stderr
        assert "Traceback" not in done.stderr


def test_what_the_verifier_said_of_each_candidate_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ("-m", "simulated", "-s", "best_of_n", "--set", "n=4", "--verifier", "lowest_group")
    code, out, _ = ponder(capsys, "solve", QUESTION, *asked, "--json")
    assert code == 0
    candidates = json.loads(out)["candidates"]
    for candidate in candidates:
        [said] = candidate["said"]
        assert (said["verifier"], said["verdict"]) == ("lowest_group", "scored")
        assert said["score"] == candidate["score"]
    _, out, _ = ponder(capsys, "solve", QUESTION, *asked)
    assert out.count("lowest_group") == len(candidates)
    assert f"{candidates[0]['score']:.3f}" in out


def test_rubrics_and_scripts_become_the_verifiers_name() -> None:
    assert verifier_name(None, None, None) is None
    assert verifier_name("judge", None, None) == "judge"
    assert verifier_name(None, "r.txt", None) == "judge(rubric=r.txt)"
    assert verifier_name("pairwise(big)", "r.txt", None) == "pairwise(big, rubric=r.txt)"
    assert verifier_name("judge(big, k=5)", "r.txt", None) == "judge(big, k=5, rubric=r.txt)"
    assert verifier_name(None, None, "check.py:score") == "script(check.py, score)"


BAD_VERIFIERS = {
    "--rubric r.txt --verifier mean_logprob": "--rubric is for the verifiers judge and pairwise",
    "--verifier-script c.py:f --verifier judge": "is a verifier of its own: give it alone",
    "--rubric nowhere.txt --verifier judge": "nowhere.txt",
    "--verifier-script nowhere.py:f": "nowhere.py",
    "--verifier-script c.py": "--verifier-script takes PATH.py:FUNCTION, not 'c.py'.",
}


@pytest.mark.parametrize("arguments", BAD_VERIFIERS)
def test_bad_verifiers_are_one_sentence(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("-m", "simulated", "-s", "best_of_n", *arguments.split())
    code, out, err = ponder(capsys, "solve", QUESTION, *asked)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert BAD_VERIFIERS[arguments] in err


def test_a_rubric_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rubric.txt").write_text("5: it is 42. 1: it is not.")
    asked = ("-m", "simulated", "-s", "best_of_n", "--rubric", str(tmp_path / "rubric.txt"))
    code, out, err = ponder(capsys, "solve", QUESTION, *asked, "--json")
    assert code == 0, err
    assert {i["role"] for i in json.loads(out)["receipt"]["items"]} == {"generate", "judge"}
