"""The extra ``train``: the packages that train, without which nothing here begins."""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from importlib import metadata

from ponder.core.errors import MissingExtra

PACKAGES = ("torch", "transformers", "peft")
"""Packages whose versions a card names."""


def require() -> None:
    """Refuse to begin without the packages that train.

    Raises:
        MissingExtra: one is absent.
    """
    if any(importlib.util.find_spec(package) is None for package in PACKAGES):
        raise MissingExtra("train", "training a model")


def versions() -> dict[str, str]:
    """Return the version of each of the packages that is installed."""
    found = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
