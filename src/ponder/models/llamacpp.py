"""GGUF files that OpenVINO cannot load, served by llama.cpp in a child process on loopback.

llama.cpp needs its own process: it ends the process on an internal error, and it cannot be stopped
otherwise. Its standard input is its lifeline: when the parent ends, in whatever way, the child
reads end of file and exits too.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ponder.core.errors import MissingExtra, UsageError
from ponder.core.problem import Message
from ponder.models.base import Completion, Model, ModelInfo, Progress, Request, silent
from ponder.models.gguf.metadata import read_header
from ponder.models.http.endpoint import Endpoint
from ponder.models.openai.client import OpenAICompat

CONTEXT = 4096  # tokens per slot, unless configured; every slot's cache takes memory at once
PROMPTS = 256  # prompts whose size is remembered
TOKENIZE_TIMEOUT = 5.0  # seconds
MOST_BYTES = 1 << 26  # of a reply: the tokens of a prompt of the longest context
FAILURES = (OSError, http.client.HTTPException, ValueError, LookupError, TypeError)
"""The ways in which a question to the server may fail."""
CHILD = "from ponder.models.llamacpp import serve; serve()"


def open_llamacpp(
    path: str | Path,
    *,
    slots: int | None = None,
    threads: int | None = None,
    context: int | None = None,
) -> Model:
    """Load a .gguf file; blocks until the server answers.

    ``slots`` samples are generated at once, each with up to ``context`` tokens.

    Raises:
        MissingExtra: xllamacpp is not installed.
        UsageError: the file cannot be read or loaded.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra("llamacpp", "loading this file")
    path = Path(path).expanduser().absolute()
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from error
    if not is_gguf:
        raise UsageError(f"{path} is not a GGUF file.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = cores or 1
    slots = slots or min(16, max(4, cores))
    key = secrets.token_urlsafe()
    settings = {
        "path": str(path),
        "key": key,
        "slots": slots,
        "threads": threads or cores,
        "context": context or CONTEXT,
    }
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C is for the parent: it may still need an answer
    )
    try:
        return LlamaCpp(child, path, settings)
    except BaseException:
        _stop(child)
        raise


class LlamaCpp:
    """A ``Model`` in a child process of llama.cpp; made by ``open_llamacpp``."""

    def __init__(self, child: subprocess.Popen[str], path: Path, settings: dict[str, Any]) -> None:
        assert child.stdin
        assert child.stdout
        self._child = child
        child.stdin.write(json.dumps(settings) + "\n")
        child.stdin.flush()
        address = child.stdout.readline().strip()
        if not address:
            raise UsageError(
                f"llama.cpp cannot load {path}: the file is damaged, of a kind that it does not "
                "know, or larger than the memory."
            )
        self._address, self._key = urlsplit(address).netloc, settings["key"]
        self._counts: dict[tuple[tuple[Message, ...], str], int] = {}
        header = read_header(path)
        meta = self._call("GET", "/v1/models")["data"][0]["meta"]
        self._model = OpenAICompat(
            Endpoint(
                name=path.stem,
                base_url=f"{address}/v1",
                model=path.stem,
                key=settings["key"],
                capabilities=frozenset({"seed", "stop", "logprobs", "top_logprobs"}),
                prefill="final_message",
                stream=True,
                extra_body={"timings_per_token": True},  # counts tokens that show no text yet
                context=min(settings["context"], meta["n_ctx_train"]),
                parameters=meta["n_params"] - header.lookup,
                attention=header.shape.attention,
                local=True,
                concurrency=settings["slots"],  # leaves threads of the server free to tokenize
                timeout=3600.0,
                idle_timeout=600.0,  # a long prompt takes long on a CPU
            )
        )

    @property
    def info(self) -> ModelInfo:
        """Name, capabilities and size, as stated in the file."""
        return self._model.info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the exact count, from the server (about a millisecond), and remember it."""
        key = tuple(messages), prefix
        if key not in self._counts:
            turns = [{"role": m.role, "content": m.content} for m in messages]
            if prefix:
                turns.append({"role": "assistant", "content": prefix})
            try:
                prompt = self._call("POST", "/apply-template", {"messages": turns})["prompt"]
                fields = {"content": prompt, "add_special": True, "parse_special": True}
                count = self._size(fields)
            except FAILURES:
                return self._model.prompt_bound(messages, prefix)
            if len(self._counts) >= PROMPTS:
                del self._counts[next(iter(self._counts))]
            self._counts[key] = count
        return self._counts[key]

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the exact count, unless the server did not say it."""
        self.prompt_bound(messages, prefix)
        known = self._counts.get((tuple(messages), prefix))
        return self._model.prompt_least(messages, prefix) if known is None else known

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Generate one sample (see ``Model``)."""
        tokens = self.prompt_bound(request.messages, request.prefix)
        self._model.learn(request.messages, request.prefix, tokens)
        return await self._model.generate(request, progress)

    async def count(self, text: str) -> int | None:
        """Return the server's count (see ``Counting``)."""
        try:
            return await asyncio.to_thread(self._size, {"content": text})
        except FAILURES:
            return None

    async def close(self) -> None:
        """Stop the server and free its memory."""
        await self._model.close()
        await asyncio.to_thread(_stop, self._child)

    def _size(self, fields: dict[str, Any]) -> int:
        return len(self._call("POST", "/tokenize", fields)["tokens"])

    def _call(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection(self._address, timeout=TOKENIZE_TIMEOUT)
        try:
            headers = {"Authorization": f"Bearer {self._key}"}
            connection.request(
                method, path, json.dumps(body, allow_nan=False) if body else None, headers
            )
            return json.loads(connection.getresponse().read(MOST_BYTES))
        finally:
            connection.close()


def _stop(child: subprocess.Popen[str]) -> None:
    child.kill()  # it has nothing to save
    child.communicate()


def serve() -> None:
    """Run the child: load as the first line of standard input requests, serve until that input
    ends.
    """
    import xllamacpp

    settings = json.loads(sys.stdin.readline())
    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.port = 0  # any that is free
    params.api_keys = [settings["key"]]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["slots"] * settings["context"]
    params.cpuparams.n_threads = settings["threads"]
    params.n_threads_http = settings["slots"] + 4
    params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    # Samples follow the request: temperature and top_p alone shape the distribution.
    params.sampling.top_k, params.sampling.min_p = 0, 0.0
    server = xllamacpp.Server(params)
    sys.stdout.write(server.listening_address + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # without the destructor, which waits for samples that no process will read
