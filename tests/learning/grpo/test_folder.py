"""The working folder of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.core.errors import PonderError, UsageError
from ponder.learning.grpo.folder import Folder

RUN = {"model": "a+b", "seed": 1, "bounds": {"low": 0.2}}


def test_a_run_is_resumed_and_another_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "here")
    with folder.held(RUN) as resumed:
        assert not resumed
        assert folder.saved() is None
        folder.save(b"weights")
        folder.describe({"kind": "grpo"})
        folder.step(0).write_bytes(b"")
    (folder.path / ".checkpoint.pt.left").write_bytes(b"part")  # of a run that was killed
    with folder.held(RUN) as resumed:
        assert (resumed, folder.saved()) == (True, b"weights")
    assert {path.name for path in folder.path.iterdir()} == {
        ".lock", "run.json", "steps", "checkpoint.pt", "card.json",
    }  # fmt: skip
    other = r"another seed \(1 instead of 2\): choose another --name"
    with pytest.raises(UsageError, match=other), folder.held({**RUN, "seed": 2}):
        pass
    with pytest.raises(UsageError, match=r"another more \(None instead of 0\)"):
        folder.held({**RUN, "more": 0}).__enter__()


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_description_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UsageError, match=r"run.json is damaged .*or delete that one"):
        Folder(tmp_path).held(RUN).__enter__()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PonderError, match=r"cannot write .*: Not a directory; name another"):
        Folder(tmp_path / "file" / "here").held(RUN).__enter__()


def test_an_error_within_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Folder(tmp_path).held(RUN):
        raise FileNotFoundError
