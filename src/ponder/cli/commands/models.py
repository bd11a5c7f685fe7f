"""``ponder models``: lists, shows, downloads and removes models."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from ponder.cli.options.once import Group
from ponder.cli.output.download import pull_progress
from ponder.cli.output.tables import table
from ponder.cli.output.terminal import confirm, say, say_json, show
from ponder.cli.views.models import (
    learned_json,
    learned_row,
    megabytes,
    reachable_table,
    show_facts,
    shown_endpoint,
    shown_here,
)
from ponder.core.errors import UsageError
from ponder.models import catalog, config, learned, names
from ponder.models.config import EndpointConfig
from ponder.models.discovery.discover import described, discover
from ponder.models.discovery.reachable import reachable
from ponder.models.openvino import converted
from ponder.models.openvino.model import convert
from ponder.models.pricing import pricing


@click.group(cls=Group)
def models() -> None:
    """List and show models; pull and remove those that run on this machine."""


@models.command("list")
@click.option("--remote", is_flag=True, help="Ask vendors whose key is set for their models.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_models(remote: bool, as_json: bool) -> None:
    """Show the models that can be asked now.

    These are the catalogue, what was pulled from the hub, what learned from it on this machine, the
    endpoints of ponder.toml, local servers at their usual ports, and vendors whose key is set.
    """
    others = asyncio.run(reachable(config.load(), remote=remote))
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
        say_json([*rows, *map(learned_json, learned.known()), *map(asdict, others)], indent=2)
        return
    shown = []
    for entry, status in found:
        size, state = entry.source.size or status.size, str(status.state)
        if state == "partial":
            state += f" ({megabytes(status.size)})"
        if more := converted.size(status.path):
            state += f", converted ({megabytes(more)})"
        mark = " (default)" if entry.name == catalog.DEFAULT else ""
        cells = (entry.name + mark, megabytes(size), entry.licence or "unknown", state)
        shown.append(dict(zip(("name", "size", "licence", "state"), cells, strict=True)))
    show(table([*shown, *map(learned_row, learned.known())]))
    if others:
        say()
        show(reachable_table(others))


@models.command("show")
@click.argument("name")
@click.option("--probe", is_flag=True, help="Send a few requests of a few tokens, to see more.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show_model(name: str, probe: bool, as_json: bool) -> None:
    """Show what the model NAME can do, how that is known, and what strategies lack on it."""
    found = names.resolve(name, config.load())
    if isinstance(found, EndpointConfig):
        facts = asyncio.run(discover(found, probing=probe))
        endpoint = described(found, facts)
        shown = shown_endpoint(endpoint, facts, pricing(endpoint))
    elif probe:
        raise UsageError(f"{name} is no endpoint: there is nothing to probe.")
    else:
        shown = shown_here(name, found)
    if as_json:
        say_json(shown, indent=2)
    else:
        show_facts(shown)


@models.command()
@click.argument("name", default=catalog.DEFAULT)
@click.option("--verify", is_flag=True, help="Hash a model that is here; pull it anew if damaged.")
@click.option("--keep-original", is_flag=True, help="Keep the published file of a rewritten model.")
def pull(name: str, verify: bool, keep_original: bool) -> None:
    """Download the model NAME (else the default one), or hf:owner/repo/file.gguf.

    An interrupted download is continued. The model is then converted, so that it loads faster.
    """
    if catalog.is_learned(name):
        raise UsageError(f"{name} is made on this machine, by `ponder learn`: it cannot be pulled.")
    entry = catalog.find(name)
    with pull_progress(entry.name) as report:
        path = catalog.pull(entry, report, verify=verify, keep_original=keep_original)
    convert(path, entry.name, lambda line: say(line, err=True))
    say(f"{entry.name} is ready: {path}", err=True)


@models.command()
@click.argument("name", default=catalog.DEFAULT)
def path(name: str) -> None:
    """Print the path of the model NAME (else of the default one), for scripts."""
    if catalog.is_learned(name):
        say(str(learned.find(name).path))
        return
    entry = catalog.find(name)
    status = catalog.status(entry)
    if status.state != "ready":
        raise UsageError(f"{name} is not here: run `ponder models pull {name}`.")
    say(str(status.path))


@models.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm(name: str, yes: bool) -> None:
    """Delete the model NAME, downloaded completely or in part, or learned."""
    if made := catalog.is_learned(name):
        path = learned.path_to_remove(name)
    else:
        entry = catalog.find(name)
        if catalog.status(entry).state == "absent":
            raise UsageError(f"{name} is not here: there is nothing to delete.")
        path = entry.path
    if not yes:
        confirm(f"Delete {name}?")
    freed = converted.remove(path)
    freed += learned.remove(name) if made else catalog.remove(entry)
    say(f"{megabytes(freed)} are free again", err=True)
    if made and (folder := learned.working_folder(path)).is_dir():
        say(f"{folder} stays: what was sampled and trained is in it", err=True)
