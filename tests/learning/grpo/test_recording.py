"""Samples on the disk before they are used."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponder.core.errors import PonderError, UsageError
from ponder.learning.grpo.recording import Record, Sample

SAMPLES = [
    Sample(1, "b\n\u2028", [1, 2], [3], [-0.5]),
    Sample(0, "", [1], [], [], truncated=True),
]


def written(path: Path) -> Record:
    record = Record(path)
    for sample in SAMPLES:
        record.add(sample)
    record.close([1.0, None])
    return record


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "step"
    assert Record.read(path) == Record(path)
    assert written(path) == Record.read(path)
    assert Record.read(path).samples == {1: SAMPLES[0], 0: SAMPLES[1]}
    assert Record.read(path).rewards == [1.0, None]


@given(st.data())
def test_a_file_that_is_cut_anywhere_holds_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "step"
    written(path)
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    found = Record.read(path)
    lines = content[:cut].count(b"\n")
    assert (len(found.samples), found.rewards is not None) == (min(lines, 2), lines == 3)
    assert path.read_bytes() == b"".join(content.splitlines(keepends=True)[:lines])
    for sample in SAMPLES[lines:]:
        found.add(sample)
    if found.rewards is None:
        found.close([1.0, None])
    assert path.read_bytes() == content


@pytest.mark.parametrize("line", [b"{}", b"3", b'{"place": 0}', b'{"rewards": ["a"]}', b"\xff"])
def test_a_damaged_line_is_one_sentence(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "step"
    written(path)
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(UsageError, match=r"step, line 4: .*delete the file"):
        Record.read(path)


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(PonderError, match="No space left on device; free some space") as refused:
        Record(tmp_path / "step").add(SAMPLES[0])
    assert not isinstance(refused.value, UsageError)
