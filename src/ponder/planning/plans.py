"""Plans in a file: what an effort stands for on a user's own problems, instead of the presets.

``ponder tune`` writes such a file, and a person may edit it. A fault is one sentence that names the
file and the line. What a plan says is used as written: a model that thinks by itself is asked for
the thinking in the file, and for none in particular if the file names none. The difficulty in the
file is the outlook on answer types that it was fitted to; other types keep the one that ships.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ponder.core.budget import Budget
from ponder.core.errors import UnknownName, UsageError
from ponder.core.text.visible import visible
from ponder.models import names
from ponder.models.config import Config
from ponder.planning import difficulty, presets
from ponder.planning.presets import COMMON, PRESETS, Preset
from ponder.policies.value import Mixture
from ponder.strategies import registry
from ponder.strategies.declaring import RUN, Chosen
from ponder.strategies.knobs import read as read_knobs
from ponder.util.decoding import Malformed
from ponder.util.files import read_regular, text_of
from ponder.verifiers import registry as verifiers

LIMIT = 1 << 20
"""Most bytes of a file."""
LARGEST = 10**18
"""Largest whole number, up and down."""
FORMAT = 1
"""Version of the format, in the key ``plans``; a file without it is of this version."""
TABLES = ("fit", "efforts", "difficulty")
KEYS = ("model", "strategy", "knobs", "sampling", "verifier", "budget")
"""Keys of ``[efforts.NAME]``."""
_KEY = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"({_KEY}(?:\s*\.\s*{_KEY})*)"
_HEADER = re.compile(rf"\s*\[+\s*{_DOTTED}\s*\]")
_ASSIGNMENT = re.compile(rf"\s*{_DOTTED}\s*=")


@dataclass(frozen=True, slots=True)
class Plans:
    """Plans by effort, and the outlook that they were fitted with."""

    efforts: Mapping[str, Preset]
    models: Mapping[str, str] = field(default_factory=dict)
    """Models by effort, for plans that name one."""
    difficulty: difficulty.Fit | None = None
    fit: Mapping[str, Any] = field(default_factory=dict)
    """Description of the data that they were fitted to."""
    of_project: bool = field(default=False, compare=False)
    """True if a project's ``ponder.toml`` names the file: nobody else vouches for it."""
    path: Path | str = field(default="", compare=False)
    """The file that they were read from; '' for none."""
    text: str = field(default="", repr=False, compare=False)
    """Its text, in which messages find the line."""

    @property
    def basis(self) -> str:
        """The data that they were fitted to, in words; '' if the file does not say."""
        sources = [*_listed(self.fit.get("pools")), *_listed(self.fit.get("results"))]
        if not sources:
            return ""
        problems, made = self.fit.get("problems"), self.fit.get("made")
        count = f"{problems} problems of " if problems else ""
        return f"{count}{'; '.join(sources)}{f'; fitted {made}' if made else ''}"

    def outlook(self, answer_type: str) -> Mixture | None:
        """Return the outlook on an answer type; None if nothing was fitted to it."""
        if self.difficulty is None or answer_type not in self.difficulty.urns:
            return None
        return self.difficulty.outlook(answer_type)

    def over(self, config: Config, effort: str, *, named: bool = False) -> Config:
        """Return the configuration with the effort's model as the default, if it names one and the
        caller has ``named`` none.

        Raises:
            UsageError: there is no model of a name in the plan.
        """
        if effort in self.efforts:
            preset = self.efforts[effort]
            for name in registry.choose(preset.strategy, preset.knobs).models:
                at = next((knob for knob, text in preset.knobs.items() if name in str(text)), "")
                self._check(name, config, effort, "knobs", at)
        if named or effort not in self.models:
            return config
        changed = replace(config, model=self.models[effort], model_of_project=self.of_project)
        self._check(None, changed, effort, "model")
        return changed

    def _check(self, name: str | None, config: Config, *place: str) -> None:
        """Refuse a model that the plans name at ``place`` (None: the default), if there is none."""
        try:
            names.resolve(name, config)
        except UnknownName:
            line = f"{self.path}, line {line_of(self.text, ('efforts', *place))}: "
            raise UsageError(
                f"{line if self.text else ''}the plan of the effort {place[0]!r} names the model "
                f"{name or config.model!r}, and there is none of that name: write the name of an "
                "endpoint or of a model there, or name another plan."
            ) from None


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def given(plans: Plans | Path | str | None, config: Config) -> Plans | None:
    """Return the plans that a caller gives, else those of the configuration, else None.

    Raises:
        UsageError: the file cannot be used.
    """
    if isinstance(plans, Plans):
        return plans
    if plans is not None and not isinstance(plans, str | Path):
        raise UsageError(f"plans must be the path of a file, or Plans, not {plans!r}.")
    if plans is not None:
        return load(plans)
    return load(config.plans, of_project=config.plans_of_project) if config.plans else None


def load(path: Path | str, *, of_project: bool = False) -> Plans:
    """Read plans from a file.

    Raises:
        UsageError: it cannot be read, or is wrong; the message names the line.
    """
    text = text_of(read_regular(path, "the plans", LIMIT), path)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        found = re.search(r"at line (\d+)", str(error))
        line = found[1] if found else len(text.splitlines()) or 1
        why = "it is nested too deeply" if deep else str(error).partition(" (at ")[0]
        raise UsageError(f"{path}, line {line}: not valid TOML: {why}; correct it.") from None
    return _Reader(path, text, data).plans(of_project)


class _Fault(Exception):
    """A fault, and the keys that lead to it."""

    def __init__(self, reason: str, *keys: str) -> None:
        super().__init__(reason)
        self.keys = keys


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path | str
    text: str
    data: Mapping[str, Any]

    def plans(self, of_project: bool) -> Plans:
        try:
            return self._plans(of_project)
        except _Fault as fault:
            line = line_of(self.text, fault.keys)
            reason = " ".join(str(fault).split())
            raise UsageError(f"{self.path}, line {line}: {reason}") from None

    def _plans(self, of_project: bool) -> Plans:
        _check_numbers(self.data)
        for name in self.data:
            if name not in ("plans", *TABLES):
                raise _Fault(str(UnknownName("table of plans", name, TABLES)), name)
        version = self.data.get("plans", FORMAT)
        if type(version) is not int or version != FORMAT:
            raise _Fault(
                f"the plans have format {version!r}, and this Ponder reads {FORMAT}: make them "
                "again with 'ponder tune'.",
                "plans",
            )
        tables = {name: _table(self.data, name) for name in TABLES}
        if not tables["efforts"] and not tables["difficulty"]:
            raise _Fault("there are no plans: expected a table such as [efforts.medium].")
        efforts, models = {}, {}
        for effort in tables["efforts"]:
            if effort not in PRESETS:
                reason = str(UnknownName("effort", effort, PRESETS))
                raise _Fault(reason, "efforts", effort)
            table = _table(tables["efforts"], effort, "efforts")
            efforts[effort] = _preset(table, ("efforts", effort), of_project)
            if "model" in table:
                models[effort] = table["model"]
        fitted = None
        if tables["difficulty"]:
            try:
                fitted = difficulty.from_json(tables["difficulty"])
            except Malformed as error:
                keys = re.split(r"[^\w-]+", str(error).removeprefix("it has the unknown field"))
                reason = f"[difficulty] is no fit: {error}; make one with 'ponder tune'."
                raise _Fault(reason, "difficulty", *filter(None, keys[:4])) from None
        return Plans(efforts, models, fitted, tables["fit"], of_project, self.path, self.text)


def _preset(table: Mapping[str, Any], keys: tuple[str, str], of_project: bool) -> Preset:
    for name in table:
        if name not in KEYS:
            raise _Fault(str(UnknownName(f"key in [{'.'.join(keys)}]", name, KEYS)), *keys, name)
    for name in ("model", "strategy", "verifier"):
        if name in table and not (isinstance(table[name], str) and table[name]):
            raise _Fault(f"{name} must be a name in quotes.", *keys, name)
    if "strategy" not in table:
        raise _Fault(
            f"[{'.'.join(keys)}] has no strategy: expected a line such as "
            'strategy = "self_consistency".',
            *keys,
        )
    parts = {name: _table(table, name, *keys) for name in ("knobs", "sampling", "budget")}
    at = "strategy"
    try:
        known = registry.find(table["strategy"]).knobs
        at = "knobs"
        chosen = registry.choose(table["strategy"], read_knobs(known, parts["knobs"]))
        at = "sampling"
        sampling, style = presets.drawing(parts["sampling"])
        at = "budget"
        for name in parts["budget"]:
            if name not in asdict(Budget()):
                raise UnknownName("limit", name, asdict(Budget()))
        budget = Budget(**parts["budget"])
        at = "verifier"
        verifier = _verifier(chosen, table.get("verifier", ""), of_project=of_project)
    except UsageError as error:
        raise _Fault(str(error), *keys, at, *_named(error, parts.get(at, {}))) from None
    if of_project and chosen.models:
        raise _Fault(
            f"it names the model {chosen.models[0]!r}, which Ponder asks on no project's word: "
            "give this file with --plans if you trust it.",
            *keys,
            "knobs",
        )
    knobs = dict(parts["knobs"])
    return Preset(table["strategy"], knobs, sampling, budget, style, verifier=verifier)


def _verifier(chosen: Chosen, name: str, *, of_project: bool) -> str:
    """Return the name of the verifier that a strategy asks.

    Raises:
        UsageError: there is none of that name, the strategy asks none, or a project's file would
            have code run, a file read or a model asked.
    """
    if not name:
        return ""
    if chosen.verifier != RUN:
        raise UsageError("the strategy with these knobs has no choice of verifier: leave it out.")
    if of_project and (foreign := verifiers.named(name)):
        raise UsageError(
            f"its verifier refers to {foreign[0].text!r}, which Ponder opens on no project's word: "
            "give this file with --plans if you trust it."
        )
    return verifiers.find(name).name


def _named(error: UsageError, table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the key of a table that a message is about, if it names one."""
    yield from [name for name in table if f"'{name}'" in str(error) or f"'s {name} " in str(error)][
        :1
    ]


def _table(data: Mapping[str, Any], name: str, *keys: str) -> Mapping[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise _Fault(f"{name} must be a table.", *keys, name)
    return value


def _check_numbers(value: Any, *keys: str) -> None:
    """Refuse whole numbers that do not fit into a float."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_numbers(inner, *keys, name)
    elif isinstance(value, list):
        for inner in value:
            _check_numbers(inner, *keys)
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise _Fault(f"a number is out of bounds: at most {LARGEST:.0e} is allowed.", *keys)


def line_of(text: str, keys: Sequence[str]) -> int:
    """Return the number of the line where a key of a TOML text stands, or else its table; 1 if
    neither is found.
    """
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            found.setdefault(table, number)
        elif key := _ASSIGNMENT.match(line):
            found.setdefault((*table, *_parts(key[1])), number)
    for depth in range(len(keys), 0, -1):
        below = [line for at, line in found.items() if at[:depth] == tuple(keys[:depth])]
        if below:
            return min(below)
    return 1


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


# Writing ------------------------------------------------------------------------------------------


def to_toml(plans: Plans, remarks: Mapping[str, str] | None = None) -> str:
    """Return the text of a file; ``remarks`` by effort are written above the plans."""
    lines = [
        "# Written by 'ponder tune', to be read and edited; docs/tune.md says what it means.",
        f"plans = {FORMAT}",
        "",
    ]
    if plans.fit:
        lines += ["[fit]", *(f"{name} = {_toml(value)}" for name, value in plans.fit.items()), ""]
    for effort, preset in plans.efforts.items():
        if remark := (remarks or {}).get(effort):
            lines.append(f"# {visible(' '.join(remark.split()))}")
        lines.append(f"[efforts.{effort}]")
        if model := plans.models.get(effort):
            lines.append(f"model = {_toml(model)}")
        lines.append(f"strategy = {_toml(preset.strategy)}")
        plain, own = (
            {"style": one.style, **{name: getattr(one.sampling, name) for name in COMMON}}
            for one in (Preset(""), preset)
        )
        parts = {
            "knobs": dict(preset.knobs),
            "sampling": {
                name: str(value) if name == "thinking" else value
                for name, value in own.items()
                if value != plain[name]
            },
            "budget": {n: value for n, value in asdict(preset.budget).items() if value is not None},
        }
        if preset.verifier:
            lines.append(f"verifier = {_toml(preset.verifier)}")
        lines += [f"{name} = {_toml(table)}" for name, table in parts.items() if table]
        lines.append("")
    if plans.difficulty is not None:
        written = plans.difficulty.to_json()
        urns = written.pop("urns")
        lines += ["# How hard the problems were: kinds of problems as right, wrong and silent"]
        lines += ["# pseudo-counts of a sample, and the kind's share of the problems."]
        lines += ["[difficulty]", *(f"{name} = {_toml(value)}" for name, value in written.items())]
        lines += ["", "[difficulty.urns]"]
        lines += [f"{kind} = {_toml(rows)}" for kind, rows in urns.items()]
    return "\n".join(lines).rstrip("\n") + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {_toml(one)}" for name, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        nested = any(isinstance(one, Mapping | list | tuple) for one in value)
        start, between, end = ("[\n  ", ",\n  ", ",\n]") if nested else ("[", ", ", "]")
        return f"{start}{between.join(map(_toml, value))}{end}"
    if isinstance(value, str):
        sound = value.encode("utf-8", "replace").decode("utf-8")  # without lone surrogates
        return json.dumps(sound, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else _toml(name)
