from __future__ import annotations

import pytest

from ponder.cli import main
from tests.experiments.made import Command


@pytest.fixture
def pool(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setitem(main._COMMANDS, "pool", ("ponder.cli.pool", "pool", "Pools."))
    return Command(capsys)
