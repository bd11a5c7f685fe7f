"""Configuration in ``ponder.toml``: the user's defaults, engine settings and endpoints.

Two files are read. The user's own (``PONDER_CONFIG``, else ``ponder.toml`` in the platform's
configuration folder) is trusted. The project's (the nearest ``ponder.toml`` from the working
directory upwards) may come with a cloned repository; its defaults and its ``[engine]`` replace the
user's.

An endpoint can send the prompt, and any environment variable as its key, to any URL. Therefore a
project's endpoint is trusted only if it is on this machine and has no ``key_env``. One off this
machine is used only when named explicitly, never as a default. One with a ``key_env`` is never
used, since its name does not reveal which variable is sent to which URL. No project may redefine an
endpoint of the user's. A user who wrote the project's file can trust it with ``PONDER_CONFIG``.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import platformdirs

from ponder.core.errors import UnknownName, UsageError
from ponder.models.base import Api, Capability
from ponder.models.reward.formats import FORMATS
from ponder.models.thinking import LEVELS
from ponder.util.decoding import Malformed
from ponder.util.files import read_regular, text_of

FILE = "ponder.toml"
LIMIT = 1 << 20
"""Maximum bytes of such a file."""
EXPONENT = 18
"""Maximum power of ten of a number, up and down."""
CAPABILITIES: tuple[Capability, ...] = tuple(
    name for name in get_args(Capability) if name != "first_logprobs"
)
"""Those that an endpoint may have: the embedded engine alone has no more than the first place."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, exact."""

    input: Decimal
    output: Decimal
    cached_input: Decimal
    cache_write: Decimal | None = None
    """Of what is stored in a cache for five minutes; None: as the API's vendor asks."""


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """One ``[endpoints.NAME]``."""

    name: str
    base_url: str
    model: str
    settings: Mapping[str, Any]
    """Arguments of ``models.http.endpoint.Endpoint``: only those that the file sets, and
    ``name``.
    """
    price: Price | None = None
    provider: str = ""
    """Its provider in genai-prices (empty: inferred from ``base_url``)."""
    trusted: bool = True
    """False for an endpoint of a project's file that is off this machine or reads a key: it may be
    used only when the caller named it.
    """
    reward: str = ""
    """Format of a process reward model (empty: it is a chat endpoint)."""
    refusal: str = ""
    """Reason why it may never be used; empty if it may."""
    vendor: str = ""
    """The provider that its name begins with (see ``models.presets.providers``); empty for an
    endpoint of ``ponder.toml``.
    """
    told_price: Price | None = None
    """The price that its server tells."""
    told: bool = True
    """True to ask its server what it can do."""


@dataclass(frozen=True, slots=True)
class Config:
    """The merged content of both files."""

    model: str = ""
    """Name of the default model; '' if unset."""
    effort: str = ""
    """The default effort; '' if unset."""
    engine: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    """Passed on unchecked: the engine validates its settings."""
    endpoints: Mapping[str, EndpointConfig] = field(default_factory=dict)
    """The endpoints, by name."""
    model_of_project: bool = False
    """True if the project's file sets ``model``."""
    plans: Path | None = None
    """The file of plans; None if unset."""
    plans_of_project: bool = False
    """True if the project's file sets ``plans``."""
    keep_days: float | None = None
    """Days after which a server removes a run; None to keep all."""


def load(cwd: Path | None = None) -> Config:
    """Read the user's and the project's file; without either, return the defaults.

    Raises:
        UsageError: a file cannot be read, or a key, type or value is wrong; the message names file
            and key.
    """
    user, project = _user_file(), _project_file(cwd or Path.cwd())
    config = _read(user, trusted=True) if user else Config()
    if project is None or (user and project.samefile(user)):
        return config
    own = _read(project, trusted=False)
    for name in own.endpoints.keys() & config.endpoints.keys():
        raise UsageError(
            f"{project}: [endpoints.{name}] has the name of an endpoint in {user}, and a project "
            "may not redefine yours: rename one of the two."
        )
    return Config(
        own.model or config.model,
        own.effort or config.effort,
        own.engine or config.engine,
        {**config.endpoints, **own.endpoints},
        model_of_project=bool(own.model),
        plans=own.plans or config.plans,
        plans_of_project=own.plans is not None,
        keep_days=config.keep_days,
    )


def _user_file() -> Path | None:
    if named := os.environ.get("PONDER_CONFIG"):
        return Path(named)  # it has to exist: reading it reports that
    path = Path(platformdirs.user_config_dir("ponder", appauthor=False)) / FILE
    return path if path.is_file() else None


def _project_file(cwd: Path) -> Path | None:
    folders = (cwd.resolve(), *cwd.resolve().parents)
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def _read(path: Path, trusted: bool) -> Config:
    raw = read_regular(path, "the configuration", LIMIT)
    try:
        # Decimal keeps prices as they are written.
        data = tomllib.loads(text_of(raw, path), parse_float=_decimal)
    except Malformed as error:
        raise UsageError(f"{path}: {error}.") from None
    except (ValueError, RecursionError) as error:  # TOML or UTF-8
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UsageError(f"{path} is not valid TOML: {why}.") from None
    tables = dict.fromkeys(("default", "engine", "endpoints", "serve"), _is_table)
    _check(path, "", data, {name: ("a table", check) for name, check in tables.items()})
    default = data.get("default", {})
    _check(path, "default", default, dict.fromkeys(("model", "effort", "plans"), _TEXT))
    engine = {name: _plain(value) for name, value in data.get("engine", {}).items()}
    scalar = ("a number, a string or a boolean", lambda v: isinstance(v, int | float | str))
    _check(path, "engine", engine, dict.fromkeys(engine, scalar))
    endpoints = {}
    for name, table in data.get("endpoints", {}).items():
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
            raise UsageError(
                f"{path}: [endpoints.{name}]: expected a name of letters, digits, '.', '_', '-'."
            )
        endpoints[name] = _endpoint(path, name, table, trusted)
    plans = path.absolute().parent / default["plans"] if "plans" in default else None
    serve = data.get("serve", {})
    _check(path, "serve", serve, {"keep_days": _DAYS})
    if serve and not trusted:  # it has runs removed
        raise UsageError(f"{path}: [serve] belongs into your own ponder.toml, not a project's.")
    return Config(
        default.get("model", ""),
        default.get("effort", ""),
        engine,
        endpoints,
        plans=plans,
        keep_days=float(serve["keep_days"]) if "keep_days" in serve else None,
    )


def _endpoint(path: Path, name: str, table: Any, trusted: bool) -> EndpointConfig:
    where = f"endpoints.{name}"
    if not isinstance(table, dict):
        raise UsageError(f"{path}: [{where}]: expected a table.")
    for key in table:
        if key.lower() in ("key", "api_key", "apikey", "token", "password", "secret"):
            raise UsageError(
                f"{path}: [{where}] {key}: keys do not belong in this file; put the key into an "
                "environment variable and write that variable's name as key_env."
            )
    _check(path, where, table, _ENDPOINT, required=("base_url", "model"))
    settings = {key: _plain(v) for key, v in table.items() if key not in _OURS}
    if "capabilities" in settings:
        for capability in settings["capabilities"]:
            if capability not in CAPABILITIES:
                raise UnknownName(f"capability in [{where}] of {path}", capability, CAPABILITIES)
    for key, kind in _KINDS.items():
        if key in settings:
            settings[key] = kind(settings[key])
    price = None
    if (prices := table.get("price")) is not None:
        amounts = dict.fromkeys(("input", "cached_input", "cache_write", "output"), _AMOUNT)
        _check(path, f"{where}.price", prices, amounts, required=("input", "output"))
        exact = {key: Decimal(value) for key, value in prices.items()}
        price = Price(**{"cached_input": exact["input"], **exact})
    here = is_loopback(table["base_url"]) and "key_env" not in table
    refusal = (
        ""
        if trusted or "key_env" not in table
        else (
            f"the endpoint {name!r} of {path} reads a key, which a project's file may not: move it "
            "to your own ponder.toml, or name this file in PONDER_CONFIG if you wrote it."
        )
    )
    return EndpointConfig(
        name,
        table["base_url"],
        table["model"],
        settings={"name": name, **settings},
        price=price,
        provider=table.get("provider", ""),
        trusted=trusted or here,
        reward=table.get("reward", ""),
        refusal=refusal,
        told=table.get("discover", True),
    )


Check = tuple[str, Callable[[Any], bool]]
"""A description of the expected value, and a test of it."""


def _check(
    path: Path,
    where: str,
    table: Mapping[str, Any],
    keys: Mapping[str, Check],
    required: Iterable[str] = (),
) -> None:
    """Raise UsageError for the first unknown, wrong or missing key.

    It never repeats a value: that may be a secret in the wrong place.
    """
    place = f"[{where}]" if where else "the file"
    for key, value in table.items():
        if key not in keys:
            raise UnknownName(f"key in {place} of {path}", key, keys)
        expected, is_valid = keys[key]
        if not is_valid(value):
            raise UsageError(f"{path}: {f'[{where}] ' if where else ''}{key}: expected {expected}.")
    for key in required:
        if key not in table:
            raise UsageError(f"{path}: [{where}] has no {key}: expected {keys[key][0]}.")


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
        sound = value.is_finite() and abs(value.adjusted()) <= EXPONENT
    except ArithmeticError:  # an exponent too large for Decimal
        sound = False
    if not sound:
        raise Malformed(f"the number {text[:20]} is out of bounds")
    return value


def _plain(value: Any) -> Any:
    """Return the value with every Decimal as the float that it was read from."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_number(value: Any) -> bool:
    return isinstance(value, Decimal) or (type(value) is int and abs(value) <= 10**EXPONENT)


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 10**EXPONENT


def is_url(value: Any) -> bool:
    """Return True for an http or https URL without user, query or fragment."""
    try:
        url = urllib.parse.urlsplit(value)
        # A query would swallow the endpoint's own path, and so change which service is called.
        plain = not (set(value) & {"?", "#"}) and value.isprintable() and "@" not in url.netloc
        return url.scheme in ("http", "https") and bool(url.hostname) and plain and url.port != 0
    except (ValueError, TypeError, AttributeError):
        return False


def is_loopback(url: str) -> bool:
    """Return True if a URL leads to this machine."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _one_of(*names: str) -> Check:
    return f"one of {', '.join(names)}", lambda value: value in names


_TEXT: Check = ("a string that is not empty", lambda v: isinstance(v, str) and v != "")
_FLAG: Check = ("true or false", lambda v: isinstance(v, bool))
_WHOLE: Check = ("a whole number, 0 or more", _is_whole)
_COUNT: Check = ("a whole number, 1 or more", lambda v: _is_whole(v) and v > 0)
_SECONDS: Check = ("a number of seconds above 0", lambda v: _is_number(v) and v > 0)
_DAYS: Check = ("a number of days above 0", lambda v: _is_number(v) and v > 0)
_AMOUNT: Check = ("USD per million tokens, 0 or more", lambda v: _is_number(v) and v >= 0)
_ENDPOINT: dict[str, Check] = {
    "base_url": ("an http or https URL without user name, password, query or fragment", is_url),
    "model": _TEXT,
    "key_env": (
        "the name of an environment variable, such as OPENAI_API_KEY (not the key itself)",
        lambda v: isinstance(v, str) and bool(re.fullmatch(r"[A-Z_][A-Z0-9_]*", v, re.ASCII)),
    ),
    "capabilities": (
        f"a list of {', '.join(CAPABILITIES)}",
        lambda v: isinstance(v, list) and all(isinstance(item, str) for item in v),
    ),
    "most_tokens": _WHOLE,
    "discover": _FLAG,
    "prefill": _one_of("none", "final_message", "continue_final_message"),
    "max_tokens_field": _one_of("max_tokens", "max_completion_tokens"),
    "api": _one_of(*get_args(Api)),
    "dialect": _TEXT,
    "efforts": (
        f"a list of {', '.join(LEVELS)}",
        lambda v: isinstance(v, list) and all(level in LEVELS for level in v),
    ),
    "beside": _WHOLE,
    "think_open": _FLAG,
    "drop": (
        "a list of names of fields",
        lambda v: isinstance(v, list) and all(isinstance(item, str) for item in v),
    ),
    "stream": _FLAG,
    "local": _FLAG,
    "context": _WHOLE,
    "parameters": _WHOLE,
    "attention": _WHOLE,
    "timeout": _SECONDS,
    "connect_timeout": _SECONDS,
    "idle_timeout": _SECONDS,
    "retries": _WHOLE,
    "concurrency": _COUNT,
    "extra_body": ("a table", _is_table),
    "price": ("a table such as {input = 0.15, output = 0.6}", _is_table),
    "provider": _TEXT,
    "reward": _one_of(*FORMATS),
}
_KINDS = {"capabilities": frozenset, "drop": frozenset, "efforts": tuple}
_OURS = ("price", "provider", "reward", "discover")  # the rest are arguments of ``Endpoint``
