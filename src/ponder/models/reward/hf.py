"""A process reward model in this process, by transformers (extra ``hf``).

Its name is ``transformers(FORMAT, PATH)``, or with a repository of the Hugging Face hub instead of
a path. Published PRMs of ``qwen`` and ``skywork`` come with their own class, and loading them runs
that code: only if the name permits it, ``transformers(FORMAT, PATH, code=run)``. A plain token
classifier, or a language model (``math_shepherd``), needs none.

As a ``Model`` it works like ``reward.RewardEndpoint``. Solutions are evaluated one after the other,
in a thread: the arithmetic of one uses all cores. An evaluation in progress is not interrupted.
"""

from __future__ import annotations

import asyncio
import importlib.util
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ponder.core.errors import MissingExtra, ModelError, RequestRefused, UsageError
from ponder.core.problem import Message
from ponder.core.text.refs import parse
from ponder.core.trace import Delta
from ponder.models.base import Completion, ModelInfo, Progress, Request, Shape, silent
from ponder.models.reward import formats
from ponder.models.reward.formats import Format, Solution
from ponder.util.errors import brief

KIND = "transformers"


@dataclass(frozen=True, slots=True)
class Named:
    """The parts of such a model's name."""

    format: str
    """Name of the format of requests."""
    path: str
    """A folder, or a repository of the hub."""
    trusted: bool
    """True if the model's own code may run."""


def named(name: str) -> Named | None:
    """Return the parts of a model's name; None if it is not one of this module.

    Raises:
        UsageError: it is one, but malformed.
    """
    if not name.startswith((f"{KIND}(", f"{KIND}:", f"{KIND}+code:")):
        return None
    ref = parse(name)
    options = {key: value.text for key, value in ref.options.items()}
    if ref.name != KIND or len(ref.args) != 2 or ref.model or options not in ({}, {"code": "run"}):
        raise UsageError(
            f"{name!r}: expected {KIND}(FORMAT, PATH), such as {KIND}(qwen, owner/model), or "
            f"{KIND}(FORMAT, PATH, code=run) to let the model's own code run."
        )
    return Named(ref.args[0].text, ref.args[1].text, bool(options))


def load(name: str, parts: Named) -> TransformersReward:
    """Load the model of that name; blocks.

    Raises:
        MissingExtra: transformers or torch is not installed.
        UsageError: the model cannot be loaded; the message gives the reason.
    """
    format = formats.find_format(parts.format)
    if any(importlib.util.find_spec(module) is None for module in ("transformers", "torch")):
        raise MissingExtra("hf", "a process reward model in this process")
    try:
        tokenizer, model = _open(parts.path, format, parts.trusted)
    except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
        raise UsageError(f"transformers cannot load {parts.path}: {brief(error)}") from error
    return TransformersReward(name, format, tokenizer, model)


def _open(path: str, format: Format, trusted: bool) -> tuple[Any, Any]:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(path, trust_remote_code=trusted)
    if trusted:
        kind = transformers.AutoModel
    elif format == "math_shepherd":
        kind = transformers.AutoModelForCausalLM
    elif format == "classify":
        kind = transformers.AutoModelForSequenceClassification
    else:
        kind = transformers.AutoModelForTokenClassification
    return tokenizer, kind.from_pretrained(path, trust_remote_code=trusted).eval()


class TransformersReward:
    """A ``Model`` that scores; made by ``load``, or from a given tokenizer and model."""

    def __init__(self, name: str, format: Format, tokenizer: Any, model: Any) -> None:
        self.format, self._tokenizer, self._model = format, tokenizer, model
        self._turn = threading.Lock()
        context = getattr(model.config, "max_position_embeddings", 0) or 0
        shape = Shape(sum(p.numel() for p in model.parameters()))
        none: frozenset[Any] = frozenset()
        self._info = ModelInfo(name, none, shape, context, local=True)

    @property
    def info(self) -> ModelInfo:
        """Name and size. It has no capabilities: it does not generate."""
        return self._info

    def prompt_bound(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the exact number of tokens to evaluate."""
        asked = formats.solution(messages)
        return sum(len(tokens) for tokens, _ in self._encoded(asked))

    def prompt_least(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Return the same count: it is exact."""
        return self.prompt_bound(messages, prefix)

    async def generate(self, request: Request, progress: Progress = silent) -> Completion:
        """Score one solution."""
        started = time.perf_counter()
        asked = formats.solution(request.messages)
        encoded = self._encoded(asked)
        spent = sum(len(tokens) for tokens, _ in encoded)
        progress(Delta(prompt_tokens=spent))
        try:
            scores = await asyncio.to_thread(self._scores, encoded)
        except (RuntimeError, IndexError, ValueError) as error:
            why = f"{self._info.name} failed: {brief(error)}"
            raise ModelError(why, prompt_tokens=spent) from error
        if len(scores) != len(asked.steps):
            raise ModelError(
                f"{self._info.name} gave {len(scores)} scores for {len(asked.steps)} steps: is it "
                f"of the format {self.format!r}?",
                prompt_tokens=spent,
            )
        seconds = time.perf_counter() - started
        text = formats.packed(scores)
        progress(Delta(text, prompt_tokens=spent))
        return Completion(text, "stop", spent, 0, seconds=seconds)

    async def close(self) -> None:
        """Do nothing: its memory is released with the object."""

    def _encoded(self, asked: Solution) -> list[tuple[list[int], list[int]]]:
        """Return inputs, each with the places of the requested scores."""
        tokenizer = self._tokenizer
        if self.format == "classify":
            return [(tokenizer.encode(text), [-1]) for text in formats.growing(asked)]
        if self.format == "skywork":
            question, *steps = formats.pieces(asked)
            tokens = self._plain((tokenizer.bos_token or "") + question)
            tag, places = self._tag(formats.SKYWORK_TAG), []
            for step in steps:
                tokens += [*self._plain(step), tag]
                places.append(len(tokens) - 1)
            return [(tokens, places)]
        if self.format == "qwen":
            text = tokenizer.apply_chat_template(
                formats.chat(asked), tokenize=False, add_generation_prompt=False
            )
            tokens, tag = self._plain(text), self._tag(formats.QWEN_TAG)
        else:
            tokens = tokenizer.encode(formats.tagged(asked))
            tag = self._tag(formats.SHEPHERD_TAG)
        return [(tokens, [i for i, token in enumerate(tokens) if token == tag])]

    def _plain(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return tokens

    def _tag(self, text: str) -> int:
        tokens = self._plain(text)
        if not tokens:
            raise RequestRefused(f"the tokenizer of {self._info.name} does not know {text!r}.")
        return tokens[-1]

    def _scores(self, encoded: list[tuple[list[int], list[int]]]) -> list[float]:
        import torch

        scores = []
        for tokens, places in encoded:
            with self._turn, torch.no_grad():
                logits = _logits(self._model(input_ids=torch.tensor([tokens])))[0].float()
            if self.format == "math_shepherd":
                logits = logits[:, [self._tag(sign) for sign in (formats.GOOD, formats.BAD)]]
            rows = [logits] if self.format == "classify" else [logits[place] for place in places]
            scores += [formats.score_of(row.tolist(), self.format, logits=True) for row in rows]
        return scores


def _logits(output: Any) -> Any:
    """Return the scores of a model's output: by name if it has one, else its first or
    only tensor.
    """
    return output.logits if hasattr(output, "logits") else output[0]
