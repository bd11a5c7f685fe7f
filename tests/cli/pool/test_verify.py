"""``ponder pool verify``: scores that are bought once, kept in the pool, and counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ponder.core.problem import Message, Problem
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.verifiers import registry
from ponder.verifiers.base import Facts
from tests.support.commands import ponder
from tests.support.recording import lines, suite
from tests.support.seeded import configure, seeded_server


@dataclass
class Asking(Facts):
    """Asks the run's model about each trace, and gives it a score by its answer."""

    name: str = "asking"

    async def score(
        self, problem: Problem, traces: Sequence[Trace], session: Session
    ) -> list[Score]:
        async def ask(child: Session, trace: Trace) -> Score:
            asked = Problem((Message("user", f"Is it {trace.answer}?"),))
            await child.grow(Trace.empty(asked), role="judge")
            right = trace.answer is not None and trace.answer.text == "42"
            return Score(float(right) if trace.answer else None, self.name)

        return await session.gather([partial(ask, trace=trace) for trace in traces])


@pytest.fixture
def pool(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> Path:
    monkeypatch.setitem(registry.KINDS, "asking", registry.Kind(lambda _: Asking(), "asks"))
    path = tmp_path / "pool.jsonl"
    arguments = ["--suite", suite(tmp_path), "-m", "simulated(accuracy=0.5)", "--n", "4"]
    assert ponder(capsys, "pool", "record", *arguments, "-o", str(path), "-q")[0] == 0
    return path


def verify(
    capsys: pytest.CaptureFixture[str], pool: Path, *more: str, verifier: str = "asking"
) -> tuple[int, str, str]:
    where = ["--suite", suite(pool.parent), "-o", str(pool.with_name("out.jsonl"))]
    return ponder(capsys, "pool", "verify", str(pool), "--verifier", verifier, *where, *more)


def test_scores_and_what_they_cost_are_kept(pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with seeded_server() as server:
        configure(pool.parent, server.url)
        code, out, err = verify(capsys, pool, "-m", "loop")
        assert (code, out) == (0, ""), err
        assert len(server.seeds) == 16
        assert "16 of 16 samples have the score 'asking'; 480 tokens" in err
        again = verify(capsys, pool, "-m", "loop", "--force", "--quiet")
        assert again == (0, "", "")
        assert len(server.seeds) == 16  # nothing was asked again
    header, *problems = lines(pool.with_name("out.jsonl"))
    assert header == lines(pool)[0]
    for problem in problems:
        for sample in problem["samples"]:
            assert sample["score"] == {"asking": float(sample["answer"] == "42")}
            assert sample["verified"]["asking"]["tokens"] == 30
    out = ponder(
        capsys, "pool", "score", str(pool.with_name("out.jsonl")), "--by", "best:asking", "--json"
    )[1]
    rows = {(r["by"], r["n"]): r for r in json.loads(out)["rows"]}
    best, coverage = rows["best:asking", 4], rows["coverage", 4]
    assert best["accuracy"] == pytest.approx(coverage["accuracy"])
    assert best["tokens"] == pytest.approx(coverage["tokens"] + 4 * 30)


def test_the_score_may_have_another_name_and_fewer_samples(
    pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = verify(capsys, pool, "-m", "simulated", "--as", "mine", "--n", "2", "-q")
    assert (code, err) == (0, "")
    for problem in lines(pool.with_name("out.jsonl"))[1:]:
        assert [list(s["score"]) for s in problem["samples"]] == [["mine"]] * 2


def test_a_score_must_have_a_name_and_is_not_replaced(
    pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = verify(capsys, pool, "--as", "", verifier="regex:4")
    assert (code, err) == (2, "ponder: --as: expected the name of a score, not ''.\n")
    assert verify(capsys, pool, "--as", "mine", verifier="regex:4")[0] == 0
    scored = pool.with_name("out.jsonl").rename(pool.with_name("scored.jsonl"))
    code, _, err = verify(capsys, scored, "--as", "mine", verifier="regex:2")
    assert (code, err) == (
        2,
        "ponder: the pool has a score 'mine' already: name another with --as, or say --force.\n",
    )
    pool.with_name("out.jsonl.journal").unlink()
    assert verify(capsys, scored, "--as", "mine", "--force", verifier="regex:2")[0] == 0


def test_a_verifier_that_asks_a_model_needs_one(
    pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = verify(capsys, pool)
    assert (code, out) == (2, "")
    assert "this verifier needs a model: name one with --model" in err
    assert not pool.with_name("out.jsonl").exists()


def test_a_budget_that_ends_it_keeps_what_has_come(
    pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with seeded_server() as server:
        configure(pool.parent, server.url)
        code, _, err = verify(capsys, pool, "-m", "loop", "--max-tokens", "1300")
        assert code == 1
        assert "the same command goes on from there" in err
        assert "give a larger one" in err
        asked = list(server.seeds)
        assert 0 < len(asked) < 16
        assert verify(capsys, pool, "-m", "loop", "--quiet")[0] == 0
        assert len(server.seeds) == len(set(server.seeds)) == 16


BAD = {
    "no": "unknown verifier 'no'",
    "mean_logprob:x": "takes nothing in brackets",
    "mean_logprob": "a pool does not keep: record it with --confidence",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(
    name: str, pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = verify(capsys, pool, verifier=name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert BAD[name] in err


def test_another_verifier_does_not_use_the_same_journal(
    pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(capsys, pool, "-m", "simulated", "-q")[0] == 0
    code, _, err = verify(capsys, pool, "--force", verifier="regex:4")
    assert code == 2
    assert "holds another recording, with another verifier and model" in err


def test_a_suite_that_is_not_the_pools_is_refused_before_anything_is_asked(
    pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = pool.parent / "other.jsonl"
    other.write_text('{"question": "?", "answer": "1"}\n')
    out = str(pool.with_name("out.jsonl"))
    asked = ["pool", "verify", str(pool), "--verifier", "asking", "-m", "simulated", "-o", out]
    code, _, err = ponder(capsys, *asked, "--suite", str(other))
    assert code == 2
    assert "has no problem 'sums/0', which the pool has" in err
    code, _, err = ponder(capsys, *asked)
    assert code == 2
    assert "suite 'sums', which is none of Ponder's own: name it, or where it is, with" in err


def test_broken_lines_are_left_out_on_request(
    pool: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = pool.with_name("broken.jsonl")
    broken.write_text(pool.read_text() + "{\n")
    code, _, err = verify(capsys, broken, verifier="regex:4")
    assert (code, "line 6: not JSON" in err, "--skip-broken" in err) == (2, True, True), err
    code, _, err = verify(capsys, broken, "--skip-broken", verifier="regex:4")
    assert code == 0
    assert "skipped 1 broken line: 6" in err
    assert "16 of 16 samples have the score" in err


def test_a_budget_of_flops_ends_it(pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = verify(capsys, pool, "-m", "simulated", "--max-flops", "5")
    assert code == 1
    assert "limit on flops" in err
    assert "give a larger one" in err


def test_samples_without_a_text_are_told_of(pool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = pool.with_name("bare.jsonl")
    assert ponder(capsys, "pool", "strip", str(pool), "-o", str(bare))[0] == 0
    code, _, err = verify(capsys, bare, verifier="regex:4")
    assert code == 0
    assert "16 samples have no text: their answers stand for it" in err
