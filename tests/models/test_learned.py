"""Models that were made on this machine: kept whole or not at all, and found by their name."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import pytest

import ponder.models.opening as opening
from ponder.core.errors import ModelError, UnknownName, UsageError
from ponder.core.text.refs import parse, spelled
from ponder.experiments.pools.file import Pool
from ponder.experiments.pools.samples import FORMAT
from ponder.models import learned, names
from ponder.models.config import Config, EndpointConfig, load
from ponder.models.home import models_dir
from ponder.models.opening import identity
from ponder.models.openvino import converted
from ponder.models.presets.providers import PROVIDERS
from ponder.planning.trust import _of_ponder
from ponder.runtime.engine import Engine
from ponder.server.asking.served import Served, listed
from tests.support.commands import ponder

BASE = "smollm2-135m"
CARD = {"problems": 500, "rounds": [0.06, 0.4], "note": "ünder"}


@pytest.fixture(autouse=True)
def base(monkeypatch: pytest.MonkeyPatch) -> None:
    """The note of a base, and no server that a list could ask."""
    for provider in PROVIDERS:
        if provider.address:
            monkeypatch.setenv(provider.address, "http://127.0.0.1:1")
    models_dir().mkdir(parents=True)
    (models_dir() / f"{BASE}.json").write_text(json.dumps({"sha256": "ab" * 32, "size": 3}))


def make(name: str = "countdown", content: bytes = b"weights") -> learned.Learned:
    return learned.add(BASE, name, lambda path: assert_none(path.write_bytes(content)), CARD)


def assert_none(_: int) -> None:
    """A writer returns nothing."""


def test_a_model_is_kept_with_its_card() -> None:
    made = make()
    assert made.full_name == "smollm2-135m+countdown"
    assert made.path == models_dir() / "smollm2-135m+countdown.gguf"
    assert made.path.read_bytes() == b"weights"
    assert (made.size, made.base_sha256) == (7, "ab" * 32)
    assert made.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert learned.find("smollm2-135m+countdown") == made
    assert made.card == CARD
    assert learned.known() == [made]


def test_the_writer_gets_a_path_that_bears_the_model_s_name() -> None:
    seen: list[str] = []

    def write(path: Path) -> None:
        seen.append(path.name)
        path.touch()

    learned.add(BASE, "x", write, {})
    assert seen == ["smollm2-135m+x.gguf"]


def test_another_of_the_name_replaces_it() -> None:
    make()
    assert make(content=b"more").size == 4
    assert learned.find("smollm2-135m+countdown").path.read_bytes() == b"more"


def test_another_of_the_name_is_converted_anew() -> None:
    before = converted._folder(make(content=b"weights").path)
    assert converted._folder(make(content=b"weighty").path) != before


def test_a_writer_that_fails_changes_nothing() -> None:
    before = make()

    def broken(path: Path) -> None:
        path.write_bytes(b"half")
        raise UsageError("no.")

    with pytest.raises(UsageError, match=r"no\."):
        learned.add(BASE, "countdown", broken, {})
    assert learned.find("smollm2-135m+countdown") == before
    assert not list(models_dir().glob("*.tmp"))


def test_what_a_killed_process_left_is_cleared() -> None:
    left = models_dir() / "smollm2-135m+countdown.abc.tmp"
    left.mkdir()
    make()
    assert not left.exists()


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ModelError, match=r"cannot store smollm2-135m\+x in .*: No space left on"):
        learned.add(BASE, "x", full, {})
    assert learned.known() == []


def test_killed_between_the_file_and_its_note_it_is_absent() -> None:
    make()
    (models_dir() / "smollm2-135m+countdown.json").unlink()
    with pytest.raises(UsageError, match=r"there is no learned model smollm2-135m\+countdown"):
        learned.find("smollm2-135m+countdown")


@pytest.mark.parametrize(
    "name",
    ["", "..", "../x", "a/b", "A", "a b", "a+b", "a_b", "-a", "a.", "x.gguf", "é", "a\n", "a" * 65],
)
def test_names_that_are_no_names(name: str) -> None:
    with pytest.raises(UsageError, match="a learned model cannot be called"):
        learned.add(BASE, name, lambda path: path.touch(), {})
    assert learned.known() == []


def test_a_base_that_is_not_here() -> None:
    with pytest.raises(UsageError, match=r"qwen2.5-coder-0.5b is not on this machine: run `ponder"):
        learned.add("qwen2.5-coder-0.5b", "x", lambda path: path.touch(), {})


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"size": 7}', "[" * 100_000])
def test_a_note_that_cannot_be_read(note: str) -> None:
    make()
    (models_dir() / "smollm2-135m+countdown.json").write_text(note)
    assert learned.known() == []
    with pytest.raises(UsageError, match="there is no learned model"):
        learned.find("smollm2-135m+countdown")


def test_a_file_that_was_truncated(capsys: pytest.CaptureFixture[str]) -> None:
    make().path.write_bytes(b"wei")
    with pytest.raises(UsageError, match=r"is damaged: delete it with `ponder models rm smollm2"):
        learned.find("smollm2-135m+countdown")
    assert ponder(capsys, "models", "rm", "--yes", "smollm2-135m+countdown")[0] == 0
    assert learned.known() == []


def test_it_is_found_where_models_are_named() -> None:
    made, config = make(), Config()
    assert names.resolve("smollm2-135m+countdown", config) == made
    assert names.resolve(None, Config(model="smollm2-135m+countdown")) == made
    assert identity("smollm2-135m+countdown", config) == made.path.resolve()
    assert opening._label(made) == "smollm2-135m+countdown"
    assert _of_ponder("smollm2-135m+countdown")


def test_one_that_is_absent_is_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    make()
    said = (
        r"there is no learned model smollm2-135m\+puzzles; there is smollm2-135m\+countdown: "
        r"`ponder learn sft` makes one\.$"
    )
    with pytest.raises(UsageError, match=said):
        names.resolve("smollm2-135m+puzzles", Config())
    code, _, err = ponder(capsys, "solve", "2+2?", "--model", "smollm2-135m+puzzles")
    assert (code, "there is no learned model smollm2-135m+puzzles" in err) == (2, True)
    with pytest.raises(UnknownName, match=r"unknown model 'nothing\+puzzles'"):
        names.resolve("nothing+puzzles", Config())


def test_no_endpoint_takes_its_name() -> None:
    name = "smollm2-135m+countdown"
    taken = Config(endpoints={name: EndpointConfig(name, "http://localhost:1/v1", "m", {})})
    with pytest.raises(UsageError, match=r"has the name of a model of Ponder's: rename it"):
        names.resolve(name, taken)


def test_a_file_with_a_plus_in_its_path_is_a_file(tmp_path: Path) -> None:
    for name in ("smollm2-135m+own.gguf", "other+own.gguf"):
        (tmp_path / name).touch()
        assert isinstance(names.resolve(str(tmp_path / name), Config()), names.GgufFile)
    with pytest.raises(UsageError, match=r"there is no file smollm2-135m\+own.gguf"):
        names.resolve("smollm2-135m+own.gguf", Config())


def test_references_and_levels_take_the_plus() -> None:
    name = "qwen2.5-coder-0.5b+countdown"
    assert parse(name).text == name
    assert str(parse(f"direct@{name}")) == f"direct@{name}"
    assert parse(f"judge({name}, k=5)").args[0].text == name
    assert spelled(f"judge:{name}").args[0].text == name
    assert f"{name}:high" in listed([name])
    assert Served(Engine(Config()), [name]).split(f"{name}:high") == (name, "high")


def test_a_configuration_and_a_pool_s_header_take_the_plus(tmp_path: Path) -> None:
    made = make()
    (tmp_path / "ponder.toml").write_text(f'[default]\nmodel = "{made.full_name}"\n')
    assert names.resolve(None, load()) == made
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"pool": FORMAT, "model": made.full_name}) + "\n")
    assert Pool(pool).header.models == (made.full_name,)


def test_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    made = make()
    code, out, _ = ponder(capsys, "models", "list", "--json")
    (row,) = (row for row in json.loads(out) if row["name"] == made.full_name)
    assert (code, row["state"], row["base"], row["card"]) == (0, "ready", BASE, CARD)
    assert (row["parameters"], row["licence"]) == (134_515_008, "Apache-2.0")
    assert made.full_name in ponder(capsys, "models", "list")[1]
    assert ponder(capsys, "models", "path", made.full_name)[:2] == (0, f"{made.path}\n")
    code, out, _ = ponder(capsys, "models", "show", made.full_name, "--json")
    shown = json.loads(out)
    assert (shown["learned from"], shown["facts"]["parameters"]["value"]) == (BASE, 134_515_008)
    code, _, err = ponder(capsys, "models", "pull", made.full_name)
    assert (code, "is made on this machine" in err) == (2, True)
    working = learned.working_folder(made.path)
    working.mkdir()
    code, _, err = ponder(capsys, "models", "rm", "--yes", made.full_name)
    assert (code, "are free again" in err, f"{working} stays" in err) == (0, True, True)
    assert not made.path.exists()
    assert working.is_dir()
    code, _, err = ponder(capsys, "models", "rm", "--yes", made.full_name)
    assert (code, "there is no learned model" in err) == (2, True)


def test_a_list_survives_a_base_that_the_catalogue_lost(capsys: pytest.CaptureFixture[str]) -> None:
    make()
    for suffix in (".gguf", ".json"):
        path = models_dir() / f"smollm2-135m+countdown{suffix}"
        path.rename(models_dir() / f"older+countdown{suffix}")
    note = models_dir() / "older+countdown.json"
    note.write_text(note.read_text().replace(f'"base": "{BASE}"', '"base": "older"'))
    assert "older+countdown" in ponder(capsys, "models", "list")[1]
