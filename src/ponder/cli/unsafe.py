"""``--unsafe-execution``: programs are run without a sandbox where there is none."""

from __future__ import annotations

import click

from ponder.sandbox.choice import permit_unsafe


def _permit(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        permit_unsafe()


UNSAFE = click.option(
    "--unsafe-execution",
    is_flag=True,
    expose_value=False,
    callback=_permit,
    help="Run a model's programs even where no sandbox works, with your rights: dangerous.",
)
