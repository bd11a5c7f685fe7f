"""GGUF files converted to OpenVINO's own format, once; a converted model loads much faster.

From a GGUF file the engine builds the model's graph and its tokenizer at every load, which takes
most of the time of a short question. It can save both, and load them in a fraction of that. The
weights stay the same, so the same seeds give the same texts.

A converted model is a folder in Ponder's home. Its name has a hash of everything that its content
depends on: the engine's version, and the file's path, size, time and content. So a folder is never
updated; after any change it is not found, and another replaces it. It is written under a temporary
name and renamed when all of it is on the disk.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ponder.core.errors import ModelError, PonderError
from ponder.models.fetch import ensure_room
from ponder.models.gguf.metadata import Header, metadata_only, read_header
from ponder.models.home import models_dir
from ponder.models.openvino.machine import usable_cores
from ponder.models.openvino.messages import Setup
from ponder.models.openvino.process import Process
from ponder.util.lock import exclusive

FORMAT = 1  # version of the folder's format; another number makes all of them again
ENGINE = ("openvino", "openvino-genai", "openvino-tokenizers")  # distributions
FILES = (
    "openvino_model.xml",
    "openvino_model.bin",
    "openvino_tokenizer.xml",
    "openvino_tokenizer.bin",
    "openvino_detokenizer.xml",
    "openvino_detokenizer.bin",
)
NOTE = "converted.json"
TICK = 5.0  # seconds between two signs of life
_MB = 1 << 20

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted model."""

    folder: Path
    header: Header
    """The GGUF file's header, which takes longer to read from that file."""


def find(path: Path) -> Converted | None:
    """Return the file's converted model; None if there is none, or a damaged one."""
    try:
        return _sound(_folder(path))
    except OSError:
        return None


def prepare(path: Path, name: str, tell: Tell) -> Converted | None:
    """Return the file's converted model, making it if it is absent or damaged.

    None if the file has to be loaded directly; ``tell`` then gets the reason, in one sentence,
    unless it lies in the nature of the file. Of several processes one converts and the others wait.
    """
    if found := find(path):
        return found
    header = read_header(path)
    if not _keeps_precision(header):
        return None
    root = _root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with exclusive(root / ".lock", lambda: tell("waiting for another process's conversion.")):
            if found := find(path):
                return found
            folder = _folder(path)
            if folder.exists():
                tell(f"the converted model of {name} is damaged: it is made anew.")
                delete(folder)
            for left in root.glob("*.tmp"):  # left by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            _convert(path, header, folder, name, tell)
            _prune(folder, path)
            return Converted(folder, header)
    except OSError as error:
        why = error.strerror or str(error)
    except PonderError as error:
        why = str(error).rstrip(".")
    tell(f"{name} is loaded as it is, since it cannot be converted for faster starts: {why}.")
    return None


def remove(path: Path) -> int:
    """Delete the file's converted models; return the number of bytes freed."""
    freed = size(path)
    for folder in _folders_of(path):
        delete(folder)
    return freed


def size(path: Path) -> int:
    """Return the bytes on disk of the file's converted models."""
    return sum(file.stat().st_size for folder in _folders_of(path) for file in folder.glob("*"))


def delete(folder: Path) -> None:
    """Delete a converted model: rename it first, so that no process finds it, then file by file."""
    doomed = folder.with_name(folder.name + ".tmp")
    try:
        folder.rename(doomed)
    except OSError:
        doomed = folder
    shutil.rmtree(doomed, ignore_errors=True)


def _root() -> Path:
    return models_dir().parent / "converted"


def _folder(path: Path) -> Path:
    """Return the folder of this file, as converted by this version of the engine."""
    path = path.resolve()
    versions = [importlib.metadata.version(name) for name in ENGINE]
    parts = [FORMAT, *versions, str(path), path.stat().st_mtime_ns, _digest(path)]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return _root() / f"{path.stem[:80]}-{key}"


def _digest(path: Path) -> str:
    """Return the file's size and a checksum of its content; of a large file, of three
    pieces of it.
    """
    total = path.stat().st_size
    with path.open("rb") as file:
        if total <= 16 * _MB:
            checksum = zlib.crc32(file.read())
        else:
            checksum = 0
            for at in (0, total // 2, total - _MB):
                file.seek(at)
                checksum = zlib.crc32(file.read(_MB), checksum)
    return f"{total} bytes, crc32 {checksum:08x}"


def _keeps_precision(header: Header) -> bool:
    """True if the engine saves every weight unchanged.

    It rounds the weights of a model without quantised matrices to 16 bits.
    """
    kinds = {kind for kind, _, rank in header.tensors.values() if rank > 1}
    return bool(kinds - {"F16", "F32"})


def _sound(folder: Path) -> Converted | None:
    """Return the converted model if each of its files is unchanged since it was written."""
    note = _read_note(folder)
    try:
        digests, header = note["files"], note["header"]
        if digests != {file: _digest(folder / file) for file in FILES}:
            return None
        tensors = {name: (kind, size, rank) for name, (kind, size, rank) in header["tensors"]}
        return Converted(folder, Header(header["fields"], tensors, header["metadata_end"]))
    except (OSError, LookupError, TypeError, ValueError):
        return None


def _read_note(folder: Path) -> dict[str, Any]:
    """Return its facts, by name; empty if it is damaged."""
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _write_note(folder: Path, path: Path, header: Header) -> None:
    note = {
        "source": str(path.resolve()),
        "files": {file: _digest(folder / file) for file in FILES},
        "header": {
            "fields": dict(header.fields),
            "tensors": [(name, facts) for name, facts in header.tensors.items()],
            "metadata_end": header.metadata_end,
        },
    }
    (folder / NOTE).write_text(json.dumps(note), encoding="utf-8")


def _folders() -> Iterator[Path]:
    return (folder for folder in _root().glob("*-*") if folder.suffix != ".tmp")


def _folders_of(path: Path) -> list[Path]:
    source = str(path.resolve())
    return [folder for folder in _folders() if _read_note(folder).get("source") == source]


def _prune(kept: Path, path: Path) -> None:
    """Delete obsolete folders: other versions of the file, and those of absent files."""
    for folder in _folders():
        source = str(_read_note(folder).get("source", ""))
        if folder != kept and (source == str(path.resolve()) or not os.path.exists(source)):
            delete(folder)


def _convert(path: Path, header: Header, folder: Path, name: str, tell: Tell) -> None:
    """Make the folder: complete, and on the disk, before it gets its name."""
    start = time.monotonic()
    ensure_room(folder.parent, path.stat().st_size * 5 // 4)
    tell(f"converting {name} for faster starts, once.")
    temporary = Path(tempfile.mkdtemp(".tmp", f"{folder.name}-", folder.parent))
    try:
        _export(path, header, temporary, lambda: tell(f"still converting {name}."))
        _check(temporary)
        _write_note(temporary, path, header)
        for file in (*FILES, NOTE):
            _flush(temporary / file)
        _flush(temporary)
        temporary.rename(folder)
        _flush(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    seconds, megabytes = time.monotonic() - start, size(path) / 1e6
    tell(f"converted {name} in {seconds:.0f} s ({megabytes:,.0f} MB).")


def _export(path: Path, header: Header, folder: Path, on_tick: Callable[[], None]) -> None:
    """Load the file in an engine, and save the result.

    The engine saves beside the file that it loads, hence the link.
    """
    link, tokenizer = folder / "model.gguf", folder / "tokenizer.gguf"
    link.symlink_to(path.resolve())
    tokenizer.write_bytes(metadata_only(path, header))
    threads: dict[str, str | int] = {"INFERENCE_NUM_THREADS": usable_cores()}
    process = Process(Setup(str(link), str(tokenizer), 1, 8, threads, save=True))
    try:
        while not process.ready(TICK):
            on_tick()
        if process.dead:
            raise ModelError(f"the engine could not save it ({process.error.rstrip('.')})")
    finally:
        process.stop()
    link.unlink()
    tokenizer.unlink()


def _check(folder: Path) -> None:
    """Raise ModelError if a file was truncated, or if weights were rounded."""
    for xml in folder.glob("*.xml"):
        text = xml.read_bytes()
        ends = (
            int(at) + int(length)
            for at, length in re.findall(rb'offset="(\d+)" size="(\d+)"', text)
        )
        whole = text.rstrip().endswith(b"</net>")
        if not whole or max(ends, default=0) != xml.with_suffix(".bin").stat().st_size:
            raise ModelError("the engine did not write all of it")
    if b'name="decompression"' in (folder / FILES[0]).read_bytes():
        raise ModelError("the engine rounded its weights")


def _flush(path: Path) -> None:
    """Write the file's content, or the folder's entries, to the disk."""
    if path.is_dir() and sys.platform == "win32":  # where folders cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
