"""Converted models in the real engine: the same tokens as from the file itself, and kills."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ponder.core.problem import Message
from ponder.models.base import Completion, Request
from ponder.models.openvino import converted
from ponder.models.openvino.model import OpenVINO, Settings, convert, load
from tests.support.conversions import export

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino_genai") is None, reason="openvino-genai is not installed"
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of conversions, of this test alone."""
    root = tmp_path / "home" / "converted"
    monkeypatch.setattr(converted, "_root", lambda: root)
    return root


def folders(root: Path) -> list[Path]:
    return sorted(root.glob("*-*"))


PROMPTS = (
    "What is 2+2?", "def fib(n):", "Translate 'bread' to French.", "Solve x^2=9.", "Sort [3,1,2].",
    "10 miles in km?", "é à ü 漢字 🙂", "a <|im_end|> b", "  spaces\n\n\tand tabs", "Is 91 prime?",
)  # fmt: skip


def facts(done: Completion) -> tuple[object, ...]:
    return done.text, done.finish, done.prompt_tokens, done.completion_tokens, done.logprobs


async def sampled(model: OpenVINO) -> list[tuple[object, ...]]:
    """Greedy answers, one at a time, and a batch of samples."""
    found = []
    for prompt in PROMPTS:
        messages = (Message("system", "Be brief."), Message("user", prompt))
        greedy = Request(messages, max_tokens=8, temperature=0.0, logprobs=True)
        found.append(facts(await model.generate(greedy)))
    colour = (Message("user", "Name a colour."),)
    batch = (Request(colour, max_tokens=16, seed=seed, logprobs=True) for seed in range(8))
    found += map(facts, await asyncio.gather(*map(model.generate, batch)))
    await model.close()
    return found


def test_same_tokens_and_log_probabilities_as_the_file_itself(
    small_model: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file itself is loaded where the engine refuses its conversion, which is deleted."""
    settings = Settings(cache_gb=0.25)
    lines: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(converted, "_export", export)
        as_it_is = load(small_model, name="m", settings=settings, on_progress=lines.append)
    assert "the converted model of m cannot be loaded: the file itself is." in lines
    assert not folders(root)
    expected = asyncio.run(sampled(as_it_is))
    convert(small_model, "m", lines.append)
    (folder,) = folders(root)
    assert json.loads((folder / converted.NOTE).read_text())["source"] == str(small_model.resolve())
    lines.clear()
    fast = load(small_model, name="m", settings=settings, on_progress=lines.append)
    assert not [line for line in lines if "convert" in line]
    assert asyncio.run(sampled(fast)) == expected
    assert folders(root) == [folder]


REAL = """
import sys
from pathlib import Path
from ponder.models.gguf.metadata import read_header
from ponder.models.openvino import converted
root = Path(sys.argv[2])
converted._root = lambda: root
converted.prepare(Path(sys.argv[1]), "m", print)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_killed_while_the_engine_writes(small_model: Path, root: Path) -> None:
    command = [sys.executable, "-c", REAL, str(small_model), str(root)]
    with subprocess.Popen(command, start_new_session=True) as process:
        while not list(root.glob("*.tmp/openvino_tokenizer.xml")):
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
    assert converted.find(small_model) is None
    assert not [folder for folder in folders(root) if folder.suffix != ".tmp"]
