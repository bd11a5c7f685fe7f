"""The words of servers that speak Chat Completions: one row for each kind of server.

A row says how the server is asked for thinking, which of its own defaults would change the
distribution that samples are drawn from, what it calls Ponder's fields, and how it is made to
continue a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from ponder.core.errors import UnknownName
from ponder.core.thinking import Thinking
from ponder.models.http.endpoint import Endpoint
from ponder.models.thinking import level_of, nearest, tokens_of

Json = Any

Asked = tuple[dict[str, Json], str]
"""The fields that ask for thinking, and a remark if it is not asked for as set ('' if it is)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words of one kind of server."""

    name: str
    thinking: Callable[[Thinking, Endpoint, tuple[str, ...]], Asked]
    """Asks for a setting other than ``auto``, which is asked for by saying nothing."""
    hosts: tuple[str, ...] = ()
    """Hosts that speak it, whole or as the end of a name."""
    efforts: tuple[str, ...] = ()
    """Levels that its models take, weakest first, unless the endpoint says (empty: any)."""
    sampling: Mapping[str, Json] = field(default_factory=dict)
    """Fields that switch off its own defaults, which would narrow or bend the distribution."""
    streaming: Mapping[str, Json] = field(default_factory=dict)
    """Fields of a stream by which it tells exact counts on the way."""
    stream_options: Mapping[str, Json] = field(default_factory=dict)
    """The same, within ``stream_options``."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Its names for fields that it calls otherwise."""
    marks_prefix: bool = False
    """True if a last message to be continued must have ``prefix: true``."""
    repeats_prefix: bool = False
    """True if its streams begin with that message."""
    settles_prefix: bool = False
    """True if a message is continued only while the template's thinking is off."""
    carries: bool = False
    """True if it signs thinking, in ``reasoning_details``, for a conversation that goes on."""
    hides: bool = False
    """True if its models may think without showing it."""
    tokenizes: bool = False
    """True if it counts the tokens of a text, at ``/tokenize``."""
    bends: str = ""
    """A remark on defaults of its own that this API has no field for; '' if there are none."""

    def ask(self, thinking: Thinking | None, endpoint: Endpoint) -> Asked:
        """Return the fields that ask for thinking, and a remark if it is not taken as set."""
        if thinking is None or thinking.level == "auto":
            return {}, ""
        harmony = ("low", "medium", "high") if "gpt-oss" in endpoint.model.lower() else ()
        return self.thinking(thinking, endpoint, endpoint.efforts or harmony or self.efforts)


def ask_level(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> tuple[str, str]:
    """Return the nearest of the levels taken, and a remark unless it is the one that was set."""
    wanted = level_of(thinking)
    level = nearest(wanted, taken)
    if thinking.tokens:
        how = f"takes no number of tokens to think: thinking={thinking} is asked for as {level}."
        return level, f"{endpoint.model} {how}"
    if level == wanted:
        return level, ""
    return level, f"{endpoint.model} does not take thinking={wanted}: {level} is the nearest."


def word(level: str) -> str:
    """Return a level as OpenAI writes it."""
    return "none" if level == "off" else level


def _effort(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> Asked:
    level, remark = ask_level(thinking, endpoint, taken)
    return {"reasoning_effort": word(level)}, remark


def _switch(*, on: bool) -> dict[str, Json]:
    """Return the switch of chat templates, by both of the names that they read."""
    return {"enable_thinking": on, "thinking": on}


def _vllm(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> Asked:
    if thinking.tokens and "thinking_token_budget" not in endpoint.drop:
        budget = {"thinking_token_budget": thinking.tokens}
        return budget | {"chat_template_kwargs": _switch(on=True)}, ""
    level, remark = ask_level(thinking, endpoint, taken)
    switch = {"chat_template_kwargs": _switch(on=level != "off")}
    return switch if level == "off" else {"reasoning_effort": level} | switch, remark


def _template(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> Asked:
    """Ask by arguments of the chat template alone."""
    level, remark = ask_level(thinking, endpoint, taken)
    effort = {} if level == "off" else {"reasoning_effort": level}
    return {"chat_template_kwargs": _switch(on=level != "off") | effort}, remark


def _sglang(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> Asked:
    level, remark = ask_level(thinking, endpoint, taken)
    switch = {"chat_template_kwargs": _switch(on=level != "off")}
    return switch if level == "off" else {"reasoning_effort": level} | switch, remark


def _openrouter(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> Asked:
    if thinking.tokens:
        return {"reasoning": {"max_tokens": thinking.tokens}}, ""
    level, remark = ask_level(thinking, endpoint, taken)
    return {"reasoning": {"effort": word(level)}}, remark


def _deepseek(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> Asked:
    if thinking.level == "off" and (not endpoint.efforts or "off" in taken):
        return {"thinking": {"type": "disabled"}}, ""
    level, remark = ask_level(thinking, endpoint, taken)
    return {"thinking": {"type": "enabled"}, "reasoning_effort": level}, remark


def _qwen(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> Asked:
    if thinking.level == "off":
        return {"enable_thinking": False}, ""
    return {"enable_thinking": True, "thinking_budget": tokens_of(thinking)}, ""


def _together(thinking: Thinking, endpoint: Endpoint, taken: tuple[str, ...]) -> Asked:
    level, remark = ask_level(thinking, endpoint, taken)
    asked = {"reasoning": {"enabled": False}} if level == "off" else {"reasoning_effort": level}
    return asked, remark


_THREE = ("low", "medium", "high")
_VLLM = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""A model's ``generation_config.json`` sets them otherwise, for vLLM and for SGLang."""
_LLAMACPP = {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}

DIALECTS = (
    Dialect("openai", _effort, ("api.openai.com",), hides=True),
    Dialect("openrouter", _openrouter, ("openrouter.ai",), carries=True),
    Dialect(
        "vllm",
        _vllm,
        sampling=_VLLM,
        stream_options={"continuous_usage_stats": True},
        tokenizes=True,
    ),
    Dialect("sglang", _sglang, efforts=("off", *_THREE), sampling=_VLLM),
    Dialect(
        "llamacpp",
        _template,
        sampling=_LLAMACPP,
        streaming={"timings_per_token": True},
        settles_prefix=True,
        tokenizes=True,
    ),
    Dialect(
        "ollama",
        _effort,
        efforts=("off", *_THREE),
        bends="Ollama draws from the tokens that the model's own top_k, min_p and repeat_penalty "
        "leave: its compatible API cannot change them.",
    ),
    Dialect(
        "deepseek", _deepseek, ("api.deepseek.com",), efforts=("high", "max"), marks_prefix=True
    ),
    Dialect("qwen", _qwen, ("aliyuncs.com",)),
    Dialect("xai", _effort, ("api.x.ai",), efforts=_THREE, hides=True),
    Dialect("together", _together, ("api.together.xyz", "api.together.ai"), ("off", *_THREE)),
    Dialect(
        "mistral",
        _effort,
        ("api.mistral.ai",),
        efforts=("off", "high"),
        names={"seed": "random_seed"},
        marks_prefix=True,
        repeats_prefix=True,
    ),
    Dialect("lmstudio", _effort, efforts=("off", *_THREE, "xhigh"), sampling=_LLAMACPP),
)


def dialect_of(endpoint: Endpoint) -> Dialect:
    """Return the dialect that an endpoint names, or else that of its host."""
    host = URL(endpoint.base_url).host or ""
    for dialect in DIALECTS:
        if endpoint.dialect == dialect.name:
            return dialect
        if not endpoint.dialect and any(host == h or host.endswith("." + h) for h in dialect.hosts):
            return dialect
    if endpoint.dialect:
        raise UnknownName("dialect", endpoint.dialect, [dialect.name for dialect in DIALECTS])
    return DIALECTS[0]
