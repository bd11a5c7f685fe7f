"""Rows as trainers read them, and what never changes or reaches them."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ponder
from ponder.core.errors import PonderError, UsageError
from ponder.learning.rows.exporting import Export, held_out_path, write
from ponder.learning.rows.picking import Choice
from ponder.learning.rows.questions import problem_from_text, side
from ponder.models.fakes.scripted import Scripted
from tests.support.lessons import HEADER, SUM, asked, asks, exported, pool, rows, sample
from tests.support.searching import Tree

OTHER = "What is six times eight?"
PROMPT = [{"role": "user", "content": f"{SUM}\n\nThink step by step, and put the final number in \\boxed{{}}."}]  # fmt: skip  # noqa: E501


def turn(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.fixture
def source(tmp_path: Path) -> str:
    """One problem with two right chains and a wrong one, and one with a right one."""
    entry = asked(SUM, sample("so it is 42"), sample("42"), sample("no, 41", 0.0, answer="41"))
    return pool(tmp_path / "pool.jsonl", entry, asked(OTHER, sample("it is 48")))


def of_sum(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in found if row["ponder"]["problem_id"] == f"p/{SUM}"]


def test_rows_of_every_format(source: str, tmp_path: Path) -> None:
    def first(kind: Any) -> dict[str, Any]:
        [row, *_] = of_sum(exported(tmp_path, [source], kind)[1])
        del row["ponder"]
        return row

    assert first("sft") == {"prompt": PROMPT, "completion": turn("42")}
    assert first("messages") == {"messages": [*PROMPT, *turn("42")]}
    chosen, rejected = turn("so it is 42"), turn("no, 41")
    pairs = {"prompt": PROMPT, "chosen": turn("42"), "rejected": rejected}
    assert first("preference") == pairs
    assert chosen != pairs["chosen"]


def test_a_row_says_where_it_comes_from(source: str, tmp_path: Path) -> None:
    summary, found = exported(tmp_path, [source])
    origin = {"source": "pool.jsonl", "run": "", "sample": "1", "model": "m", "strategy": "",
              "seed": 3, "score": 1.0, "tokens": 1}  # fmt: skip
    [row, _] = of_sum(found)
    assert row["ponder"] == {
        "problem_id": f"p/{SUM}",
        "problem_hash": row["ponder"]["problem_hash"],
        "question_hash": side(asks(SUM)),
        "verifier": "v",
        "chains": [origin],
    }
    assert summary.to_json() == {
        "format": "sft",
        "verifier": "v",
        "rows": 3,
        "problems": 2,
        "held_out": 0,
        "read": {"problems": 2, "chains": 4, "passed": 3},
        "left_out": {},
        "evaluation_suites": [],
    }


def test_a_prompt_has_what_its_reward_needs(source: str, tmp_path: Path) -> None:
    _, found = exported(tmp_path, [source], "prompts", verifier="regex(42)")
    [row] = of_sum(found)
    assert (row["prompt"], row["verifier"]) == (PROMPT, "regex(42)")
    assert problem_from_text(row["problem"]).messages == asks(SUM).messages
    assert row["ponder"]["chains"] == []


def test_steps_of_a_search(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    knobs = {"width": 2, "fan": 2}
    how: dict[str, Any] = {"strategy": "beam_search", "knobs": knobs, "verifier": "regex(b)"}
    asking: dict[str, Any] = {"journal": path, "seed": 1, "answer_type": "number", **how}
    ponder.solve(SUM, model=Scripted(Tree()), **asking)
    _, found = exported(tmp_path, [str(path)], "steps", verifier="regex(b)")
    for row in found:
        assert row["prompt"] == PROMPT[0]["content"]
        assert len(row["completions"]) == len(row["labels"]) == len(row["values"]) == 3
        assert row["values"][-1] == float("b" in "".join(c[0] for c in row["completions"]))
        assert row["labels"] == [value > 0 for value in row["values"]]
    assert len(found) == 4
    assert [0.75, 1.0, 1.0] in [row["values"] for row in found]


# What decides -------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([True, False, None]), min_size=4, max_size=4), st.text(max_size=9))
@settings(max_examples=20)
def test_no_reference_decides(
    tmp_path_factory: pytest.TempPathFactory, grades: list[bool | None], gold: str
) -> None:
    folder = tmp_path_factory.mktemp("graded")
    chains = [sample("a 42"), sample("b 42", 0.0), sample("c", None), sample("d 42", 0.4)]
    plain = pool(folder / "pool.jsonl", asked(SUM, *chains))
    bare = [exported(folder, [plain], kind)[1] for kind in ("sft", "preference")]
    graded = [{**one, "correct": grade} for one, grade in zip(chains, grades, strict=True)]
    pool(folder / "pool.jsonl", asked(SUM, *graded, gold=gold))
    assert [exported(folder, [plain], kind)[1] for kind in ("sft", "preference")] == bare


def test_agreement_can_decide(tmp_path: Path) -> None:
    same = [sample(f"{word} 42", None) for word in ("a", "b", "c")]
    source = pool(tmp_path / "p.jsonl", asked(SUM, *same, sample("d", None, answer="7")))
    summary, found = exported(tmp_path, [source], verifier="agreement", at_least=0.75)
    assert (summary.passed, len(found)) == (3, 3)
    assert {row["ponder"]["chains"][0]["score"] for row in found} == {0.75}


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    entry = asked(SUM, sample("42"), sample(None), sample("42 a", cut=True))
    summary, found = exported(tmp_path, [pool(tmp_path / "p.jsonl", entry)])
    assert len(found) == 1
    assert summary.to_json()["left_out"] == {"truncated": 1, "without a text": 1}


def test_a_problem_of_two_sources_is_one_problem(source: str, tmp_path: Path) -> None:
    again = pool(tmp_path / "again.jsonl", asked(SUM, sample("4 2"), sample("42")))
    both = exported(tmp_path, [source, again], most=2)[1]
    assert exported(tmp_path, [again, source, again], most=2)[1] == both
    assert [row["completion"] for row in of_sum(both)] == [turn("42"), turn("4 2")]


def test_a_chain_stands_behind_the_prompt_that_it_was_asked_with(
    source: str, tmp_path: Path
) -> None:
    header = {**HEADER, "style": "brief"}
    brief = pool(tmp_path / "brief.jsonl", asked(SUM, sample("brief 42")), header=header)
    for sources in ([source, brief], [brief, source]):
        found = of_sum(exported(tmp_path, sources, most=1)[1])
        told = {row["completion"][0]["content"]: row["prompt"] for row in found}
        assert told.keys() == {"42", "brief 42"}
        assert told["42"] == PROMPT != told["brief 42"]


def test_questions_of_a_suite_are_left_out(source: str, tmp_path: Path) -> None:
    suite = tmp_path / "suite.jsonl"
    suite.write_text(json.dumps({"question": OTHER, "answer": "48"}))
    summary, found = exported(tmp_path, [source], not_in=[str(suite)])
    assert found == of_sum(found)
    assert summary.left_out["contaminated problems"] == 1


def test_a_suite_for_evaluation_is_told_of(data: Path, tmp_path: Path) -> None:
    def suites(name: str, problem: str) -> tuple[str, ...]:
        entry = {"problem_id": problem, "answer_type": "number", "samples": [sample("42")]}
        source = pool(tmp_path / "p.jsonl", entry, header={**HEADER, "suite": name})
        return exported(tmp_path, [source], data=data)[0].evaluation

    assert suites("gsm8k", "gsm8k/test/0") == ("gsm8k",)
    assert suites("gsm8k/train", "gsm8k/train/0") == ()


# Sides --------------------------------------------------------------------------------------------


def test_a_question_is_on_one_side_in_every_file(tmp_path: Path) -> None:
    def sides(name: str, order: int) -> tuple[set[str], set[str]]:
        entries = [
            asked(f"What is {i}?", sample(f"{i}"), sample(f"{i} {order}")) for i in range(40)
        ]
        source = pool(tmp_path / name, *entries[::order])
        summary, kept = exported(tmp_path, [source], holdout=0.3)
        held = rows(held_out_path(tmp_path / "data.jsonl"))
        assert (summary.rows, summary.held_out) == (len(kept), len(held))
        first, second = ({row["ponder"]["question_hash"] for row in part} for part in (kept, held))
        assert len(first) + len(second) == 40
        assert not first & second
        return first, second

    found = sides("a.jsonl", 1)
    assert all(found)
    assert found == sides("b.jsonl", -1)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_a_share_is_from_zero_to_below_one(fraction: float) -> None:
    with pytest.raises(UsageError, match="from 0 to below 1"):
        Export(["x"], Choice("v"), holdout=fraction)


# Nothing, and disks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "verifier", "said"),
    [
        ("sft", "w", r"no chain has a score of 'w': name one that the sources have \(v\)"),
        ("steps", "v", "no run has a chain of two steps or more"),
        ("preference", "agreement", "no problem has a right chain and a wrong one"),
    ],
)
def test_nothing_to_write_is_an_error(kind: Any, verifier: str, said: str, tmp_path: Path) -> None:
    source = pool(tmp_path / "p.jsonl", asked(SUM, sample("42")))
    with pytest.raises(UsageError, match=said):
        exported(tmp_path, [source], kind, verifier=verifier)
    assert not (tmp_path / "data.jsonl").exists()


def test_prompts_need_a_verifier_that_can_be_asked(source: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown verifier"):
        exported(tmp_path, [source], "prompts", verifier="agreement")


def test_half_a_character_is_written_escaped(tmp_path: Path) -> None:
    _, found = exported(tmp_path, [pool(tmp_path / "p.jsonl", asked(SUM, sample("\ud83d 42")))])
    assert found[0]["completion"] == turn("\ud83d 42")


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    kept, other = folder / "kept", folder / "other"
    kept.write_text("before")

    def failing() -> Any:
        yield b"half"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(PonderError, match="No space left on device; nothing was changed"):
        write({kept: [b"after"], other: failing()})
    assert kept.read_text() == "before"
    assert [*folder.iterdir()] == [kept]
    write({kept: [b"after"], other: [b"x"]})
    assert (kept.read_text(), other.read_text()) == ("after", "x")
