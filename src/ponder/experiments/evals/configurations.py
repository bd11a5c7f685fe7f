"""Configurations: read from flags, a grid or a TOML file, and checked at once.

A configuration's ID is a digest of everything that changes its results: suite, model, strategy,
knobs, sampling, budget, verifier, seed, worth, plans and the version of Ponder. Two spellings of
the same thing are one configuration. Its name and the number of problems do not enter the ID.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ponder import api
from ponder.core.budget import Budget
from ponder.core.errors import UnknownName, UsageError
from ponder.core.problem import Message, Problem
from ponder.core.text.refs import texts
from ponder.core.worth import Worth
from ponder.experiments.suites.base import Item
from ponder.models.config import Config
from ponder.planning import plans as own_plans
from ponder.planning import presets
from ponder.planning.plans import Plans
from ponder.planning.spec import Spec
from ponder.planning.wishes import spec
from ponder.strategies import registry
from ponder.util.files import read_regular, text_of

UNITS = tuple(f.name for f in fields(Budget))
TABLE = "configuration"
_WORDS = ("model", "strategy", "effort", "verifier", "plans")
_SINGLE = (*_WORDS, "worth", "seed")
_KEYS = ("name", *_SINGLE, "knobs", "budget")
_ANY = Problem((Message("user", "?"),))


@dataclass(frozen=True, slots=True)
class Configuration:
    """A way to answer the problems of a suite, with the arguments of ``ponder.solve``.

    Raises:
        UnknownName, UsageError: as ``ponder.planning.wishes.spec``.
    """

    suite: str
    model: str
    strategy: str | None = None
    effort: str = presets.DEFAULT
    knobs: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    """Limits per problem."""
    verifier: str | None = None
    seed: int = 0
    worth: Worth | None = None
    """Worth of a right answer; None if the caller did not say."""
    plans: Plans | None = None
    """Plans of the caller's own, instead of the presets."""
    plans_file: str = ""
    """Name of their file."""
    name: str = ""
    """Name for people; without one, ``label`` describes it."""

    def __post_init__(self) -> None:
        self._spec(_ANY, self.seed)

    def _spec(self, problem: Problem, seed: int) -> Spec:
        return spec(
            problem,
            model=self.model,
            effort=self.effort,
            strategy=self.strategy,
            knobs=self.knobs,
            budget=self.budget,
            verifier=self.verifier,
            seed=seed,
            worth=self.worth,
            plans=self.plans,
        )

    def asked(self, item: Item) -> Spec:
        """Return the request for one problem; the gold stays behind.

        Every problem has a seed of its own, the same in all configurations with this seed, so that
        chance adds as little as possible to the differences between them.
        """
        return self._spec(item.problem, problem_seed(self.seed, item.problem_id))

    def resolved(self) -> dict[str, Any]:
        """Return everything that changes the results, with all defaults filled in, as JSON."""
        asked = self._spec(_ANY, self.seed)
        found = asked.to_json()
        del found["problem"]
        found.pop("outlook", None)  # of one answer type; ``plans`` stands for that of all
        limits = found["budget"].items()
        found["budget"] = {unit: None if v is None else float(v) for unit, v in limits}  # 1 is 1.0
        if self.worth:
            found["worth"] = {"amount": float(self.worth.amount), "unit": self.worth.unit}
        if wish := asked.wish:
            thinking = str(wish.thinking) if wish.thinking else None
            found["if_it_thinks"] = asdict(wish) | {"thinking": thinking}
        if self.plans:
            found["plans"] = self._plans_digest
        return {"suite": self.suite, **found}

    @property
    def _plans_digest(self) -> str:
        """A digest of the part of the plans that this effort goes by."""
        assert self.plans is not None
        plan, fit = self.plans.efforts.get(self.effort), self.plans.difficulty
        used = [asdict(plan) if plan else None, fit.to_json()["urns"] if fit else None]
        return _digest(json.dumps(used, sort_keys=True, default=str))

    @property
    def id(self) -> str:
        """Ten hexadecimal digits."""
        return _digest(json.dumps(self.resolved(), sort_keys=True))

    @property
    def label(self) -> str:
        """The name, or else the strategy and every setting that differs from its default."""
        if self.name:
            return self.name
        found = self._spec(_ANY, self.seed)
        defaults = {k.name: k.default for k in registry.find(found.strategy).knobs.values()}
        said: dict[str, Any] = {}  # first what differs in a grid beside a long list of models
        if self.worth:
            said["worth"] = str(self.worth)
        if self.plans:
            said["plans"] = f"{self.plans_file}#{self._plans_digest}"
        said |= {k: v for k, v in found.knobs.items() if v != defaults[k] or k in self.knobs}
        said |= {k: getattr(found.sampling, k) for k in presets.COMMON if k in self.knobs}
        said |= {"style": found.style} if "style" in self.knobs else {}
        if self.effort != presets.DEFAULT:
            said["effort"] = self.effort
        if self.verifier:
            said["verifier"] = self.verifier
        limits = {f"budget.{unit}": getattr(self.budget, unit) for unit in UNITS}
        said |= {name: value for name, value in limits.items() if value is not None}
        if self.seed:
            said["seed"] = self.seed
        shown = {k: f"{v:g}" if isinstance(v, float) else v for k, v in said.items()}
        return " ".join([found.strategy, *(f"{name}={value}" for name, value in shown.items())])


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def problem_seed(seed: int, problem_id: str) -> int:
    """Return the seed of one problem, in [0, 2**31)."""
    digest = hashlib.blake2b(f"{seed}:{problem_id}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True, slots=True)
class Wish:
    """One configuration as the caller wrote it."""

    said: Mapping[str, Any]
    """Its values by key."""
    where: str = ""
    """Its source, for error messages."""


def configurations(wishes: Sequence[Wish], suite: str, config: Config) -> list[Configuration]:
    """Return the checked configurations; ``config`` has the defaults.

    Raises:
        UsageError: a value does not fit, or two of them are the same.
    """
    found: dict[str, Configuration] = {}
    for wish in wishes:
        one = _located(wish, suite, config)
        twin = found.setdefault(one.id, one)
        if twin is not one:
            which = one.label if one.label == twin.label else f"{one.label} and {twin.label}"
            raise UsageError(f"two configurations are the same ({which}): leave one of them out.")
    names = [one.name for one in found.values() if one.name]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two configurations have the name {name!r}: rename one of them.")
    return list(found.values())


def _located(wish: Wish, suite: str, config: Config) -> Configuration:
    try:
        return _read(wish.said, suite, config)
    except UsageError as error:
        if not wish.where:
            raise
        raise UsageError(f"{wish.where}: {error}") from None


def _read(said: Mapping[str, Any], suite: str, config: Config) -> Configuration:
    for key in said:
        if key not in _KEYS:
            raise UnknownName("key", key, _KEYS)
    known = {key: value for key, value in said.items() if value is not None}
    for key in ("name", *_WORDS):
        if key in known and not (isinstance(known[key], str) and known[key]):
            raise UsageError(f"{key} must be a text that is not empty, not {known[key]!r}.")
    for key in ("knobs", "budget"):
        if not isinstance(known.get(key, {}), Mapping):
            raise UsageError(f"{key} must be a table such as {{n = 8}}, not {known[key]!r}.")
    if "seed" in known:
        known["seed"] = _whole(known["seed"])
    known["budget"] = budget(known.get("budget", {}))
    if "worth" in known:
        known["worth"] = Worth.read(known["worth"])
    effort = known.setdefault("effort", config.effort or presets.DEFAULT)
    file = known.pop("plans", None)
    if plans := own_plans.given(file, config):
        known |= {"plans": plans, "plans_file": Path(file or config.plans or "").name}
        config = plans.over(config, effort, named="model" in known)
    known["model"] = api.model_name(known.get("model"), config)
    return Configuration(suite=suite, **known)


def _whole(value: Any) -> Any:
    """Return a seed given as text as a number; ``planning.wishes`` checks its range."""
    try:
        return int(value) if isinstance(value, str) else value
    except ValueError:
        raise UsageError(f"the seed must be a whole number, not {value!r}.") from None


def budget(given: Mapping[str, Any]) -> Budget:
    """Return a budget from limits by unit: ``tokens``, ``usd``, ``flops``, ``seconds``.

    Raises:
        UnknownName: another unit.
        UsageError: not a positive number.
    """
    limits: dict[str, Any] = {}
    for unit, value in given.items():
        if unit not in UNITS:
            raise UnknownName("unit of the budget", unit, UNITS)
        try:
            if isinstance(value, bool):
                raise ValueError
            number = float(value)
        except (ValueError, TypeError, OverflowError):
            raise UsageError(f"the budget's {unit} must be a number, not {value!r}.") from None
        limits[unit] = int(number) if unit == "tokens" and number.is_integer() else number
    return Budget(**limits)


def of_flags(given: Mapping[str, Any], grid: Sequence[str] = ()) -> list[Wish]:
    """Return one wish for each combination of the grid's values; ``given`` holds for all of them.

    ``grid`` has texts such as ``n=1,2,4``: a knob, or ``model``, ``strategy``, ``effort``,
    ``verifier``, ``seed``, ``worth``, ``plans``, ``budget.tokens``, ...

    Raises:
        UsageError: a grid is malformed, or repeats a value that is given already.
    """
    axes: dict[str, list[str]] = {}
    for text in grid:
        name, _, values = (side.strip() for side in text.partition("="))
        said = texts(values)
        if not name or not said or not all(said):
            raise UsageError(f"--grid takes NAME=VALUE,VALUE, such as n=1,2,4, not {text!r}.")
        if name not in _axes():
            raise UnknownName("name in --grid", name, _axes())
        if name in axes or _said(given, name) is not None:
            raise UsageError(f"{name!r} is given twice, in --grid and elsewhere: give it once.")
        axes[name] = said
    combinations = itertools.product(*axes.values())
    return [Wish(_with(given, dict(zip(axes, values, strict=True)))) for values in combinations]


def _axes() -> list[str]:
    knobs = {knob for strategy in registry.STRATEGIES.values() for knob in strategy.knobs}
    return [
        *_SINGLE,
        *(f"budget.{unit}" for unit in UNITS),
        *sorted(knobs | {*presets.SHARED}),
    ]


def _said(given: Mapping[str, Any], name: str) -> Any:
    table, key = _place(name)
    return (given.get(table) or {}).get(key) if table else given.get(key)


def _place(name: str) -> tuple[str, str]:
    """Return the table and the key of a configuration for a grid's value."""
    if name.startswith("budget."):
        return "budget", name.removeprefix("budget.")
    return ("", name) if name in _SINGLE else ("knobs", name)


def _with(given: Mapping[str, Any], point: Mapping[str, str]) -> dict[str, Any]:
    made = {**given}
    for name, value in point.items():
        table, key = _place(name)
        if table:
            made[table] = {**(made.get(table) or {}), key: value}
        else:
            made[key] = value
    if made.get("name") and point:
        made["name"] = " ".join([made["name"], *(f"{k}={v}" for k, v in point.items())])
    return made


def of_file(path: Path, given: Mapping[str, Any]) -> tuple[str | None, list[Wish]]:
    """Return the suite that a TOML file names, if it does, and a wish for each of its tables.

    Values at the top of the file are defaults for all of its ``[[configuration]]`` tables;
    ``given`` holds where the file sets nothing.

    Raises:
        UsageError: the file cannot be read, has another form, or repeats a value given already.
    """
    top = _toml(path)
    tables = top.pop(TABLE, None)
    for key in top:
        if key not in ("suite", *_KEYS[1:]):
            raise UsageError(f"{path}: {UnknownName('key', key, ('suite', *_KEYS[1:], TABLE))}")
    listing = isinstance(tables, list) and tables
    if not listing or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path} has no [[{TABLE}]]: write one for each configuration.")
    suite = top.get("suite")
    if suite is not None and not isinstance(suite, str):
        raise UsageError(f"{path}: suite must be a text, not {suite!r}.")
    for key, value in given.items():
        if value is not None and any(key in table for table in (top, *tables)):
            raise UsageError(f"{key} is given twice, in {path} and by a flag: give it once.")
    wishes, flags = [], {key: value for key, value in given.items() if key != "suite"}
    top.pop("suite", None)
    for number, table in enumerate(tables, start=1):
        which = f"{path}, {TABLE} {table.get('name', number)!r}"
        wishes.append(Wish(_over({**flags, **top}, table), which))
    return suite, wishes


def _over(top: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    made = {**top, **table}
    for key in ("knobs", "budget"):
        if isinstance(top.get(key), dict) and isinstance(table.get(key), dict):
            made[key] = {**top[key], **table[key]}
    return made


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text_of(read_regular(path, "the configurations"), path))
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UsageError(f"{path} is not TOML: {why}.") from None
