"""Environments: folders that larger trainers import."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ponder.core.errors import UsageError
from ponder.core.text.refs import Ref
from ponder.experiments.suites.registry import find
from ponder.learning.environments import PROBLEMS, REFERENCE, Environment, check, export
from tests.support.lessons import SUM


@pytest.fixture
def suite(tmp_path: Path) -> Any:
    rows = [{"q": f"What is {i} + 42 - {i}?", "a": "42"} for i in range(3)]
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return find(f"{path}(question=q,answer=a,type=number)")


@pytest.fixture
def written(suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of an environment whose reward is a verifier's."""
    assert export(suite, suite.load(), "regex(^42$)", tmp_path / "own_sums") == 3
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("own_sums")
    yield module
    module.environment.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "own_sums"]:
        del sys.modules[name]


def test_its_module_has_entries_and_scores_as_a_task_of_reasoning_gym(written: Any) -> None:
    environment = written.environment
    assert len(environment) == len([*environment]) == 3
    entry = environment[1]
    assert entry.keys() == {"question", "answer", "metadata"}
    assert entry["question"].startswith("What is 1 + 42 - 1?\n\nThink step by step")
    assert entry["answer"] == ""
    assert "gold" not in entry["metadata"]
    replies = ("42", "so \\boxed{42}", "\\boxed{43}", "43", "", None)
    assert [written.score_answer(one, entry) for one in replies] == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_its_reward_is_one_for_trainers(written: Any) -> None:
    rows = written.environment.rows
    kept = [row["metadata"] for row in rows]
    said = ["\\boxed{42}", [{"role": "assistant", "content": "\\boxed{41}"}], ""]
    prompts = [row["prompt"] for row in rows]
    assert written.reward(prompts, said, metadata=kept) == [1.0, 0.0, 0.0]


def test_its_taskset_is_imported_when_it_is_asked_for(
    written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "verifiers", None)  # as if it were not installed
    assert "PonderTaskset" in written.__all__
    with pytest.raises(ModuleNotFoundError, match="verifiers"):
        _ = written.PonderTaskset
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = written.other


def test_no_name_becomes_code(tmp_path: Path) -> None:
    evil = '"""\nraise SystemExit(\'code\')\n"""'
    path = tmp_path / f"{evil}.jsonl"
    path.write_text(json.dumps({"question": SUM, "answer": "42"}))
    suite = find(str(path))
    verifier = str(Ref("regex", (Ref(f"42|{evil}{{}}"),)))
    export(suite, suite.load(), verifier, tmp_path / "sums")
    modules = [*(tmp_path / "sums").glob("*.py")]
    assert len(modules) == 3
    for module in modules:
        found = [*ast.walk(ast.parse(module.read_text()))]
        texts = [node.value for node in found if isinstance(node, ast.Constant)]
        assert (verifier in texts) == (module.name == "environment.py")
        raised = [node for node in found if isinstance(node, ast.Raise)]
        assert len(raised) == (module.name == "__init__.py")


def test_the_references_of_a_suite_for_training_can_be_the_reward(
    suite: Any, tmp_path: Path
) -> None:
    export(suite, suite.load(), REFERENCE, tmp_path / "sums")
    environment = Environment.load(tmp_path / "sums", REFERENCE)
    try:
        entry = environment[0]
        assert (entry["answer"], entry["metadata"]["gold"]) == ("42", "42")
        replies = ("42.0", "\\boxed{42}", "\\boxed{43}")
        assert [environment.score_answer(one, entry) for one in replies] == [1.0, 1.0, 0.0]
    finally:
        environment.close()


def test_reasoning_gym_drives_it(written: Any) -> None:
    gym = pytest.importorskip("reasoning_gym.dataset", reason="needs the extra gym")
    general: Any = gym.ProceduralDataset
    assert [*inspect.signature(general.score_answer).parameters][1:] == [
        *inspect.signature(written.score_answer).parameters
    ]

    class Task(general):  # type: ignore[misc]
        def __getitem__(self, index: int) -> Any:
            return written.environment[index]

        def score_answer(self, answer: str | None, entry: dict[str, Any]) -> float:
            return float(written.score_answer(answer, entry))

    task = Task(None, seed=0, size=len(written.environment))
    assert [task.score_answer("42", entry) for entry in task] == [1.0] * 3


@pytest.mark.parametrize(
    ("name", "verifier", "said"),
    [
        ("sums", "nothing", "unknown verifier 'nothing'"),
        ("my-sums", "arithmetic", "'my-sums' cannot be imported"),
        ("class", "arithmetic", "'class' cannot be imported"),
        ("sums", REFERENCE, "models are measured on gsm8k"),
    ],
)
def test_what_cannot_be_an_environment_is_refused(
    name: str, verifier: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        check(find("gsm8k"), verifier, tmp_path / name)
    check(find("gsm8k/train"), REFERENCE, tmp_path / "sums")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (b"{}", "line 1: its metadata must be"),
        (b"[1]", "line 1: it is not a JSON object"),
        (b"\xff", "line 1: not JSON"),
        (b'{"question": "?", "metadata": {"problem": "{}"}}', "a row's problem is damaged"),
    ],
)
def test_a_damaged_environment_is_refused(
    damage: bytes, said: str, suite: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "sums"
    export(suite, suite.load(), "arithmetic", folder)
    (folder / PROBLEMS).write_bytes(damage)
    with pytest.raises(UsageError, match=said):
        Environment.load(folder, "arithmetic")
