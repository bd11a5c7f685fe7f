"""The embedded engine: OpenVINO on this machine's processor, several samples at a time.

The engine itself runs in a child process (``openvino.engine`` gives the reason). This module has
its settings, the prompts, and the ``Model`` that passes samples to it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ponder.core.errors import (
    MissingExtra,
    ModelError,
    RequestRefused,
    UnknownName,
    UsageError,
)
from ponder.core.problem import Message, offered
from ponder.core.text import marks
from ponder.core.trace import Delta
from ponder.models import calls
from ponder.models.base import (
    Capability,
    Completion,
    ModelInfo,
    Pace,
    Progress,
    Request,
    silent,
)
from ponder.models.gguf import metadata
from ponder.models.gguf.metadata import Header, metadata_only, read_header
from ponder.models.openvino import converted, templates
from ponder.models.openvino.cache import BLOCK
from ponder.models.openvino.converted import Converted
from ponder.models.openvino.engine import import_genai
from ponder.models.openvino.machine import free_memory, usable_cores
from ponder.models.openvino.messages import Done, Job, Metrics, Setup, Tokens
from ponder.models.openvino.process import Process
from ponder.models.openvino.templates import utf8
from ponder.models.openvino.told import Spoken
from ponder.models.openvino.vocabulary import Vocabulary
from ponder.util.errors import brief

__all__ = ["Metrics", "OpenVINO", "Settings", "can_load", "convert", "load"]

GB = 1 << 30
TICK = 5.0  # seconds between two signs of life while a model loads
PROMPTS = 1024  # prompts whose tokens are remembered
_VALUE_BYTES = {"u8": 1.25, "f16": 2.0, "bf16": 2.0, "f32": 4.0}  # u8 has scales beside


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a model; the defaults suit this machine. 0 and "" leave the choice to
    the engine.
    """

    slots: int = 32
    """Number of samples generated at once; more wait."""
    threads: int = 0
    cache_gb: float = 0.0
    """Gigabytes for the prompts and texts of all of them (0: a quarter of the free memory, at most
    4).
    """
    context: int = 0
    """Shortens the model's own context."""
    kv_precision: str = "f16"
    """One of u8, f16, bf16, f32. With u8 a cached prompt does not give exactly the same samples
    twice.
    """
    precision: str = ""
    """OpenVINO's hint: f32, bf16 or f16."""

    def __post_init__(self) -> None:
        if not 1 <= self.slots <= 512:
            raise UsageError(f"engine: slots must be from 1 to 512, not {self.slots}.")
        if self.threads < 0 or self.cache_gb < 0 or self.context < 0:
            raise UsageError("engine: threads, cache_gb and context must not be negative.")
        if self.kv_precision not in _VALUE_BYTES:
            raise UnknownName("precision of the cache", self.kv_precision, _VALUE_BYTES)
        if self.precision not in ("", "f32", "bf16", "f16"):
            raise UnknownName("precision", self.precision, ("f32", "bf16", "f16"))

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Settings:
        """Read the settings from a table such as ``[engine]`` of ``ponder.toml``.

        Raises:
            UsageError: a key is unknown, or a value of the wrong type or out of range.
        """
        defaults = {field.name: field.default for field in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in defaults:
                raise UnknownName("engine setting", key, defaults)
            kind = type(defaults[key])
            if kind is float and type(value) is int:
                value = float(value)
            if type(value) is not kind:
                raise UsageError(f"engine: {key} must be of type {kind.__name__}, not {value!r}.")
            values[key] = value
        return cls(**values)


def can_load(path: Path) -> str | None:
    """Return None if the engine can load the file, else the reason; see ``gguf.metadata``."""
    return None if converted.find(path) else metadata.can_load(path)


def load(
    path: str | Path,
    *,
    name: str = "",
    settings: Settings | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> OpenVINO:
    """Load a GGUF file; blocks for some seconds.

    ``on_progress`` gets a line when loading starts and every few seconds.

    Raises:
        MissingExtra: openvino-genai is not installed.
        UsageError: the file cannot be loaded; the message gives the reason.
        ModelError: the engine failed on it.
    """
    path, settings = Path(path).expanduser().resolve(), settings or Settings()
    name = name or path.stem
    if importlib.util.find_spec("openvino_genai") is None:
        raise MissingExtra("local", "the embedded engine")
    found = converted.find(path)
    if found is None and (reason := metadata.can_load(path)):
        raise UsageError(f"{path.name} cannot be loaded: {reason}.")
    return OpenVINO(_Loaded(path, found, name, settings, on_progress or (lambda line: None)), name)


def convert(path: Path, name: str, on_progress: Callable[[str], None]) -> None:
    """Convert a GGUF file ahead of its first load, if the embedded engine can load it."""
    if importlib.util.find_spec("openvino_genai") is not None and can_load(path) is None:
        converted.prepare(path, name, on_progress)


class _Loaded:
    """An engine, and the tools to talk to it."""

    def __init__(
        self,
        path: Path,
        found: Converted | None,
        name: str,
        settings: Settings,
        tell: Callable[[str], None],
    ) -> None:
        self.header = found.header if found else read_header(path)
        self.context = self.header.context
        if settings.context:
            self.context = min(self.context, settings.context)
        self.blocks = _blocks(self.header, settings)
        tell(f"loading {name} ({path.stat().st_size / 1e6:.0f} MB) into the embedded engine.")
        setup = Setup(str(path), "", settings.slots, self.blocks, _properties(settings))
        self.process, self.tokenizer = _start(setup, found, name, self.header, tell)
        self.vocabulary = Vocabulary(self.tokenizer)
        self.tokens = lru_cache(PROMPTS)(self._tokens)
        self.think_open = marks.opens(
            self.tokenizer.apply_chat_template([{"role": "user", "content": "?"}], True)
        )

    def _tokens(self, messages: tuple[Message, ...], prefix: str) -> Tokens:
        try:
            prompt = templates.prompt(self.tokenizer, messages)
            prefix = prefix or calls.begun(offered(messages))
            if prefix:  # it says itself if it thinks
                prompt = prompt[: marks.opening(prompt)] + utf8(prefix)
            encoded = self.tokenizer.encode(prompt, add_special_tokens=False)
        except RuntimeError as error:
            raise RequestRefused(
                "the model's chat template does not take these messages "
                f"({', '.join(m.role for m in messages)})."
            ) from error
        return tuple(encoded.input_ids.data[0].tolist())


def _start(
    setup: Setup,
    found: Converted | None,
    name: str,
    header: Header,
    tell: Callable[[str], None],
) -> _Started:
    """Start the engine with the file's converted model, else with the file itself."""
    path = Path(setup.path)
    found = found or converted.prepare(path, name, tell)
    if found:
        folder = str(found.folder)
        try:
            return _started(replace(setup, path=folder, tokenizer=folder), name, tell)
        except ModelError:
            tell(f"the converted model of {name} cannot be loaded: the file itself is.")
            converted.delete(found.folder)
    with tempfile.TemporaryDirectory(prefix="ponder-", ignore_cleanup_errors=True) as scratch:
        tokenizer = Path(scratch) / "tokenizer.gguf"
        tokenizer.write_bytes(metadata_only(path, header))
        return _started(replace(setup, tokenizer=str(tokenizer)), name, tell)


def _started(setup: Setup, name: str, tell: Callable[[str], None]) -> _Started:
    """Start the engine, and wait until it has loaded."""
    start = time.monotonic()
    process = Process(setup)
    try:
        tokenizer = import_genai().Tokenizer(setup.tokenizer)
        while not process.ready(TICK):
            tell(f"still loading {name}: {time.monotonic() - start:.0f} s.")
        if process.dead:
            raise ModelError(process.error)
    except BaseException as error:
        process.stop()
        if isinstance(error, Exception):
            raise ModelError(
                f"OpenVINO cannot load {Path(setup.path).name}: {brief(error)}"
            ) from error
        raise
    return process, tokenizer


SECONDS = 7.5e-11
"""Seconds per token and parameter of a chain that is alone, measured on two cores: it is reading
the weights that takes the time."""
EACH = 1 / 15
"""Part of that which each further chain adds: eight take 1.45 times as long, 24 take 2.4 times."""
AT_ONCE = 32
"""Most chains that are generated at once."""
_Started = tuple[Process, Any]  # and the tokenizer of this process


class OpenVINO:
    """A ``Model`` in the embedded engine; made by ``load``."""

    def __init__(self, loaded: _Loaded, name: str) -> None:
        self._loaded, self._closed = loaded, False
        able: frozenset[Capability] = frozenset(
            {"prefill", "logprobs", "first_logprobs", "seed", "stop"}
        )
        self._info = ModelInfo(
            name,
            able | {"tools"} if templates.calls_tools(loaded.tokenizer) else able,
            loaded.header.shape,
            loaded.context,
            local=True,
            think_open=loaded.think_open,
            pace=Pace(SECONDS * loaded.header.shape.parameters, EACH, AT_ONCE),
        )

    @property
    def info(self) -> ModelInfo:
        """Name, capabilities and size, as stated in the file."""
        return self._info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the exact number of tokens."""
        return len(self._loaded.tokens(tuple(messages), prefix))

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the same count: it is exact."""
        return self.prompt_bound(messages, prefix)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Generate one sample (see ``Model``).

        The first sample of a prompt evaluates it; the others report it as cached, except for its
        last token. A text that is truncated by the context ends with ``length``.
        """
        self._info.check(request.thinking)
        self._info.takes(request.messages)
        start = time.perf_counter()
        prompt = self._loaded.tokens(request.messages, request.prefix)
        room = self._room(len(prompt))

        spoken = Spoken(request, opened=self._info.think_open)

        def grown(tokens: int, text: str) -> None:
            progress(Delta(*spoken.add(text), tokens, len(prompt)))

        done = await self._loaded.process.run(
            lambda id: Job(
                id,
                prompt,
                min(request.max_tokens, room),
                request.temperature,
                request.top_p,
                request.seed,
                tuple(map(utf8, request.stop)),
                request.logprobs,
                request.watched,
                request.top_logprobs if request.max_tokens == 1 and not request.temperature else 0,
            ),
            grown,
        )
        if done.error:
            raise ModelError(
                done.error, prompt_tokens=len(prompt), completion_tokens=len(done.tokens)
            )
        text, stopped_at = self._text(done, request.stop)
        text, reasoning, made = spoken.whole(text)
        rest = spoken.rest(text, reasoning) if request.watched else ("", "")
        progress(Delta(*rest, len(done.tokens), len(prompt)))
        return Completion(
            text=text,
            reasoning=reasoning,
            calls=made,
            finish="stop" if done.finish == "stop" else "length",
            prompt_tokens=len(prompt),
            completion_tokens=len(done.tokens),
            cached_tokens=done.cached,
            logprobs=done.logprobs if request.logprobs else None,
            seconds=time.perf_counter() - start,
            top=(self._loaded.vocabulary.alternatives(done.top),) if done.top else None,
            stopped_at=stopped_at,
            pieces=await self._pieces(done) if request.pieces else None,
        )

    async def count(self, text: str) -> int | None:
        """Return the exact number of tokens (see ``Counting``)."""
        encoded = self._loaded.tokenizer.encode(utf8(text), add_special_tokens=False)
        return int(encoded.input_ids.data.size)

    async def _pieces(self, done: Done) -> tuple[bytes, ...] | None:
        return await asyncio.to_thread(self._loaded.vocabulary.pieces, done.tokens)

    @property
    def dead(self) -> bool:
        """True once the engine has ended (see ``Mortal``)."""
        return self._loaded.process.dead

    def metrics(self) -> Metrics:
        """Return the engine's metrics after its last step."""
        return self._loaded.process.metrics

    async def close(self) -> None:
        """End the engine's process, and everything that it is generating."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._loaded.process.stop)

    def _room(self, prompt: int) -> int:
        """Return the number of tokens that may follow a prompt of that many."""
        if self._closed:
            raise ModelError("the model has been closed.")
        context, cache = self._loaded.context, self._loaded.blocks * BLOCK
        if prompt >= context:
            raise RequestRefused(
                f"the prompt has {prompt} tokens, and {self._info.name} takes {context}, "
                "its answer included."
            )
        if prompt >= cache:
            raise RequestRefused(
                f"the prompt has {prompt} tokens, and the engine's cache holds {cache}: "
                "give it more memory (cache_gb)."
            )
        return min(context, cache) - prompt

    def _text(self, done: Done, stops: Sequence[str]) -> tuple[str, str]:
        """Return the text up to the first stop string, and that string."""
        text: str = self._loaded.tokenizer.decode(list(done.tokens)) if done.tokens else ""
        found = [(at, stop) for stop in stops if (at := text.find(stop)) >= 0]
        at, stop = min(found, key=lambda pair: pair[0], default=(len(text), ""))
        return text[:at], stop


def _blocks(header: Header, settings: Settings) -> int:
    size = settings.cache_gb * GB or min(4 * GB, free_memory() / 4)
    per_token = header.cached_values * _VALUE_BYTES[settings.kv_precision]
    return max(8, int(size / (per_token * BLOCK)))


def _properties(settings: Settings) -> dict[str, str | int]:
    properties: dict[str, str | int] = {
        "KV_CACHE_PRECISION": settings.kv_precision,
        "INFERENCE_NUM_THREADS": settings.threads or usable_cores(),
    }
    if settings.precision:
        properties["INFERENCE_PRECISION_HINT"] = settings.precision
    return properties
