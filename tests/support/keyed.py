"""A server with one key, and a file of what it has spent."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponder.server.keys import Key
from ponder.server.settings import Settings

TEAM = Key("team", hashlib.sha256(b"secret").hexdigest())
"""The key ``secret``."""
DAILY = replace(TEAM, day_tokens=1000)


def limited(folder: Path, key: Key = DAILY, **more: Any) -> Settings:
    """Settings with one key, whose spending is recorded in the folder."""
    return Settings(keys=(key,), spending=folder / "spending.sqlite", **more)
