from __future__ import annotations

import pytest

from tests.support.pools import Command


@pytest.fixture
def pool(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)
