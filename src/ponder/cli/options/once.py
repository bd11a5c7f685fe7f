"""Commands that reject a repeated single-valued option, where click takes the last value."""

from __future__ import annotations

import click


class Command(click.Command):
    """A command that rejects repeated options; the base of all commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line.

        Raises:
            click.UsageError: an option of one value is given twice.
        """
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for one in order:
            if order.count(one) > 1 and _single(one):
                name = max(one.opts, key=len)
                raise click.UsageError(f"{name} takes one value and is given twice: give one.")
        return super().parse_args(ctx, args)


def _single(parameter: click.Parameter) -> bool:
    """Return True if a second value would replace the first; a switch may be repeated."""
    if not isinstance(parameter, click.Option) or parameter.multiple or parameter.count:
        return False
    return not parameter.is_flag or bool(parameter.secondary_opts)


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command
