"""What is remembered: for how long, of what, and out of which files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.models.discovery import memory
from ponder.models.discovery.facts import Fact, Facts

FACTS = Facts(
    "vllm", "1", found={"context": Fact(10, "told", "/x"), "efforts": Fact(("low",), "told")}
)


def recalled(at: float, about: str = "told", model: str = "m") -> Facts | None:
    return memory.recall("http://x/v1", model, about, 100.0, now=lambda: at)


def test_facts_last_for_their_life() -> None:
    assert recalled(1000.0) is None
    memory.remember("http://x/v1", "m", "told", FACTS, now=lambda: 1000.0)
    assert recalled(1000.0) == recalled(1099.0) == FACTS
    assert recalled(1100.0) is None
    assert recalled(999.0) is None  # the clock was set back
    assert recalled(1000.0, about="probed vllm 2") is None
    assert recalled(1000.0, model="other") is None


def test_a_folder_that_cannot_be_written_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "file"))
    memory.remember("http://x/v1", "m", "told", FACTS)
    assert recalled(0.0) is None


@given(st.binary(max_size=60) | st.sampled_from([
    b'{"at": 5}', b'{"at": "x", "facts": {}}', b'{"at": 5, "facts": {"server": 1, "found": 7}}',
    b'{"at": 5, "facts": {"server": "", "version": "", "found": {"context": [1]}}}', b"[" * 60,
]))  # fmt: skip
def test_a_file_of_any_content_is_no_memory(content: bytes) -> None:
    memory.remember("http://x/v1", "m", "told", FACTS, now=lambda: 0.0)
    [file] = memory.folder().iterdir()
    file.write_bytes(content)
    assert recalled(5.0) is None


def test_no_key_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.remember("http://x/v1", "m", "told", FACTS)
    [file] = memory.folder().iterdir()
    assert file.suffix == ".json"
    assert not any(value and len(value) > 20 and value in file.read_text()
                   for name, value in os.environ.items() if name.endswith("_KEY"))  # fmt: skip
