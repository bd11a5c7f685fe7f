"""A working folder is of one request."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.core.errors import UsageError
from ponder.learning.claims import claimed

ASKED = {"seed": 1, "search": {"n": 16}}


def test_the_same_request_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert not claimed(path, ASKED)
    assert claimed(path, ASKED)
    assert [one.name for one in tmp_path.glob("*.json*")] == ["run.json"]


def test_another_is_refused_by_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    claimed(path, ASKED)
    said = r"with another seed \(1 instead of 2\) and search and new \(None instead of x\): choose"
    with pytest.raises(UsageError, match=said):
        claimed(path, {"seed": 2, "search": {"n": 8}, "new": "x"})
    assert claimed(path, ASKED)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_what_is_none_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UsageError, match=r"run.json is damaged .*delete that one"):
        claimed(tmp_path / "run.json", ASKED)
