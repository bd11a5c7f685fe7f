"""The folder of the models that are on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def models_dir() -> Path:
    """Return ``$PONDER_HOME/models``, or a folder in the platform's user data."""
    home = os.environ.get("PONDER_HOME") or platformdirs.user_data_dir("ponder", appauthor=False)
    return Path(home).expanduser() / "models"
