"""Programs that people use, run as they are against ``ponder serve``: the official client for
JavaScript, ``llm``, and LangChain. ``test_clients.py`` has what others send.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import node
from tests.support.seeded import configure
from tests.support.thoughtful import ANSWER, CAPABILITIES, QUESTION, THOUGHT, thoughtful

OPENAI_JS = "openai@6.49.0"
CLIENTS = Path(__file__).parent / "clients"
PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")
SECONDS = 120
"""Most that a program may take."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``ponder serve``, before an endpoint whose model is named ``loop``."""
    folder = tmp_path_factory.mktemp("serve")
    with thoughtful() as upstream:
        config = configure(folder, upstream, capabilities=CAPABILITIES)
        home = {"PONDER_CONFIG": str(config), "PONDER_HOME": str(folder)}
        journal = ["--journal", str(folder / "runs.sqlite")]
        process = subprocess.Popen(
            [sys.executable, "-m", "ponder", "serve", "-m", "loop", "--port", "0", *journal],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **home},
        )
        assert process.stdout is not None
        try:
            [address] = re.findall(r"http://\S+", process.stdout.readline())
            yield address
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the official client for JavaScript is installed."""
    folder = tmp_path_factory.mktemp("npm")
    node.install(folder, OPENAI_JS)
    return folder


def example(language: str, url: str) -> str:
    """An example of the page, for this server."""
    block: str = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)[0]
    asked = block.replace("http://127.0.0.1:8000/v1", url)
    return asked.replace("qwen2.5-coder-1.5b", "loop")


def test_openai_for_javascript(url: str, npm: Path) -> None:
    shutil.copy(CLIENTS / "openai.mjs", npm)
    told = json.loads(node.run(npm, "openai.mjs", url, "loop"))
    assert told["models"][:2] == ["loop", "loop:none"]
    assert told["stream"]["thinking"].startswith("Searching with self_consistency on loop.")
    assert THOUGHT in told["stream"]["thinking"]
    assert told["stream"]["answer"] == ANSWER
    assert told["stream"]["usage"]["completion_tokens"] > 0
    assert told["parsed"] == {"n": 42}
    assert told["tools"] == {"called": [{"city": "Paris"}], "answer": "It is 21 degrees."}
    assert told["response"] == {"status": "completed", "text": ANSWER}
    assert told["again"] == ANSWER
    assert told["events"]["types"][:2] == ["response.created", "response.in_progress"]
    assert told["events"]["types"][-1] == "response.completed"
    assert THOUGHT in told["events"]["thinking"]
    assert told["events"]["answer"] == ANSWER
    assert told["error"] == {"kind": "NotFoundError", "status": 404, "code": "model_not_found"}


def test_the_documented_example_for_javascript(url: str, npm: Path) -> None:
    (npm / "example.mjs").write_text(example("js", url))
    said = node.run(npm, "example.mjs")
    assert THOUGHT in said
    assert ANSWER in said


def program(*command: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_llm(url: str, tmp_path: Path) -> None:
    pytest.importorskip("llm")
    (tmp_path / "extra-openai-models.yaml").write_text(example("yaml", url))

    def llm(*arguments: str) -> str:
        asked = ("-m", "llm", "-m", "ponder", QUESTION, *arguments)
        return program(*asked, LLM_USER_PATH=str(tmp_path), OPENAI_API_KEY="none").strip()

    assert llm("-o", "reasoning_effort", "low") == ANSWER
    assert json.loads(llm("--schema", "n int")) == {"n": 42}


def test_langchain(url: str) -> None:
    pytest.importorskip("langchain_openai")
    told: dict[str, dict[str, Any]] = json.loads(
        program(str(CLIENTS / "langchain_chat.py"), url, "loop", LANGSMITH_TRACING="false")
    )
    for form, seen in told.items():
        assert (seen["answer"], seen["stream"]) == (ANSWER, ANSWER), form
        assert seen["structured"] == {"n": 42}
        assert seen["usage"] > 0
        assert seen["parts"] > 2
    assert told["chat"]["calls"] == [["get_weather", {"city": "Paris"}]]
    assert told["chat"]["after"] == "It is sunny."
