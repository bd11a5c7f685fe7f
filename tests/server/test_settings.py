"""What a server is started with is refused before it listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponder.core.errors import PonderError, UsageError
from ponder.runtime.engine import Engine
from ponder.server.app import application
from ponder.server.settings import Settings


@pytest.mark.parametrize("name", ["script:{}/check.py:f", "{}/judge.npz"])
def test_a_trusted_file_must_be_there(tmp_path: Path, name: str) -> None:
    name = name.format(tmp_path)
    with pytest.raises(UsageError, match="there is no file"):
        Settings(trusted=(name,)).check()
    (tmp_path / "check.py").write_text("def f(question, answer):\n    return 1.0\n")
    (tmp_path / "judge.npz").touch()
    Settings(trusted=(name,)).check()


async def test_the_journal_is_opened_at_the_start(tmp_path: Path) -> None:
    async with Engine() as engine:
        with pytest.raises(PonderError, match="cannot open the journal"):
            application(engine, (), Settings(journal=tmp_path))
