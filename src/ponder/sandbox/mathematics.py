"""Lends sympy to the programs of a sandbox: our own copy, which they can read and nothing more."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ponder.sandbox.bubblewrap import LENT

PACKAGES = ("sympy", "mpmath")


def folders() -> tuple[str, ...]:
    """Return the folders of the packages; () if they are not installed as folders."""
    found = []
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            return ()
        found.append(str(Path(spec.origin).resolve().parent))
    return tuple(found)


def reaching() -> str:
    """Return the source that makes a program find the packages, where they are lent or, without a
    sandbox, where they are installed; it imports none of them.
    """
    above = sorted({str(Path(folder).parent) for folder in folders()})
    return f"import sys\nsys.path += {[LENT, *above]!r}\ndel sys"
