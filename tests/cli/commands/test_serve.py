"""``ponder serve`` from its start to its end."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ponder.cli.main import main
from ponder.server.serve import COLLECTIONS, collecting_seldom


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "-m", "simulated", *arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_it_listens_beyond_this_machine_only_with_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give --keys FILE" in refused(capsys, "--host", "0.0.0.0")
    assert "every address can be reached" in refused(capsys, "--host", "")
    assert "nan is not a finite number" in refused(capsys, "--deadline", "nan")
    assert "inf is not a finite number" in refused(capsys, "--keep-days", "inf")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "name another --host or --port" in refused(capsys, "--port", port)
    assert "exclude each other" in refused(capsys, "--journal", "x", "--no-journal")


def test_a_new_key_is_printed_with_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--new-key", "team"])
    assert caught.value.code == 0
    assert re.fullmatch(
        r'ponder-[\w-]{43}\n\n\[team\]\nsha256 = "[0-9a-f]{64}"\n', capsys.readouterr().out
    )


def test_the_missing_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name)
    )
    assert "pip install 'ponder[serve]'" in refused(capsys)


def test_the_garbage_collector_is_as_before_once_the_server_has_ended() -> None:
    usual = gc.get_threshold()
    gc.unfreeze()  # what the tests have frozen
    with collecting_seldom():
        assert gc.get_threshold() == COLLECTIONS
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() == 0


def test_a_signal_ends_it_in_good_order(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ponder", "serve", "-m", "simulated(accuracy=1)"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--journal", str(tmp_path / "runs.sqlite")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stdout is not None
    try:
        [url] = re.findall(r"http://\S+", process.stdout.readline())
        question = {"role": "user", "content": "How many is six times seven?"}
        body = {"model": "simulated(accuracy=1):low", "messages": [question]}
        asked = urllib.request.Request(
            f"{url}/chat/completions",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=60) as said:
            done = json.load(said)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert done["ponder"]["answer"] == "42"
    assert done["ponder"]["run"]
    assert (process.returncode, out) == (0, "")
    [line] = err.splitlines()  # of the log
    assert json.loads(line)["status"] == 200
