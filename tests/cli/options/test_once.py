"""Nothing that a person types is ignored: an option of one value is given once."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from ponder.cli.root import cli, run


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words of every command that there is."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, (*path, name))
    if path:
        yield path


def options() -> Iterator[tuple[tuple[str, ...], click.Option]]:
    for path in leaves(cli, ()):
        command: click.Command = cli
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), name)
            assert found is not None
            command = found
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield path, parameter


ALL = list(options())
SINGLE = [(p, o) for p, o in ALL if not (o.is_flag or o.multiple or o.count)]
OTHERS = [(p, o) for p, o in ALL if o.is_flag or o.multiple]


def test_every_command_is_looked_at() -> None:
    assert {" ".join(path) for path, _ in SINGLE} >= {"solve", "eval", "pool record", "runs show"}


@pytest.mark.parametrize(("path", "option"), SINGLE, ids=[f"{p}{o.name}" for p, o in SINGLE])
def test_a_second_value_is_refused(
    path: tuple[str, ...], option: click.Option, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = option.opts[0], max(option.opts, key=len)
    assert run([*path, first, "1", last, "2"]) == 2
    said = f"ponder: {last} takes one value and is given twice: give one.\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(("path", "option"), OTHERS, ids=[f"{p}{o.name}" for p, o in OTHERS])
def test_what_adds_up_or_switches_may_be_repeated(
    path: tuple[str, ...], option: click.Option, capsys: pytest.CaptureFixture[str]
) -> None:
    value = [] if option.is_flag else ["x"]
    run([*path, "--help", option.opts[0], *value, option.opts[0], *value])
    assert "given twice" not in capsys.readouterr().err
