"""``ponder learn``: the group of its commands."""

from __future__ import annotations

import click

from ponder.cli.learning.environment import environment
from ponder.cli.learning.export import export
from ponder.cli.learning.thinking import thinking
from ponder.cli.options.once import Group


@click.group(cls=Group)
def learn() -> None:
    """Make training data and environments of what was recorded.

    \b
    ponder learn export pool.jsonl --verifier arithmetic -o data.jsonl
    """


learn.add_command(export)
learn.add_command(thinking)
learn.add_command(environment)
