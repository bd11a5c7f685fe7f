"""``ponder mcp``, driven by the package's own client over standard input and output."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from ponder.cli.commands.mcp import mcp
from ponder.cli.main import main
from ponder.runtime.journal import Journal
from ponder.server.mcp.server import PATH
from tests.support.agents import text

MODEL = "simulated(accuracy=1)"
QUESTION = {"question": "How many is six times seven?", "effort": "low"}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["mcp", "-m", "simulated", *arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_wrong_usage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "exclude each other" in refused(capsys, "--journal", "x", "--no-journal")
    assert "greater than zero" in refused(capsys, "--max-tokens", "0")
    assert "unknown" in refused(capsys, "-m", "no-such-model")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mcp" else find(name)
    )
    assert "pip install 'ponder[mcp]'" in refused(capsys)


def test_the_documented_configurations() -> None:
    page = (Path(__file__).parents[3] / "docs" / "mcp.md").read_text("utf-8")
    first, second = map(json.loads, re.findall(r"^```json\n(.*?)^```$", page, re.M | re.S))
    command, *words = first["mcpServers"]["ponder"]["args"]
    known = {name for param in mcp.params for name in param.opts}
    assert command == mcp.name
    assert {word for word in words if word.startswith("--")} <= known
    assert second["mcpServers"]["ponder"]["url"].endswith(PATH)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_session_from_its_start_to_its_end(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    command = ["-m", "ponder", "mcp", "-m", MODEL, "--max-tokens", "5000", "--journal", str(path)]
    there = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with Client(there, mode=mode) as client:
        tools = (await client.list_tools()).tools
        result = await client.call_tool("solve", QUESTION, progress_callback=hear)
        wrong = await client.call_tool("solve", {**QUESTION, "effort": "loud"})
    assert [tool.name for tool in tools] == ["solve", "score", "decide"]
    said = result.structured_content
    assert said["answer"] == "42"
    assert heard[0] == f"Searching with self_consistency on {MODEL}."
    assert "expected one of none, minimal" in text(wrong)
    book = Journal(path)
    [row] = book.runs()
    book.close()
    assert row.id == said["run"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "ponder", "mcp", "-m", MODEL, "--no-journal"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write('not JSON\n{"jsonrpc": "2.0", "id": 7, "method": "ping"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 7
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.communicate()
