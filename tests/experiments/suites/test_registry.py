"""The suites as they are in the data folder, files of one's own, and every way to get it wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.core.problem import AssertTests
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading.gold import Arithmetic, HiddenTests, Reference
from ponder.experiments.suites.humaneval import public_tests
from ponder.experiments.suites.registry import SUITES, find
from tests.support.suites import NUMBER, question

ROWS = {
    "gsm8k": 1319, "gsm8k/train": 7473, "math500": 500, "aime": 60, "aime/2024": 30,
    "aime/2025": 30, "amc": 40, "humaneval": 164, "mbpp": 427, "svamp": 1000, "multiarith": 600,
    "game24": 1362, "game24/paper": 100, "countdown": 256, "bbh": 1500,
    "bbh/boolean_expressions": 250, "bbh/logical_deduction_three_objects": 250,
    "bbh/multistep_arithmetic_two": 250, "bbh/navigate": 250, "bbh/object_counting": 250,
    "bbh/web_of_lies": 250,
}  # fmt: skip
"""As in the table of the data folder's README."""


# The data folder ----------------------------------------------------------------------------------


@cache
def loaded(name: str, data: Path) -> Sequence[Item]:
    """A suite's items, read once for all tests that look at them."""
    return find(name).load(data)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_has_its_rows_and_stable_unique_ids(data: Path, name: str) -> None:
    items = loaded(name, data)
    assert len(items) == ROWS[name] == SUITES[name].rows
    ids = [item.problem_id for item in items]
    assert len(set(ids)) == len(ids)
    assert ids == [item.problem_id for item in find(name).load(data)]
    assert all(i.startswith(f"{name.partition('/')[0]}/") for i in ids)


def test_a_part_has_the_same_items_as_the_whole(data: Path) -> None:
    for name in ("bbh", "aime"):
        parts = [p for p in SUITES if p.startswith(f"{name}/")]
        together = [item for part in parts for item in loaded(part, data)]
        assert together == list(loaded(name, data))
    assert loaded("game24/paper", data) == loaded("game24", data)[900:1000]


FIRST: dict[str, tuple[str, str, Any, str | int | None]] = {
    "gsm8k": ("gsm8k/test/0", "number", Reference("18", "number"), 2),
    "gsm8k/train": ("gsm8k/train/0", "number", Reference("72", "number"), 2),
    "math500": (
        "math500/test/precalculus/807", "math",
        Reference(r"\left( 3, \frac{\pi}{2} \right)", "math"), 2,
    ),
    "aime/2024": ("aime/2024/0", "number", Reference("204", "number"), None),
    "aime/2025": ("aime/2025/0", "number", Reference("70", "number"), None),
    "amc": ("amc/2023/0", "number", Reference("27", "number"), None),
    "svamp": ("svamp/chal-1", "number", Reference("51", "number"), None),
    "multiarith": ("multiarith/0", "number", Reference("39", "number"), None),
    "game24": ("game24/1", "math", Arithmetic((1, 1, 4, 6), Fraction(24)), None),
    "game24/paper": ("game24/901", "math", Arithmetic((4, 5, 6, 10), Fraction(24)), None),
    "countdown": ("countdown/cd3/0", "math", Arithmetic((30, 100, 93), Fraction(23)), None),
    "bbh/boolean_expressions": (
        "bbh/boolean_expressions/0", "choice", Reference("False", "choice"), None,
    ),
    "bbh/multistep_arithmetic_two": (
        "bbh/multistep_arithmetic_two/0", "number", Reference("24", "number"), None,
    ),
    "bbh/navigate": ("bbh/navigate/0", "choice", Reference("No", "choice"), None),
    "bbh/object_counting": ("bbh/object_counting/0", "number", Reference("8", "number"), None),
    "bbh/web_of_lies": ("bbh/web_of_lies/0", "choice", Reference("No", "choice"), None),
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST)
def test_the_first_item_is_as_published(data: Path, name: str) -> None:
    item = loaded(name, data)[0]
    found = (item.problem_id, item.problem.answer_type, item.gold, item.level)
    assert found == FIRST[name]


def test_prompts_are_the_suite_s_question_and_one_instruction(data: Path) -> None:
    def first(name: str) -> str:
        return question(loaded(name, data)[0])

    assert first("gsm8k").startswith("Janet’s ducks lay 16 eggs per day.")
    assert first("gsm8k").endswith(f"at the farmers' market?{NUMBER}")
    assert first("svamp") == (
        "Each pack of dvds costs 76 dollars. If there is a discount of 25 dollars on each pack. "
        f"How much do you have to pay to buy each pack?{NUMBER}"
    )
    assert first("aime").endswith("put your final answer within \\boxed{}.")
    assert "one of True, False," in first("bbh")
    assert first("countdown") == (
        "Use each of the numbers 30, 100, 93 exactly once, with the operations +, -, *, / and "
        "parentheses, to make 23. Combine two numbers at a time, one step on each line, and say "
        "which numbers are left. Put the whole expression in \\boxed{}."
    )
    own = ("aime", "game24", "countdown")  # these ask for the box themselves
    for name in SUITES:
        for item in loaded(name, data)[:20]:
            asked = question(item)
            assert asked.count("Think step by step") + asked.count("End with the complete") == (
                name.partition("/")[0] not in own
            )


def test_the_tests_of_programs_stay_hidden_but_for_the_public_ones(data: Path) -> None:
    item = loaded("humaneval", data)[0]
    assert item.problem_id == "humaneval/0"
    assert isinstance(item.problem.tests, AssertTests)
    assert item.problem.tests.entry_point == "has_close_elements"
    assert item.problem.tests.code.splitlines() == [
        "assert has_close_elements([1.0, 2.0, 3.0], 0.5) == False",
        "assert has_close_elements([1.0, 2.8, 3.0, 4.0, 5.0, 2.0], 0.3) == True",
    ]
    assert isinstance(item.gold, HiddenTests)
    assert item.gold.tests.endswith("check(has_close_elements)\n")
    assert item.gold.preamble == "from typing import List\n\n\n"
    item = loaded("mbpp", data)[0]
    shown = "assert set(similar_elements((3, 4, 5, 6),(5, 7, 4, 10))) == set((4, 5))"
    assert item.problem_id == "mbpp/2"
    assert item.problem.tests == AssertTests(shown, "similar_elements")
    assert question(item).startswith(
        "Write a function to find the shared elements from the given two lists.\n\n"
        f"Your code must pass this test:\n\n```python\n{shown}\n```"
    )
    assert len(item.gold.secrets()) == 3
    for item in loaded("mbpp", data):
        assert all(secret not in question(item) for secret in item.gold.secrets()[1:])


def test_public_tests_are_doctests_with_a_literal_result() -> None:
    prompt = (
        'def f(n):\n    """\n    >>> f(1)\n    [2]\n    >>> g(f(1))\n    x\n    >>> f(2)\n    """\n'
    )
    assert public_tests(prompt, "f") == "assert f(1) == [2]"
    assert public_tests("def f(", "f") == ""
    assert public_tests('def f(n):\n    """\n    >>>f(1)\n    2\n    """\n', "f") == ""


# What goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("gsm9k", "unknown suite 'gsm9k': did you mean 'gsm8k'?"),
        ("bbh/navigat", "unknown part of 'bbh' 'navigat': did you mean 'navigate'?"),
        ("math500/hard", "the suite 'math500' has no parts: leave out '/hard'."),
        ("nowhere/x.jsonl", "there is no file nowhere/x.jsonl"),
        ("gym(chain_sum, size=0)", "size must be a whole number, 1 or more, not 0."),
        ("gym(chain_sum, seed=x)", "seed must be a whole number, 0 or more, not 'x'."),
        ("hf(a/b, limit=x)", "limit must be a whole number"),
        ("gym", "'gym': expected gym(TASK, NAME=VALUE, ...)."),
        ("hf(a/b, c)", "expected hf(OWNER/NAME, NAME=VALUE, ...)."),
        ("gsm8k(limit=3)", "the suite 'gsm8k' takes no 'limit=': leave it out."),
        ("gsm8k@big", "takes no model: leave out '@big'."),
        ("gsm8k(", "'gsm8k(' cannot be read at the end"),
        ("x.jsonl:question=q", "a suite's arguments stand in brackets, as in 'rows.jsonl("),
        ("gym:chain_sum:seed=7", "'gym:chain_sum:seed=7': a suite's arguments stand in brackets"),
        ("hf:a/b", "'hf:a/b': a suite's arguments stand in brackets"),
    ],
)
def test_what_is_no_suite_is_one_sentence(said: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        find(said).load()
    assert complaint in str(refused.value)


def test_not_utf8_and_not_gzip(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"question,answer\na,1\n\xff,2\n")
    with pytest.raises(UsageError, match=r"x\.csv, line 3: it is not UTF-8"):
        find(f"{tmp_path}/x.csv").load()
    (tmp_path / "x.jsonl.gz").write_bytes(b"plain")
    with pytest.raises(UsageError, match=r"cannot read .*x\.jsonl\.gz"):
        find(f"{tmp_path}/x.jsonl.gz").load()


def test_a_missing_data_folder_names_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PONDER_DATA", raising=False)
    with pytest.raises(UsageError, match="name it with --data DIR, or set PONDER_DATA"):
        find("gsm8k").load()
    monkeypatch.setenv("PONDER_DATA", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"there is no data folder .*none: .*PONDER_DATA"):
        find("gsm8k").load()
    with pytest.raises(UsageError, match=r"has no gsm8k/test\.jsonl, .*'gsm8k'.*--data"):
        find("gsm8k").load(tmp_path)


PUT = {
    "gsm8k": ("gsm8k/test.jsonl", '{"question": "q", "answer": "no"}', "must be a solution that"),
    "math500": ("math500/test.jsonl", '{"level": "five"}', "'level' must be a level"),
    "game24": ("game24/24.csv", "Rank,Puzzles\n1,1 2 x 4", "line 2: column 'Puzzles'"),
    "countdown": (
        "countdown/countdown_cd3_test.jsonl", '{"input": "1,2,3", "output": "x"}', "'input' must",
    ),
    "bbh/navigate": (
        "bbh/navigate.json", '{"examples": [{"input": "q", "target": "Maybe"}]}', "one of Yes, No",
    ),
    "bbh/web_of_lies": ("bbh/web_of_lies.json", "{}", "an array in the field 'examples'"),
    "mbpp": (
        "mbpp/sanitized-mbpp.json", '[{"test_list": [], "test_imports": []}]', "one assertion",
    ),
    "svamp": (
        "svamp/SVAMP.json", '[{"Body": "b", "Question": "q", "ID": "i", "Answer": true}]',
        "'Answer' must be a text, not true",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUT)
def test_a_broken_row_of_a_suite_says_which(tmp_path: Path, name: str) -> None:
    file, text, complaint = PUT[name]
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        find(name).load(tmp_path)
    assert complaint in str(refused.value)
    assert path.name in str(refused.value)


@pytest.mark.parametrize("test", ["assert True", "# assert f(1) == 2", "assert (f(1) == 2, 'm')"])
def test_a_row_whose_tests_assert_nothing_is_refused_by_its_place(
    tmp_path: Path, test: str
) -> None:
    path = tmp_path / "mbpp" / "sanitized-mbpp.json"
    path.parent.mkdir()
    row = {"prompt": "Write f.", "task_id": 1, "test_imports": [], "test_list": [test]}
    path.write_text(json.dumps([row]))
    with pytest.raises(UsageError, match=r"mbpp\.json, row 1: the tests assert"):
        find("mbpp").load(tmp_path)
