"""The meaning of a ``--model``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.refs import Ref, parse
from ponder.models import catalog, learned
from ponder.models.catalog import Entry
from ponder.models.config import Config, EndpointConfig
from ponder.models.learned import Learned
from ponder.models.presets import providers
from ponder.models.reward import hf as reward_hf
from ponder.util.files import existing


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A GGUF file of the caller's own."""

    path: Path


@dataclass(frozen=True, slots=True)
class SimulatedWorld:
    """The model of ``models.fakes.simulated``, as ``simulated`` or
    ``simulated(KEY=VALUE, ...)``.
    """

    options: tuple[tuple[str, str], ...] = ()
    """Names and values."""


Resolved = Entry | Learned | GgufFile | EndpointConfig | SimulatedWorld


def resolve(spec: str | None, config: Config) -> Resolved:
    """Return the model that ``--model`` refers to (None: not given, so the configured default).

    Catalogue name, ``BASE+NAME`` of a learned model, endpoint, ``PROVIDER:MODEL``, ``simulated``,
    hub reference, or path of a GGUF file. Touches neither the network nor, except for such a path
    or a learned model, the disk.

    Raises:
        UnknownName: none of these.
        UsageError: no such file or learned model, or an endpoint that the caller has to name.
    """
    name = spec or config.model or catalog.DEFAULT
    endpoint = config.endpoints.get(name)
    if endpoint and (name == "simulated" or catalog.own(name)):
        raise UsageError(f"[endpoints.{name}] has the name of a model of Ponder's: rename it.")
    if name == "simulated":
        return SimulatedWorld()
    if catalog.own(name):
        return learned.find(name) if catalog.is_learned(name) else catalog.find(name)
    if endpoint:
        if endpoint.refusal:
            raise UsageError(endpoint.refusal)
        if not (spec or endpoint.trusted):
            raise UsageError(
                f"the endpoint {name!r} comes from this project's ponder.toml and could send your "
                f"prompts or keys elsewhere: name it yourself (--model {name}), or move it to your "
                "own ponder.toml."
            )
        return endpoint
    if named := providers.endpoint(name):
        return named
    if name.startswith(("simulated(", "simulated:")):
        return _simulated(name)
    if not spec and config.model_of_project:
        raise UsageError(
            f"the default model {name!r} is a project's choice, and Ponder loads no files on its "
            f"word: name it yourself (--model {name}), or make it your own default."
        )
    if reward_hf.named(name):
        raise UsageError(
            f"{name} is a process reward model: it scores what another model writes. Name it as a "
            f"verifier, --verifier 'process({name})', and a model that writes as --model."
        )
    if reference := catalog.reference(name):
        return reference
    if name.endswith(".gguf") or "/" in name:
        path = existing(name)
        if path is None:
            raise UsageError(
                f"there is no file {name}: give the path of a GGUF file, or "
                "hf:owner/repo/file.gguf for one on the hub."
            )
        return GgufFile(path)
    known = [entry.name for entry in catalog.entries()]
    known += [*config.endpoints, "simulated", *(f"{one.name}:" for one in providers.PROVIDERS)]
    raise UnknownName("model", name, known)


def _simulated(name: str) -> SimulatedWorld:
    ref = parse(name) if name.startswith("simulated(") else Ref(name)
    if ref.name != "simulated" or ref.args or ref.model:
        raise UsageError(
            f"{name!r}: expected simulated(KEY=VALUE, ...), such as simulated(accuracy=0.8)."
        )
    return SimulatedWorld(tuple((key, value.text) for key, value in ref.options.items()))
