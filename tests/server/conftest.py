"""The official client for JavaScript, installed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import node

OPENAI_JS = "openai@6.49.0"


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the official client for JavaScript is installed."""
    folder = tmp_path_factory.mktemp("npm")
    node.install(folder, OPENAI_JS)
    return folder
