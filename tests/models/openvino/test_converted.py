"""Converted models: made once, found again, made anew where anything has changed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from ponder.cli.commands.models import models
from ponder.models import catalog
from ponder.models.catalog import Entry
from ponder.models.fetch import Source
from ponder.models.gguf.metadata import read_header
from ponder.models.openvino import converted
from ponder.models.openvino.model import can_load
from tests.support.conversions import export
from tests.support.gguf_files import write_gguf

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("openvino_genai") is None, reason="openvino-genai is not installed"
)
unix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork, signals and limits")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of conversions, of this test alone."""
    root = tmp_path / "home" / "converted"
    monkeypatch.setattr(converted, "_root", lambda: root)
    return root


@pytest.fixture
def source(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GGUF file, and no engine but ``export``."""
    versions = dict.fromkeys(converted.ENGINE, "1.0")
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    monkeypatch.setattr(converted, "_export", export)
    (tmp_path / "models").mkdir()
    return write_gguf(tmp_path / "models" / "x.gguf")


def prepared(path: Path) -> tuple[Path | None, list[str]]:
    """The folder, and the lines that were told meanwhile."""
    lines: list[str] = []
    found = converted.prepare(path, "m", lines.append)
    return found.folder if found else None, lines


def folder_of(path: Path) -> Path | None:
    found = converted.find(path)
    return found.folder if found else None


def folders(root: Path) -> list[Path]:
    return sorted(root.glob("*-*"))


def test_made_once_then_found(source: Path, root: Path) -> None:
    assert converted.find(source) is None
    folder, lines = prepared(source)
    assert folder
    assert lines[0] == "converting m for faster starts, once."
    assert lines[1].startswith("converted m in ")
    assert {file.name for file in folder.iterdir()} == {*converted.FILES, converted.NOTE}
    assert prepared(source) == (folder, [])
    assert folder_of(source) == folder
    assert sorted(file.name for file in root.iterdir()) == [".lock", folder.name]
    assert [file.name for file in source.parent.iterdir()] == ["x.gguf"]  # nothing beside it


def test_the_header_is_kept(source: Path) -> None:
    prepared(source)
    found = converted.find(source)
    assert found is not None
    assert found.header == read_header(source)
    assert can_load(source) is None


def touch(source: Path) -> None:
    os.utime(source, ns=(1, 1))


def rewrite(source: Path) -> None:
    """Other bytes, of the same size and time."""
    before = source.stat()
    source.write_bytes(source.read_bytes()[:-1] + b"\7")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def grow(source: Path) -> None:
    source.write_bytes(source.read_bytes() + bytes(1))


@pytest.mark.parametrize("change", [touch, rewrite, grow])
def test_made_anew_for_another_file(
    source: Path, root: Path, change: Callable[[Path], None]
) -> None:
    first, _ = prepared(source)
    change(source)
    assert converted.find(source) is None
    second, lines = prepared(source)
    assert second != first
    assert len(lines) == 2
    assert folders(root) == [second]


@pytest.mark.parametrize("distribution", converted.ENGINE)
def test_made_anew_for_another_engine(
    source: Path, root: Path, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = prepared(source)
    versions = dict.fromkeys(converted.ENGINE, "1.0") | {distribution: "1.1"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    assert converted.find(source) is None
    second, _ = prepared(source)
    assert second != first
    assert folders(root) == [second]


def test_made_anew_for_another_format(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = prepared(source)
    monkeypatch.setattr(converted, "FORMAT", converted.FORMAT + 1)
    assert converted.find(source) is None
    assert prepared(source)[0] != first


def test_files_of_one_name_have_conversions_of_their_own(source: Path, root: Path) -> None:
    (source.parent / "other").mkdir()
    other = source.parent / "other" / "x.gguf"
    shutil.copy2(source, other)
    assert prepared(source)[0] != prepared(other)[0]
    assert len(folders(root)) == 2
    freed = converted.size(other)
    assert converted.remove(other) == freed > 0
    assert converted.size(other) == 0
    assert folders(root) == [folder_of(source)]


def test_a_link_shares_the_conversion_of_its_file(source: Path) -> None:
    link = source.parent / "link.gguf"
    link.symlink_to(source)
    assert prepared(link)[0] == prepared(source)[0]


def test_conversions_of_files_that_are_gone_go_with_the_next(source: Path, root: Path) -> None:
    gone = write_gguf(source.parent / "gone.gguf")
    prepared(gone)
    gone.unlink()
    assert len(folders(root)) == 1
    folder, _ = prepared(source)
    assert folders(root) == [folder]


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def flip(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, flip, empty, Path.unlink])
@pytest.mark.parametrize("name", converted.FILES)
def test_damage_is_noticed(source: Path, name: str, damage: Callable[[Path], None]) -> None:
    folder, _ = prepared(source)
    assert folder is not None
    damage(folder / name)
    assert converted.find(source) is None
    again, lines = prepared(source)
    assert again == folder == folder_of(source)
    assert lines[0] == "the converted model of m is damaged: it is made anew."


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"files": {}}', '{"files": 3}', "\0", "null"])
def test_a_note_that_says_nothing(source: Path, note: str) -> None:
    folder, _ = prepared(source)
    assert folder is not None
    (folder / converted.NOTE).write_text(note)
    assert converted.find(source) is None
    assert converted.size(source) == 0
    assert prepared(source)[0] == folder


def test_a_large_file_is_known_by_pieces_of_it(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(20 << 20)
    digests = {converted._digest(large)}
    for at in (0, 10 << 20, (20 << 20) - 1):
        with large.open("r+b") as file:
            file.seek(at)
            file.write(b"\1")
        digests.add(converted._digest(large))
    with large.open("ab") as file:
        file.truncate((20 << 20) + 1)
    digests.add(converted._digest(large))
    assert len(digests) == 5


@pytest.mark.parametrize("kinds", [(1, 0), (1, 1)])
def test_without_quantised_matrices_a_file_is_loaded_as_it_is(
    source: Path, root: Path, kinds: Sequence[int]
) -> None:
    write_gguf(source, kinds=kinds)
    assert prepared(source) == (None, [])
    assert not root.exists()


@needs_extra
def test_pull_converts_list_counts_rm_removes(
    source: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PONDER_HOME", str(source.parents[1]))
    monkeypatch.setattr(catalog, "_ENTRIES", (Entry("x", Source("owner/repo", "x.gguf")),))
    note = {"size": source.stat().st_size, "sha256": "0" * 64, "published": "0" * 64}
    source.with_suffix(".json").write_text(json.dumps(note))

    def listed() -> int:
        rows = json.loads(CliRunner().invoke(models, ["list", "--json"]).stdout)
        return int(rows[0]["bytes_on_disk"])

    assert listed() == source.stat().st_size
    pulled = CliRunner().invoke(models, ["pull", "x"])
    assert pulled.exit_code == 0
    assert [line.split(" in ")[0] for line in pulled.stderr.splitlines()] == [
        "converting x for faster starts, once.",
        "converted x",
        f"x is ready: {source}",
    ]
    (folder,) = folders(root)
    on_disk = sum(file.stat().st_size for file in (source, *folder.iterdir()))
    assert listed() == on_disk
    assert "ready, converted (0 MB)" in CliRunner().invoke(models, ["list"]).stdout
    removed = CliRunner().invoke(models, ["rm", "x", "--yes"])
    assert removed.exit_code == 0
    assert not folders(root)
    assert not source.exists()


# Failures: the file is loaded as it is.


def assert_refused(source: Path, root: Path, why: str) -> None:
    folder, lines = prepared(source)
    assert lines[-1].startswith("m is loaded as it is, since it cannot be converted for faster")
    assert lines[-1].count(". ") == 0
    assert why in lines[-1]
    assert (folder, folders(root)) == (None, [])


def test_no_room(source: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1, 1, 0))
    assert_refused(source, root, "not enough disk space")


def test_a_folder_that_cannot_be_made(source: Path, root: Path) -> None:
    root.parent.mkdir()
    root.touch()
    assert_refused(source, root, "File exists")


@unix
def test_a_file_that_cannot_be_written_whole(source: Path, root: Path) -> None:
    source.write_bytes(source.read_bytes() + bytes(1 << 16))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, limits[1]))
    try:
        assert_refused(source, root, "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def short_weights(folder: Path) -> None:
    cut(folder / "openvino_model.bin")


def short_graph(folder: Path) -> None:
    graph = folder / "openvino_tokenizer.xml"
    graph.write_bytes(graph.read_bytes().removesuffix(b"</net>\n"))


def rounded(folder: Path) -> None:
    graph = folder / "openvino_model.xml"
    mark = '<attribute name="decompression" version="0" />'
    graph.write_text(graph.read_text().replace("<net>", f"<net>{mark}"))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (short_weights, "did not write all of it"),
        (short_graph, "did not write all of it"),
        (rounded, "rounded its weights"),
    ],
)
def test_what_the_engine_wrote_is_looked_at(
    source: Path,
    root: Path,
    fault: Callable[[Path], None],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def faulty(path: Path, header: object, folder: Path, on_tick: object) -> None:
        export(path, header, folder, on_tick)  # type: ignore[arg-type]
        fault(folder)

    monkeypatch.setattr(converted, "_export", faulty)
    assert_refused(source, root, why)


# Processes: killed, and two at once.

KILLED = """
import sys
from pathlib import Path
from ponder.models.gguf.metadata import read_header
from ponder.models.openvino import converted
from tests.support import conversions

converted._export = conversions.export
path, root = Path(sys.argv[1]), Path(sys.argv[2])

def damaged(home):
    folder = converted.prepare(path, "m", print).folder
    (folder / "openvino_model.xml").write_text("damaged")
    (home / "left-over.tmp").mkdir()

steps = [
    conversions.killed_at_each_step(path, root / name, begin)
    for name, begin in (("new", lambda home: None), ("damaged", damaged))
]
print("killed", *steps)
"""

HELD = """
import sys
from pathlib import Path
from ponder.models.gguf.metadata import read_header
from ponder.models.openvino import converted
from tests.support import conversions

def export(*arguments):
    print("converting", flush=True)
    sys.stdin.readline()
    conversions.export(*arguments)

converted._export = export
root = Path(sys.argv[2])
converted._root = lambda: root
print(converted.prepare(Path(sys.argv[1]), "m", lambda line: print(line, flush=True)).folder)
"""


@unix
def test_killed_between_any_two_steps(source: Path, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(source), str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:], done.stderr
    _, new, damaged = done.stdout.splitlines()[-1].split()
    assert 20 < int(new) < int(damaged)


@unix
def test_of_two_processes_one_converts_and_the_other_waits(source: Path, root: Path) -> None:
    command = [sys.executable, "-c", HELD, str(source), str(root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "converting m for faster starts, once.\n"
        assert first.stdout.readline() == "converting\n"
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "waiting for another process's conversion.\n"
            first.stdin.write("\n")
            first.stdin.flush()
            assert first.stdout.readline().startswith("converted m in ")
            folder = first.stdout.readline()
            assert second.stdout.read() == folder
    assert [f"{each}\n" for each in folders(root)] == [folder]
