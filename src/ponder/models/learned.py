"""Models that ``ponder learn`` made on this machine: ``BASE+NAME``, beside their base.

A learned model is one GGUF file, ``BASE+NAME.gguf``, with ``BASE+NAME.json`` beside it: size and
sha256 of the file, the base and its sha256, the time, and a card, which holds whatever the trainer
has to say of data, settings and results. Whoever trains calls::

    made = learned.add("qwen2.5-coder-0.5b", "countdown", write, card)

where ``write`` gets the path of a file that it has to write (``weights.saving.save`` does, and
takes the model's name from the path), and ``card`` is a mapping that JSON can hold. Nothing is
visible before ``write`` has returned; a model of the name that was there is replaced, or left as it
was if ``write`` raises. Then every command that takes ``--model`` finds it.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ponder.core.errors import ModelError, UsageError
from ponder.models.fetch import sha256_of
from ponder.models.home import models_dir
from ponder.util.lock import exclusive

_PART = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
_FACTS = {"size": int, "sha256": str, "base": str, "base_sha256": str, "created": str, "card": dict}


@dataclass(frozen=True, slots=True)
class Learned:
    """A model that was made on this machine."""

    base: str
    """Name of the model of the catalogue that it learned from."""
    name: str
    """Its own name, after the '+'."""
    size: int
    """Bytes of its file."""
    sha256: str
    """Digest of its file, in hex."""
    base_sha256: str
    """Digest of the file that it learned from, in hex."""
    created: str
    """The time when it was made, in UTC."""
    card: Mapping[str, object]
    """Data, settings and results, as whoever trained it describes them."""

    @property
    def full_name(self) -> str:
        """The name for ``--model``."""
        return f"{self.base}+{self.name}"

    @property
    def path(self) -> Path:
        """Its file."""
        return _path(self.full_name, ".gguf")

    @property
    def sound(self) -> bool:
        """True if its file is there, and of its size."""
        return self.path.exists() and self.path.stat().st_size == self.size


def named(model: str, bases: Collection[str]) -> bool:
    """True if this is the name of a model learned from one of ``bases``, present or not."""
    base, plus, _ = model.partition("+")
    return bool(plus) and base in bases and not model.endswith(".gguf")


def find(full_name: str) -> Learned:
    """Return the model of this name; reads only the small JSON file beside it.

    Raises:
        UsageError: the name is malformed, there is no such model, or its file is damaged.
    """
    base, _, name = full_name.partition("+")
    check_name(name)
    made = _read(base, name)
    if made is None:
        others = [one.full_name for one in known() if one.base == base]
        beside = f"; there is {', '.join(others)}" if others else ""
        raise UsageError(
            f"there is no learned model {full_name}{beside}: `ponder learn sft` makes one."
        )
    if not made.sound:
        raise UsageError(
            f"the file of the learned model {full_name} is damaged: delete it with `ponder models "
            f"rm {full_name}`, and train it again."
        )
    return made


def known() -> list[Learned]:
    """Return the learned models by name, those with a damaged file included."""
    found = []
    for path in sorted(models_dir().glob("*+*.json")):
        base, _, name = path.name.removesuffix(".json").partition("+")
        if _PART.fullmatch(name) and (made := _read(base, name)):
            found.append(made)
    return found


def is_name(name: str) -> bool:
    """True if a learned model can be called this."""
    return _PART.fullmatch(name) is not None and not name.endswith(".gguf")


def check_name(name: str) -> None:
    """Raise UsageError if a learned model cannot be called this."""
    if not is_name(name):
        raise UsageError(
            f"a learned model cannot be called {name!r}: expected up to 64 lower-case letters, "
            "digits, dots and dashes, with a letter or digit at both ends, such as countdown-2."
        )


def add(base: str, name: str, write: Callable[[Path], None], card: Mapping[str, object]) -> Learned:
    """Keep what ``write`` writes as the model ``BASE+NAME``; see the top of this file.

    Raises:
        UsageError: the name is malformed, or the base is not on this machine.
        ModelError: the disk is full, or the folder cannot be written.
        Whatever ``write`` raises.
    """
    check_name(name)
    facts = _json(_path(base, ".json"))
    if not isinstance(facts.get("sha256"), str):
        raise UsageError(f"{base} is not on this machine: run `ponder models pull {base}`.")
    full = f"{base}+{name}"
    try:
        with exclusive(_path(full, ".lock")):
            for left in models_dir().glob(f"{full}.*.tmp"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(".tmp", f"{full}.", models_dir()))
            try:
                file, note = folder / f"{full}.gguf", folder / f"{full}.json"
                write(file)
                made = Learned(
                    base,
                    name,
                    file.stat().st_size,
                    sha256_of(file),
                    str(facts["sha256"]),
                    datetime.now(UTC).isoformat(timespec="seconds"),
                    dict(card),
                )
                shown = asdict(made)
                del shown["name"]
                note.write_text(json.dumps(shown, allow_nan=False), encoding="utf-8")
                # No note describes another file: killed in between, the model is absent.
                _path(full, ".json").unlink(missing_ok=True)
                file.replace(made.path)
                note.replace(_path(full, ".json"))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"cannot store {full} in {models_dir()}: {error.strerror or error}; make room there, "
            "or set PONDER_HOME to a folder elsewhere."
        ) from error
    return made


def path_to_remove(full_name: str) -> Path:
    """Return the file of a learned model, damaged or not.

    Raises:
        UsageError: the name is malformed, or there is nothing of it.
    """
    check_name(full_name.partition("+")[2])
    path = _path(full_name, ".gguf")
    if not path.exists() and not _path(full_name, ".json").exists():
        find(full_name)
    return path


def remove(full_name: str) -> int:
    """Delete a learned model, damaged or not; return the number of bytes freed.

    Raises:
        UsageError: the name is malformed, or there is nothing of it.
    """
    path, freed = path_to_remove(full_name), 0
    with exclusive(_path(full_name, ".lock")):
        for file in (_path(full_name, ".json"), path):
            freed += file.stat().st_size if file.exists() else 0
            file.unlink(missing_ok=True)
    return freed


def working_folder(file: Path) -> Path:
    """Return the folder in which a model's file is made, if nobody names another."""
    return file.with_suffix(".learning")


def _path(full_name: str, suffix: str) -> Path:
    return models_dir() / f"{full_name}{suffix}"


def _read(base: str, name: str) -> Learned | None:
    """Return what is noted of a model; None if nothing is, or nothing that can be read."""
    facts = _json(_path(f"{base}+{name}", ".json"))
    if any(type(facts.get(key)) is not kind for key, kind in _FACTS.items()):
        return None
    if facts["base"] != base:
        return None
    return Learned(name=name, **{key: facts[key] for key in _FACTS})


def _json(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
