"""Opening of models by name."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponder.core.errors import MissingExtra, UnknownName, UsageError
from ponder.models import catalog, names
from ponder.models.base import Model, Priced
from ponder.models.catalog import Entry
from ponder.models.config import Config, EndpointConfig
from ponder.models.fakes.simulated import Simulated
from ponder.models.fetch import Report
from ponder.models.learned import Learned
from ponder.models.names import GgufFile, SimulatedWorld
from ponder.models.reward import hf as reward_hf
from ponder.models.taught import Taught, levels_of
from ponder.util.files import open_regular
from ponder.util.threads import in_thread

if TYPE_CHECKING:
    from ponder.models.base import Api
    from ponder.models.http.endpoint import Endpoint
    from ponder.models.http.wire import Wire


@dataclass(frozen=True, slots=True)
class Opened(Priced):
    """A model with its prices."""

    notes: tuple[str, ...] = ()
    """Remarks for the receipt."""
    path: Path | None = None
    """Its file, if it is embedded."""


class Teller:
    """Receives notices about slow operations and choices made for the caller. This one discards
    them.
    """

    def tell(self, line: str) -> None:
        """Receive one line for a person."""

    def progress(self, name: str) -> AbstractContextManager[Report]:
        """Wrap a download of the model ``name``."""
        return nullcontext(lambda stage, done, total: None)


async def open_model(name: str, config: Config, teller: Teller) -> Opened:
    """Open a model by its name in the catalog or in ``ponder.toml``, by path or by hub reference.

    A model of the catalog that is not on this machine yet is pulled first.

    Raises:
        UnknownName: there is no model of that name.
        UsageError: its settings, file or key are invalid.
        PonderError: it cannot be pulled or loaded.
    """
    if parts := reward_hf.named(name):
        scorer = await in_thread(reward_hf.load, name, parts)
        return Opened(scorer, None, ("this machine's own model: no dollars.",))
    found = names.resolve(name, config)
    if isinstance(found, EndpointConfig):
        return await _endpoint(found, teller)
    if isinstance(found, SimulatedWorld):
        return Opened(_simulated(found), notes=("simulated: no model was asked.",))
    if isinstance(found, GgufFile | Learned):
        path = found.path
    else:
        path = await in_thread(pulled, found, teller)
    model = await in_thread(_embedded, path, _label(found), config.engine, teller, unwanted=_shut)
    if levels := levels_of(path):
        model = Taught(model, levels)
    return Opened(model, None, ("this machine's own model: no dollars.",), path)


def identity(name: str, config: Config) -> Hashable:
    """Return a key that all names of one model share.

    Raises:
        UnknownName, UsageError: as ``open_model``.
    """
    if parts := reward_hf.named(name):
        return parts
    found = names.resolve(name, config)
    if isinstance(found, GgufFile | Learned):
        return found.path.resolve()
    if isinstance(found, Entry):
        return catalog.status(found).path.resolve()
    return found if isinstance(found, SimulatedWorld) else name


def _shut(model: Model) -> None:
    """Close a model whose caller no longer waits for it."""
    asyncio.run(model.close())


def _label(found: Entry | Learned | GgufFile) -> str:
    if isinstance(found, Learned):
        return found.full_name
    return found.name if isinstance(found, Entry) else found.path.stem


def pulled(entry: Entry, teller: Teller) -> Path:
    """Return the file of a model of the catalogue; pulls it, and says so, if it is not there yet.

    Raises:
        ModelError: it cannot be had or stored.
    """
    status = catalog.status(entry)
    if status.state == "ready":
        return status.path
    teller.tell(f"{entry.name} is not on this machine yet: pulling it (once).")
    with teller.progress(entry.name) as report:
        return catalog.pull(entry, report)


def _embedded(path: Path, name: str, settings: Mapping[str, Any], teller: Teller) -> Model:
    with open_regular(path, "the model") as file:
        if file.read(4) != b"GGUF":
            raise UsageError(f"{path} is not a GGUF file.")
    has_openvino = importlib.util.find_spec("openvino_genai") is not None
    has_llamacpp = importlib.util.find_spec("xllamacpp") is not None
    if not has_openvino and not has_llamacpp:
        raise MissingExtra("local", f"running {name} on this machine")
    from ponder.models.openvino import model as openvino

    reason = openvino.can_load(path) if has_openvino else "openvino-genai is not installed"
    if reason is None:
        known = openvino.Settings.read(settings)
        return openvino.load(path, name=name, settings=known, on_progress=teller.tell)
    if not has_llamacpp:
        raise MissingExtra("llamacpp", f"{path.name} cannot be loaded by OpenVINO ({reason}) and")
    from ponder.models.llamacpp import open_llamacpp

    teller.tell(f"{name} runs on llama.cpp, since {reason}.")
    return open_llamacpp(
        path, **{k: settings[k] for k in ("slots", "threads", "context") if k in settings}
    )


async def _endpoint(asked: EndpointConfig, teller: Teller) -> Opened:
    from ponder.models.discovery.discover import described, discover
    from ponder.models.http.client import HttpModel
    from ponder.models.http.endpoint import Endpoint
    from ponder.models.openai.client import OpenAICompat
    from ponder.models.pricing import pricing
    from ponder.models.reward.endpoint import RewardEndpoint
    from ponder.models.reward.formats import find_format

    found, remarks = asked, tuple[str, ...]()
    if asked.told and not asked.reward:
        facts = await discover(asked, wake=teller.tell)
        found, remarks = described(asked, facts), facts.remarks
    if found.name != asked.name:
        teller.tell(f"{asked.name} is {found.name} here.")
    price, note = await in_thread(pricing, found)
    endpoint, notes = Endpoint(**found.settings), (*([note] if note else []), *remarks)
    if found.reward:
        return Opened(RewardEndpoint(endpoint, find_format(found.reward)), price, notes)
    if endpoint.api == "chat":
        return Opened(OpenAICompat(endpoint), price, notes)
    return Opened(HttpModel(endpoint, _wire(endpoint.api)), price, notes)


_WIRES: dict[Api, tuple[str, str]] = {
    "responses": ("openai.responses", "Responses"),
    "messages": ("anthropic.messages", "Messages"),
    "gemini": ("gemini.generate", "Generate"),
}
"""The wire of each other API: its module below ``ponder.models``, imported when it is used."""


def _wire(api: Api) -> Callable[[Endpoint], Wire]:
    module, name = _WIRES[api]
    if importlib.util.find_spec(f"ponder.models.{module.partition('.')[0]}") is None:
        raise UsageError(f"the API {api!r} is not supported: use one that speaks Chat Completions.")
    made: Callable[[Endpoint], Wire] = getattr(
        importlib.import_module(f"ponder.models.{module}"), name
    )
    return made


_OPTIONS = {
    "accuracy": float, "decoys": int, "length": int, "signal": float, "speed": float,
    "thinking": int, "beside": int,
}  # fmt: skip


def _simulated(world: SimulatedWorld) -> Simulated:
    values: dict[str, Any] = {}
    for name, value in world.options:
        if name not in _OPTIONS:
            raise UnknownName("option of the simulated model", name, _OPTIONS)
        try:
            values[name] = _OPTIONS[name](value)
        except ValueError:
            raise UsageError(f"simulated: {name} must be a number, not {value!r}.") from None
    told = ", ".join(f"{name}={value}" for name, value in world.options)
    return Simulated(**values, name=f"simulated({told})" if told else "simulated")
