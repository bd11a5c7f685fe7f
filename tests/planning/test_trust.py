"""A name that runs code, opens a file or asks a model is only ever the caller's own."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

import ponder
from ponder.api import journal_path
from ponder.core.errors import UsageError
from ponder.models import config, names
from ponder.planning.wishes import spec
from ponder.runtime.journal import Journal
from ponder.verifiers import registry
from ponder.verifiers.checkers import _loaded
from ponder.verifiers.learned.features import Agreement
from ponder.verifiers.learned.scorer import Scorer, Sigmoid
from ponder.verifiers.naming import canonical
from ponder.verifiers.registry import Named, named
from tests.support.commands import ponder as command
from tests.support.fuzz import PROBLEM
from tests.support.telling import telling, vllm

SCORER = Scorer(("agreement",), Agreement(), (0.0,), (1.0,), (1.0,), 0.0, Sigmoid(1.0, 0.0))
REACHING = [
    "script:evil.py:f",
    "first(mean_logprob, script:evil.py:f)",
    "product(first(script:evil.py:f))",
    "judge(grader)",
    "judge(rubric=secret.txt)",
    "pairwise(grader, rubric=secret.txt)",
    "self_verify(grader)",
    "substitute(grader, k=1)",
    "process(reward)",
    "process(k=4, by=script:evil.py:f)",
    "human(600, script:evil.py:f)",
]


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script that leaves a trace when it is run."""
    monkeypatch.chdir(tmp_path)
    _loaded.cache_clear()  # one process asks for a file once, whatever its folder
    (tmp_path / "secret.txt").write_text("a rubric")
    (tmp_path / "evil.py").write_text(
        "from pathlib import Path\nPath('ran').touch()\ndef f(question, answer, reply): return 1\n"
    )
    return tmp_path


def saved(folder: Path, *scores: str) -> Path:
    """A learned verifier that looks at these."""
    features = ("agreement", *(f"score:{name}" for name in scores))
    ones = (1.0,) * len(features)
    made = replace(SCORER, features=features, means=ones, scales=ones, coefficients=ones)
    path = folder / "learned.json"
    path.write_text(json.dumps(made.to_json()))
    return path


@pytest.mark.parametrize("score", REACHING)
def test_a_learned_verifier_names_nothing_by_itself(score: str, evil: Path) -> None:
    path = saved(evil, score)
    with pytest.raises(UsageError) as refused:
        registry.find(f"learned:{path}")
    assert str(refused.value) == (
        f"{path} looks at {score!r}, which runs code, opens a file or asks a model: if you trust "
        f"it, name it too, as in learned({path}, {canonical(score)})."
    )
    assert not (evil / "ran").exists()


def test_a_learned_verifier_asks_what_its_caller_names(evil: Path) -> None:
    path = saved(evil, "script:evil.py:f", "mean_logprob", "judge(grader)")
    name = f"learned({path}, judge(grader), script:evil.py:f)"
    found = registry.find(name)
    assert (evil / "ran").exists()
    assert found.models == ("grader",)
    assert registry.find(found.name).name == found.name  # as the journal has it
    with pytest.raises(UsageError, match="does not look at 'arithmetic': leave it out"):
        registry.find(f"learned({path}, judge(grader), script:evil.py:f, arithmetic)")


@pytest.mark.parametrize(
    "score", ["mean_logprob", "tail(32)", "regex:a.c", "judge", "execution", "first(tail, schema)"]
)
def test_what_reaches_nothing_needs_no_name(score: str, evil: Path) -> None:
    assert registry.find(f"learned:{saved(evil, score)}").name.startswith("learned(")


def test_training_runs_nothing_that_a_pool_names(
    evil: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    rows = [
        {
            "problem_id": str(p),
            "gold": "1",
            "samples": [
                {"answer": str(s % 2), "correct": s % 2 == 1, "tokens": 9 + s,
                 "score": {"script:evil.py:f": (s * p) % 7 / 7}}
                for s in range(6)
            ],
        }
        for p in range(14)
    ]  # fmt: skip
    Path("pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = command(capsys, "verifier", "train", "pool.jsonl", "-o", "v.json")
    assert (code, (evil / "ran").exists()) == (0, False)
    assert "a run has to name 'script:evil.py:f' itself" in err


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mean_logprob", []),
        ("regex:script:evil.py:f", []),
        ("unheard_of:x", []),
        ("learned(a.json, judge(m), tail)", [Named("file", "a.json"), Named("model", "m")]),
        ("learned:my (1).json", [Named("file", "my (1).json")]),
        ("judge(m, k=5, rubric=a.txt)", [Named("model", "m"), Named("file", "a.txt")]),
        ("generative(model=m, agg=min)", [Named("model", "m")]),
        ("process(m, by=judge(n))", [Named("model", "m"), Named("model", "n")]),
        (" script:a.py:f ", [Named("script", "script(a.py, f)")]),
    ],
)
def test_names_in_a_name(name: str, found: list[Named]) -> None:
    assert named(name) == found


# Journals -----------------------------------------------------------------------------------------


def recorded(path: Path, **changes: object) -> str:
    """A run that was cut off, of anybody's."""
    asked = spec(PROBLEM, model="simulated", strategy="best_of_n")
    book = Journal(path)
    run = book.create({**asked.to_json(), **changes})
    book.close()
    return run


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"verifier": "script:evil.py:f"}, "script(evil.py, f)"),
        ({"verifier": "first(mean_logprob, script:evil.py:f)"}, "script(evil.py, f)"),
        ({"verifier": "judge(rubric=secret.txt#ab)"}, "secret.txt#ab"),
        ({"verifier": "learned:v.json#ab"}, "v.json#ab"),
        ({"verifier": "judge(grader)"}, "grader"),
        ({"model": "my-server"}, "my-server"),
        ({"model": "openai:gpt-5-mini"}, "openai:gpt-5-mini"),
        ({"model": "vllm:"}, "vllm:"),
        ({"model": "./evil.gguf"}, "./evil.gguf"),
        ({"model": "hf:owner/repo/evil.gguf"}, "hf:owner/repo/evil.gguf"),
        ({"model": "transformers(qwen, evil, code=run)"}, "transformers(qwen, evil, code=run)"),
    ],
)
def test_anothers_journal_names_nothing_by_itself(
    changes: dict[str, str], name: str, evil: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded(evil / "theirs.sqlite", **changes)
    code, out, err = command(capsys, "runs", "resume", run, "--journal", "theirs.sqlite")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"this run uses {name!r}" in err
    assert f"--journal theirs.sqlite --trust {shlex.quote(name)}'." in err
    assert not (evil / "ran").exists()
    assert Journal(evil / "theirs.sqlite").run(run).result is None


def test_what_the_caller_names_is_used(evil: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = recorded(evil / "theirs.sqlite", verifier="script:evil.py:f")
    where = ["--journal", "theirs.sqlite"]
    code, _, err = command(capsys, "runs", "resume", run, *where, "--trust", "script:evil.py:f")
    assert (code, (evil / "ran").exists()) == (0, True), err


async def test_a_model_given_as_an_object_needs_no_name(evil: Path) -> None:
    from ponder.models.fakes.simulated import Simulated

    run = recorded(evil / "theirs.sqlite", model="./evil.gguf")
    result = await ponder.aresume(run, model=Simulated(), journal=evil / "theirs.sqlite")
    assert result.run == run


def test_ones_own_journal_is_ones_own(evil: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absolute = f"script:{evil / 'evil.py'}:f"
    run = recorded(journal_path(), verifier=absolute)
    assert command(capsys, "runs", "resume", run)[0] == 0


def test_ones_own_run_on_a_named_server_is_ones_own(
    evil: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded(journal_path(), model="vllm:")
    with telling(vllm) as server:
        monkeypatch.setenv("VLLM_BASE_URL", server.url)
        assert command(capsys, "runs", "resume", run)[0] == 0


def test_a_relative_path_is_named_again_in_whatever_folder(
    evil: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for changes, name in (
        ({"verifier": "script:evil.py:f"}, "script(evil.py, f)"),
        ({"model": "evil.gguf"}, "evil.gguf"),
    ):
        code, _, err = command(capsys, "runs", "resume", recorded(journal_path(), **changes))
        assert (code, f"--trust {shlex.quote(name)}'." in err) == (2, True)
    assert not (evil / "ran").exists()


PLANS: list[dict[str, object]] = [
    {"knobs": 3}, {"knobs": {"n": "many"}}, {"knobs": {"x": 1}}, {"strategy": "none"},
    {"model": None}, {"sampling": {"length": "x"}}, {"sampling": {"length": -1}},
    {"budget": {"tokens": "x"}},
    {"budget": {"x": 1}}, {"budget": {"tokens": -1}}, {"seed": -1}, {"seed": 10**30},
    {"problem": {"messages": []}}, {"problem": {"messages": [{"role": "user"}]}}, {"problem": 7},
    {"problem": {"messages": [{"role": "user", "content": "?"}], "tests": {"kind": "assert"}}},
    {"problem": {"messages": [{"role": "user", "content": "?"}],
                 "tests": {"kind": "arithmetic", "numbers": [1], "target": "1e999999999"}}},
    {"problem": {"messages": [{"role": "user", "content": "?"}],
                 "tests": {"kind": "assert", "code": "(" * 5000}}},
    {"verifier": 4}, {"more": 1},
]  # fmt: skip


@pytest.mark.parametrize("changes", PLANS)
def test_a_plan_that_is_none_is_a_sentence(
    changes: dict[str, object], evil: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded(evil / "theirs.sqlite", **changes)
    where = ["--journal", "theirs.sqlite"]
    code, _, err = command(capsys, "runs", "resume", run, *where)
    assert (code, err.count("\n")) == (2, 1), err
    assert command(capsys, "runs", "list", *where)[0] == 0  # it hides no other run


# ponder.toml --------------------------------------------------------------------------------------


def endpoint(path: Path, url: str, more: str = "") -> None:
    path.write_text(f"[endpoints.grader]\nbase_url = '{url}'\nmodel = 'm'\n{more}\n")


def test_a_projects_file_sends_no_key_anywhere(tmp_path: Path) -> None:
    project = tmp_path / "project" / "ponder.toml"
    project.parent.mkdir()
    for url in ("https://evil.example/v1", "http://127.0.0.1:1/v1"):
        endpoint(project, url, "key_env = 'AWS_SECRET_ACCESS_KEY'")
        with pytest.raises(UsageError, match="reads a key, which a project's file may not: move"):
            names.resolve("grader", config.load(project.parent))


def test_a_file_that_the_user_names_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project" / "ponder.toml"
    project.parent.mkdir()
    endpoint(project, "https://h.example/v1", "key_env = 'KEY'")
    monkeypatch.setenv("PONDER_CONFIG", str(project))
    found = names.resolve("grader", config.load(project.parent))
    assert isinstance(found, config.EndpointConfig)
    assert found.trusted


def test_ones_own_run_does_not_move_to_the_endpoint_of_another_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    run = recorded(journal_path(), model="grader")
    endpoint(project / "ponder.toml", "https://evil.example/v1")
    code, _, err = command(capsys, "runs", "resume", run)
    assert (code, "this run uses 'grader'" in err) == (2, True)


@pytest.mark.parametrize("tail", ["?", "?x=", "#", "/v1?a=b", "/v1#x"])
def test_an_address_ends_where_the_endpoints_path_begins(tail: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    endpoint(path, f"http://127.0.0.1:2375{tail}")
    with pytest.raises(UsageError, match="without user name, password, query or fragment"):
        config._read(path, trusted=False)


def test_a_pool_names_no_suite_but_ponders(evil: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suite in ("secret.jsonl(question=q, answer=a)", "hf(owner/name)", "gym(x)"):
        header = {"pool": 1, "model": "m", "suite": suite}
        row = {"problem_id": "0", "samples": [{"answer": "1", "text": "1"}]}
        Path("pool.jsonl").write_text(f"{json.dumps(header)}\n{json.dumps(row)}\n")
        told = ["pool", "verify", "pool.jsonl", "--verifier", "regex:1", "-o", "out.jsonl"]
        code, _, err = command(capsys, *told)
        assert (code, "which is none of Ponder's own: name it" in err) == (2, True), err
