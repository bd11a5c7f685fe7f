"""The examples in the documents are executed, on the simulated model and a loopback endpoint."""

from __future__ import annotations

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.cli.main import main
from ponder.core.tools import ToolCall
from ponder.models import config
from ponder.models.base import Completion
from ponder.models.fakes.scripted import Scripted
from ponder.models.thinking import TOKENS
from ponder.planning import thinkers
from ponder.planning.presets import PRESETS, THINKING
from tests.support.commands import ponder as ponder_command
from tests.support.seeded import seeded_server
from tests.support.telling import Ollama, telling, vllm

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
ELSEWHERE = ("path/to", "docs/results", "models pull", "models rm")  # need a file or the network

FOR_A_SHELL = re.compile(r"[|<>&;$]")


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.M | re.S)
    return [re.sub(rf"^{indent}", "", block, flags=re.M) for indent, block in found]


def commands() -> list[str]:
    lines = [line for name in DOCUMENTS for b in blocks(name, "sh") for line in b.splitlines()]
    return sorted({line.split("  #")[0].strip() for line in lines if "ponder " in line})


def story(document: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8").partition(STORIES[document])[2]
    found = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    lines = [line for block in found for line in block.splitlines()]
    return [line for line in lines if line.startswith("ponder ")]


def is_run_here(command: str) -> bool:
    return not any(word in command for word in (*ELSEWHERE, "venv", "benchmarks/", "--suite gsm8k"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "question.txt").write_text("How many is six times seven?")
    monkeypatch.setenv("MY_SERVER_KEY", "secret")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with seeded_server() as server, telling(vllm) as served, telling(Ollama()) as ollama:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("VLLM_BASE_URL", served.url)
        monkeypatch.setenv("OLLAMA_HOST", ollama.url)
        [endpoint] = [b for b in blocks("README.md", "toml") if "my-server" in b]
        endpoint = endpoint.replace("http://127.0.0.1:8000/v1", server.url)
        (tmp_path / "ponder.toml").write_text(f'[default]\nmodel = "simulated"\n{endpoint}')
        yield tmp_path


@pytest.mark.parametrize("command", [c for c in commands() if is_run_here(c)])
def test_a_documented_command_works(
    command: str,
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(world)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"}

    def run(line: str) -> str:
        if not FOR_A_SHELL.search(line):  # a process of its own takes longer than most commands
            code, out, err = ponder_command(capsys, *shlex.split(line)[1:])
            assert code == 0, err
            return out
        done = subprocess.run(
            line,
            shell=True,
            cwd=world,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    command = command.replace("--model qwen2.5-coder-1.5b", "--model simulated")
    command = command.replace("-to qwen2.5-coder-1.5b", "-to 'simulated(accuracy=0.9)'")
    if "RUN" not in shlex.split(command):
        run(command)
        return
    run("ponder solve 'How many is six times seven?'")
    [name] = re.findall(r'"run": "(.*?)"', run("ponder runs list --json"))
    if "resume" in command or "steer" in command:  # as if it had not come to its end
        with sqlite3.connect(Path(os.environ["PONDER_HOME"]) / "runs.sqlite") as journal:
            journal.execute("update runs set state = 'running', result = null")
        journal.close()
    run(command.replace("RUN", name))


def test_most_documented_commands_are_run() -> None:
    assert sum(map(is_run_here, commands())) >= 10


@pytest.mark.parametrize("example", blocks("README.md", "python"))
def test_the_python_examples_work(example: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    answer, *_ = done.stdout.split()
    assert answer.isdigit()


@pytest.mark.parametrize("example", blocks("docs/tools.md", "python"))
def test_the_example_with_tools_works(
    example: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = (ToolCall("c", "get_weather", '{"city": "Paris"}'),)
    called = Completion("", "stop", 9, 9, calls=calls)
    said = Completion("Clear, 21 degrees.", "stop", 9, 9)
    model = Scripted(lambda request: said if request.messages[-1].call else called)
    monkeypatch.setattr(ponder, "solve", partial(ponder.solve, journal=False))
    exec(example.replace('model="qwen2.5-coder-1.5b"', "model=model"), {"model": model})
    assert capsys.readouterr().out == 'get_weather({"city": "Paris"}) 1.0\nClear, 21 degrees.\n'


@pytest.mark.parametrize("document", DOCUMENTS)
def test_configuration_examples_are_valid(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for block in blocks(document, "toml"):
        tomllib.loads(block)
        (tmp_path / "ponder.toml").write_text(block)
        config.load(tmp_path)


@pytest.mark.parametrize("document", ["README.md", "docs/effort.md"])
def test_the_effort_tables_say_what_the_plans_are(document: str) -> None:
    rows = {row[0].strip("`").split("`")[0]: row[1] for row in reversed(table(document))}
    for name, plan in PRESETS.items():
        row = rows[name]
        assert f"`{plan.strategy}`" in row
        assert f"{plan.sampling.length:,}" in row
        assert f"{plan.budget.tokens:,}" in row
        if "n" in plan.knobs:
            assert re.search(rf"(up to|n =) {plan.knobs['n']}\b", row)


def test_the_table_of_thinking_says_what_the_plans_are() -> None:
    rows = {row[0].strip("`"): row for row in table("docs/effort.md")}
    votes = thinkers.shipped().votes
    for name, level in THINKING.items():
        vote = "1"
        if name in votes:
            vote = f"vote of up to {votes[name]['n']}, `stop={votes[name]['stop']}`"
        assert rows[name] == (f"`{name}`", f" `{level}` | {vote} | {TOKENS[level]:,} ")


def table(document: str) -> list[tuple[str, str]]:
    """Return the first cell and the rest of each row of a document's tables."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^\| (.*?) \|(.*)\|$", text, re.M)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / document).parent.joinpath(target).exists(), target


STORIES = {"docs/pools.md": "ponder", "docs/tune.md": "ponder", "README.md": "## Measure"}
"""Documents whose commands are run in their order, from where a word first stands: later ones need
the files of earlier ones, and all of them data.
"""
MODELS = re.compile(r"--model (qwen\S+)")


@pytest.mark.parametrize("document", STORIES)
def test_the_commands_of_a_document_work_in_their_order(
    document: str, data: Path, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PONDER_DATA", str(data))
    monkeypatch.chdir(world)
    rows = [{"q": "p1", "out": {"final": "3"}, "right": True, "n": 10}]
    (world / "replies.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = story(document)
    assert told
    for line in told:
        line = line.replace("path/to/data", str(data)).replace("path/to/", f"{world}/")
        line = MODELS.sub("--model simulated", line)
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(line)[1:])
        assert ended.value.code == 0, line


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md"])
def test_a_line_of_prose_fits_into_120_characters(document: str) -> None:
    """But for tables, headings and blocks, and for findings that a command printed."""
    text = (ROOT / document).read_text(encoding="utf-8")
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    free = ("|", "#", "- ") if document == "docs/results.md" else ("|", "#")
    rows = [row for row in text.splitlines() if not row.lstrip().startswith(free)]
    assert [row for row in rows if len(row) > 120] == []


@pytest.mark.parametrize("script", ["study.py", "search_study.py"])
def test_the_tables_of_the_studies_are_what_their_results_say(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    lines = [line for line in done.stdout.splitlines() if line]
    assert len(lines) > 10
    assert [line for line in lines if line not in text] == []


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first of the scripts keeps the samples that it graded, for the others."""
    return tmp_path_factory.mktemp("kept")


@pytest.mark.xdist_group("kept")
@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("claims", "facts"),
        ("claims", "limit"),
        ("claims", "matched"),
        ("seconds", "vote"),
        ("seconds", "matched"),
    ],
)
def test_the_tables_of_the_claims_are_what_the_samples_say(
    file: str, command: str, data: Path, kept: Path
) -> None:
    script = [str(ROOT / "benchmarks" / f"{file}.py"), command, "--only", "AIME24"]
    done = subprocess.run(
        [sys.executable, *script, "--data", str(data), "--kept", str(kept)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    lines = [line for line in done.stdout.splitlines() if line.startswith("| AIME24 |")]
    assert len(lines) > 5
    assert [line for line in lines if line not in text] == []
