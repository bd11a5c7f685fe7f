"""Facts that were asked or probed before, each in a small file that soon expires.

The key is the address and the model's name at the server, and never holds a key.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ponder.models.discovery.facts import HOW, Fact, Facts
from ponder.models.home import models_dir
from ponder.util import decoding
from ponder.util.files import replaced

LIFE = 3600.0
"""Seconds for which a vendor's answer counts."""
PROBED = 24 * 3600.0
"""Seconds for which a probe counts, as long as the server and its version stay the same."""


def folder() -> Path:
    """Return the folder of what was asked."""
    return models_dir().parent / "discovered"


def recall(
    address: str, model: str, about: str, life: float, *, now: Callable[[], float] = time.time
) -> Facts | None:
    """Return what is remembered of a model; None if there is nothing, or it is too old.

    ``about`` tells apart what is remembered of it: the vendor's answer, or probes of one version.
    """
    try:
        held = decoding.parse(_path(address, model, about).read_bytes())
        return _read(held["facts"]) if 0 <= now() - held["at"] < life else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(
    address: str, model: str, about: str, facts: Facts, *, now: Callable[[], float] = time.time
) -> None:
    """Write the facts down; a folder that cannot be written only costs the next run a moment."""
    path = _path(address, model, about)
    found = {name: [fact.value, fact.how, fact.source] for name, fact in facts.found.items()}
    held = {
        "address": address,
        "model": model,
        "about": about,
        "at": now(),
        "facts": {"server": facts.server, "version": facts.version, "found": found},
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replaced(path, [json.dumps(held).encode()])
    except OSError:
        pass


def _path(address: str, model: str, about: str) -> Path:
    digest = hashlib.sha256(json.dumps([address, model, about]).encode()).hexdigest()
    return folder() / f"{digest[:32]}.json"


def _read(held: Any) -> Facts:
    found = {
        str(name): Fact(tuple(value) if isinstance(value, list) else value, how, source)
        for name, (value, how, source) in held["found"].items()
        if how in HOW
    }
    return Facts(str(held["server"]), str(held["version"]), found=found)
