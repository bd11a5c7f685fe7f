"""Vendors and servers by name: ``PROVIDER:MODEL`` needs no configuration.

The address is the vendor's own, a local server's usual port, or what the user's environment says,
in the variable that the vendor's own tools read. A key goes to that address alone. So these names
are safe in a project's file: it can choose the model, and neither the address nor the variable.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ponder.core.errors import UsageError
from ponder.models.base import Api
from ponder.models.config import EndpointConfig, is_url

_MODEL = re.compile(r"/?[\w.+@~-]+(?:[/:][\w.+@~-]+)*", re.ASCII)
LONGEST = 256
"""Maximum length of a model's name."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A vendor, or a kind of local server."""

    name: str
    title: str
    """Its name for a person."""
    base_url: str
    address: str
    """The environment variable that replaces ``base_url``."""
    keys: tuple[str, ...] = ()
    """Environment variables with the key: the first that is set counts."""
    api: Api = "chat"
    dialect: str = ""
    path: str = ""
    """The path that its tools add to an address without one."""
    local: bool = False
    """True if it runs on the user's own machine: no key is needed, and nothing is paid."""
    start: str = ""
    """The command that starts a local server."""
    prices: str = ""
    """Its provider in genai-prices."""

    @property
    def port(self) -> int:
        """The usual port of a local server."""
        return urlsplit(self.base_url).port or 0


PROVIDERS = (
    Provider(
        "openai", "OpenAI", "https://api.openai.com/v1", "OPENAI_BASE_URL", ("OPENAI_API_KEY",),
        dialect="openai", prices="openai",
    ),
    Provider(
        "anthropic", "Anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_BASE_URL",
        ("ANTHROPIC_API_KEY",), api="messages", path="/v1", prices="anthropic",
    ),
    Provider(
        "gemini", "Gemini", "https://generativelanguage.googleapis.com/v1beta",
        "GOOGLE_GEMINI_BASE_URL", ("GOOGLE_API_KEY", "GEMINI_API_KEY"), api="gemini",
        path="/v1beta", prices="google",
    ),
    Provider(
        "openrouter", "OpenRouter", "https://openrouter.ai/api/v1", "OPENROUTER_BASE_URL",
        ("OPENROUTER_API_KEY",), dialect="openrouter", prices="openrouter",
    ),
    Provider(
        "deepseek", "DeepSeek", "https://api.deepseek.com/v1", "DEEPSEEK_BASE_URL",
        ("DEEPSEEK_API_KEY",), dialect="deepseek", prices="deepseek",
    ),
    Provider(
        "xai", "xAI", "https://api.x.ai/v1", "XAI_BASE_URL", ("XAI_API_KEY",), dialect="xai",
        prices="x-ai",
    ),
    Provider(
        "together", "Together", "https://api.together.xyz/v1", "TOGETHER_BASE_URL",
        ("TOGETHER_API_KEY",), dialect="together", prices="together",
    ),
    Provider(
        "mistral", "Mistral", "https://api.mistral.ai/v1", "MISTRAL_BASE_URL",
        ("MISTRAL_API_KEY",), dialect="mistral", prices="mistral",
    ),
    Provider(
        "qwen", "Qwen (DashScope)", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "DASHSCOPE_BASE_URL", ("DASHSCOPE_API_KEY",), dialect="qwen",
    ),
    Provider(
        "ollama", "Ollama", "http://127.0.0.1:11434/v1", "OLLAMA_HOST", dialect="ollama",
        path="/v1", local=True, start="ollama serve",
    ),
    Provider(
        "vllm", "vLLM", "http://127.0.0.1:8000/v1", "VLLM_BASE_URL", ("VLLM_API_KEY",),
        dialect="vllm", path="/v1", local=True, start="vllm serve MODEL",
    ),
    Provider(
        "sglang", "SGLang", "http://127.0.0.1:30000/v1", "SGLANG_BASE_URL", ("SGLANG_API_KEY",),
        dialect="sglang", path="/v1", local=True,
        start="python -m sglang.launch_server --model-path MODEL",
    ),
    Provider(
        "lmstudio", "LM Studio", "http://127.0.0.1:1234/v1", "LMSTUDIO_BASE_URL",
        ("LM_API_TOKEN",), dialect="lmstudio", path="/v1", local=True, start="lms server start",
    ),
    Provider(
        "llamacpp", "llama.cpp", "http://127.0.0.1:8080/v1", "LLAMACPP_BASE_URL",
        ("LLAMA_API_KEY",), dialect="llamacpp", path="/v1", local=True,
        start="llama-server -m MODEL.gguf",
    ),
)  # fmt: skip
_NAMED = {provider.name: provider for provider in PROVIDERS}


def split(name: str) -> tuple[Provider, str] | None:
    """Return the provider and the model of ``PROVIDER:MODEL``; None if it names no provider."""
    head, colon, model = name.partition(":")
    provider = _NAMED.get(head)
    return (provider, model) if provider and colon else None


def find(name: str) -> Provider | None:
    """Return the provider of that name, if there is one."""
    return _NAMED.get(name)


def endpoint(name: str) -> EndpointConfig | None:
    """Return the endpoint that ``PROVIDER:MODEL`` names; None if it names no provider.

    The model is '' where a local server is to say which one it has.

    Raises:
        UsageError: the model's name or the address in the environment is not valid.
    """
    found = split(name)
    if found is None:
        return None
    provider, model = found
    if not model and not provider.local:
        raise UsageError(f"{name!r} names no model: say which one, {provider.name}:MODEL.")
    if model and (len(model) > LONGEST or not _MODEL.fullmatch(model) or _climbs(model)):
        raise UsageError(
            f"{name!r}: a model's name has letters, digits and '. _ - + @ ~', in parts that '/' "
            "or ':' divides."
        )
    settings: dict[str, Any] = {"name": name, "base_url": address(provider), "model": model}
    if provider.api != "chat" or settings["base_url"] != provider.base_url:
        settings["api"] = provider.api  # elsewhere than at the vendor's own, nothing else is known
    settings |= {"local": True, "stream": True} if provider.local else {"dialect": provider.dialect}
    if key := key_of(provider):
        settings["key_env"] = key
    return EndpointConfig(
        name,
        settings["base_url"],
        model,
        settings=settings,
        provider=provider.prices,
        vendor=provider.name,
    )


def key_of(provider: Provider) -> str:
    """Return the variable with the key: the first that is set; '' if a local server needs none."""
    found = [name for name in provider.keys if os.environ.get(name, "").strip()]
    return next(iter(found), "" if provider.local else provider.keys[0])


def has_key(provider: Provider) -> bool:
    """Return True if one of its keys is set."""
    return any(os.environ.get(name, "").strip() for name in provider.keys)


def address(provider: Provider) -> str:
    """Return the address to ask, as its own tools read it from the environment.

    Raises:
        UsageError: the environment holds something else.
    """
    said = os.environ.get(provider.address, "").strip().rstrip("/")
    if not said:
        return provider.base_url
    url = said
    if provider.name == "ollama":
        url = _ollama(said)
    if not is_url(url):
        raise UsageError(
            f"{provider.address} must be an address such as {provider.base_url}, without user "
            "name, password or query."
        )
    return url + provider.path if urlsplit(url).path in ("", "/") else url


def _ollama(said: str) -> str:
    """Return the address that Ollama's own client makes of OLLAMA_HOST; '' if it makes none.

    The variable may be the server's, which listens on all addresses; a client asks this machine.
    """
    scheme, found, rest = said.rpartition("://")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        return ""
    try:
        url = urlsplit(f"//{authority}")
        host, port = url.hostname or "", url.port
    except ValueError:
        return ""
    if not host or _is_unspecified(host):
        host = "127.0.0.1"
    if port is None:
        port = {"https": 443, "http": 80}.get(scheme, 11434)
    host = f"[{host}]" if ":" in host else host
    return f"{scheme if found else 'http'}://{host}:{port}{slash}{path}"


def _is_unspecified(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _climbs(model: str) -> bool:
    return any(part in (".", "..") for part in re.split(r"[/:]", model))
