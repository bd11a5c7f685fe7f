"""``ponder``: the entry point. It imports little, so that Ctrl-C works from the start."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Run ``ponder``: exits with 0, 1 for a failed run, 2 for usage, or 130 for Ctrl-C."""
    try:
        from ponder.cli.root import run  # takes so long that Ctrl-C may arrive meanwhile

        code = run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("\nponder: interrupted.\n")
        code = 130
    sys.exit(code)
