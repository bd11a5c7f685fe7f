"""``ponder models``: lists, downloads and removes models."""

from __future__ import annotations

import click

from ponder.cli.options.once import Group
from ponder.cli.output.download import pull_progress
from ponder.cli.output.tables import table
from ponder.cli.output.terminal import confirm, say, say_json, show
from ponder.core.errors import UsageError
from ponder.models import catalog
from ponder.models.openvino import converted
from ponder.models.openvino.model import convert


@click.group(cls=Group)
def models() -> None:
    """List, pull and remove the models that run on this machine."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_models(as_json: bool) -> None:
    """Show the catalogue, and what was pulled from the hub."""
    known = (*catalog.entries(), *catalog.pulled_references())
    found = [(entry, catalog.status(entry)) for entry in known]
    if as_json:
        rows = [
            {
                "name": entry.name,
                "default": entry.name == catalog.DEFAULT,
                "parameters": entry.parameters,
                "download_bytes": entry.source.size,
                "licence": entry.licence,
                "state": status.state,
                "bytes_on_disk": status.size + converted.size(status.path),
                "path": str(status.path),
            }
            for entry, status in found
        ]
        say_json(rows, indent=2)
        return
    shown = []
    for entry, status in found:
        size, state = entry.source.size or status.size, str(status.state)
        if state == "partial":
            state += f" ({_mb(status.size)})"
        if more := converted.size(status.path):
            state += f", converted ({_mb(more)})"
        mark = " (default)" if entry.name == catalog.DEFAULT else ""
        cells = (entry.name + mark, _mb(size), entry.licence or "unknown", state)
        shown.append(dict(zip(("name", "size", "licence", "state"), cells, strict=True)))
    show(table(shown))


@models.command()
@click.argument("name", default=catalog.DEFAULT)
@click.option("--verify", is_flag=True, help="Hash a model that is here; pull it anew if damaged.")
@click.option("--keep-original", is_flag=True, help="Keep the published file of a rewritten model.")
def pull(name: str, verify: bool, keep_original: bool) -> None:
    """Download the model NAME (else the default one), or hf:owner/repo/file.gguf.

    An interrupted download is continued. The model is then converted, so that it loads faster.
    """
    entry = catalog.find(name)
    with pull_progress(entry.name) as report:
        path = catalog.pull(entry, report, verify=verify, keep_original=keep_original)
    convert(path, entry.name, lambda line: say(line, err=True))
    say(f"{entry.name} is ready: {path}", err=True)


@models.command()
@click.argument("name", default=catalog.DEFAULT)
def path(name: str) -> None:
    """Print the path of the model NAME (else of the default one), for scripts."""
    entry = catalog.find(name)
    status = catalog.status(entry)
    if status.state != "ready":
        raise UsageError(f"{name} is not here: run `ponder models pull {name}`.")
    say(str(status.path))


@models.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm(name: str, yes: bool) -> None:
    """Delete the model NAME, downloaded completely or in part."""
    entry = catalog.find(name)
    if catalog.status(entry).state == "absent":
        raise UsageError(f"{name} is not here: there is nothing to delete.")
    if not yes:
        confirm(f"Delete {entry.name}?")
    freed = converted.remove(entry.path) + catalog.remove(entry)
    say(f"{_mb(freed)} are free again", err=True)


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
