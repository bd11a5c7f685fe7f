"""``ponder learn``: the group of its commands."""

from __future__ import annotations

import click

from ponder.cli.learning.environment import environment
from ponder.cli.learning.export import export
from ponder.cli.learning.grpo import grpo
from ponder.cli.learning.sft import train
from ponder.cli.learning.thinking import thinking
from ponder.cli.options.once import Group


@click.group(cls=Group)
def learn() -> None:
    """Make training data and environments of what was recorded, and teach models by it.

    \b
    ponder learn export pool.jsonl --verifier arithmetic -o data.jsonl
    ponder learn sft data.jsonl --model qwen2.5-coder-0.5b --name countdown
    """


learn.add_command(export)
learn.add_command(thinking)
learn.add_command(environment)
learn.add_command(train, "sft")
learn.add_command(grpo)
