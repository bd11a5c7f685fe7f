"""``--unsafe-execution``: runs programs without a sandbox where none works."""

from __future__ import annotations

import click

UNSAFE = click.option(
    "--unsafe-execution",
    "unsafe",
    is_flag=True,
    help="Run a model's programs even where no sandbox works, with your rights: dangerous.",
)
