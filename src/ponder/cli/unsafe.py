"""``--unsafe-execution``: programs are run without a sandbox where there is none."""

from __future__ import annotations

import click

UNSAFE = click.option(
    "--unsafe-execution",
    "unsafe",
    is_flag=True,
    help="Run a model's programs even where no sandbox works, with your rights: dangerous.",
)
