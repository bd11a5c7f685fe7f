"""The option that names the folder of benchmark data."""

from __future__ import annotations

from pathlib import Path

import click

DATA = click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder of benchmark data.  [default: $PONDER_DATA]",
)
