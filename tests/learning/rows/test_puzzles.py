"""Puzzles solved in words, as rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.core.errors import UsageError
from ponder.experiments.suites.registry import find
from ponder.learning.rows.puzzles import Puzzles, teach
from ponder.learning.rows.questions import identity, side
from ponder.learning.thinking.bounds import ALL, BOUNDS
from tests.support.jobs import PROBLEM
from tests.support.lessons import rows

SUITE = "countdown/train(seed=7, n=6)"
PROBLEMS = [(item.problem_id, item.problem) for item in find(SUITE).load()]


def test_each_puzzle_has_a_row_at_each_level_with_its_origin(tmp_path: Path) -> None:
    output = tmp_path / "data.jsonl"
    done = teach(Puzzles(SUITE, PROBLEMS, ALL, seed=3), output)
    found = rows(output)
    assert [row["ponder"]["thinking"] for row in found] == list(ALL) * 6
    name, problem = PROBLEMS[0]
    first, low = found[:2]
    [origin] = low["ponder"]["chains"]
    assert low["ponder"] == {
        "problem_id": name,
        "problem_hash": identity(problem),
        "question_hash": side(problem),
        "verifier": "arithmetic",
        "chains": [
            {"source": SUITE, "run": "", "sample": name, "model": "symbolic search",
             "strategy": "", "seed": 3, "score": 1.0, "tokens": origin["tokens"]}
        ],
        "thinking": "low",
    }  # fmt: skip
    question = first["prompt"][-1]["content"]
    assert [m["content"] for m in first["prompt"]] == [m.content for m in problem.shown]
    assert low["prompt"][:-1] == first["prompt"][:-1]
    assert low["prompt"][-1] == {"role": "user", "content": f"{question}\n\nThinking: low"}
    assert low["completion"][0]["content"].startswith("<think>\nI want 53 from 40, 85, 8.\n")
    assert done.to_json()["rows"] == 24
    for level, bound in BOUNDS.items():
        assert max(done.lengths[level]) <= bound.tokens


def test_the_same_puzzles_and_seed_make_the_same_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    for path in (one, other):
        teach(Puzzles(SUITE, PROBLEMS, ["high"]), path)
    assert one.read_bytes() == other.read_bytes()


def test_what_is_no_puzzle_is_counted_and_nothing_is_an_error(tmp_path: Path) -> None:
    output = tmp_path / "data.jsonl"
    done = teach(Puzzles(SUITE, [*PROBLEMS[:1], ("p", PROBLEM)], ["low"]), output)
    assert (done.rows, done.problems, sum(done.left_out.values())) == (1, 1, 1)
    with pytest.raises(UsageError, match="gives no lesson"):
        teach(Puzzles("gsm8k/train", [("p", PROBLEM)], ALL), tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()
