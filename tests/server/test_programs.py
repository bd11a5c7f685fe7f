"""Programs that people use, run as they are against ``ponder serve``: the official client for
JavaScript, ``llm``, and LangChain. ``test_clients.py`` has what others send.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import node
from tests.support.seeded import configure
from tests.support.served import CLIENTS, example, program, served
from tests.support.thoughtful import ANSWER, CAPABILITIES, QUESTION, THOUGHT, thoughtful


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``ponder serve``, before an endpoint whose model is named ``loop``."""
    folder = tmp_path_factory.mktemp("serve")
    with thoughtful() as upstream:
        config = str(configure(folder, upstream, capabilities=CAPABILITIES))
        with served(folder, "loop", PONDER_CONFIG=config, PONDER_HOME=str(folder)) as address:
            yield address


def test_openai_for_javascript(url: str, npm: Path) -> None:
    shutil.copy(CLIENTS / "openai.mjs", npm)
    told = json.loads(node.run(npm, "openai.mjs", url, "loop", "loop", QUESTION))
    assert told["models"][:2] == ["loop", "loop:none"]
    assert told["stream"]["thinking"].startswith("Searching with self_consistency on loop.")
    assert THOUGHT in told["stream"]["thinking"]
    assert told["stream"]["answer"] == ANSWER
    assert told["stream"]["usage"]["completion_tokens"] > 0
    assert told["whole"] == ANSWER
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
    (npm / "example.mjs").write_text(example("js", url, "loop"))
    said = node.run(npm, "example.mjs")
    assert THOUGHT in said
    assert ANSWER in said


def test_llm(url: str, tmp_path: Path) -> None:
    pytest.importorskip("llm")
    (tmp_path / "extra-openai-models.yaml").write_text(example("yaml", url, "loop"))

    def llm(*arguments: str) -> str:
        asked = ("-m", "llm", "-m", "ponder", QUESTION, *arguments)
        return program(*asked, LLM_USER_PATH=str(tmp_path), OPENAI_API_KEY="none").strip()

    assert llm("-o", "reasoning_effort", "low") == ANSWER
    assert json.loads(llm("--schema", "n int")) == {"n": 42}


def test_langchain(url: str) -> None:
    pytest.importorskip("langchain_openai")
    told: dict[str, dict[str, Any]] = json.loads(
        program(str(CLIENTS / "langchain_chat.py"), url, "loop", QUESTION)
    )
    tools = told.pop("tools")
    for form, seen in told.items():
        assert (seen["answer"], seen["stream"]) == (ANSWER, ANSWER), form
        assert seen["structured"] == {"n": 42}
        assert seen["usage"]["total_tokens"] > 0
        assert seen["parts"] > 2
    assert tools == {"calls": [["get_weather", {"city": "Paris"}]], "after": "It is sunny."}
