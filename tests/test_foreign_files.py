"""Files of other programs, and damaged ones of ours: one sentence, and not a byte changed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ponder.core.errors import PonderError, UsageError
from ponder.experiments.evals.store import Store
from ponder.experiments.pools.file import Pool
from ponder.models import config
from ponder.models.gguf import tensors as gguf
from ponder.runtime.journal import Journal
from ponder.server.live.kept import Records
from ponder.server.responses.store import Store as Responses
from ponder.util import sqlite as database
from ponder.verifiers.human.verifier import Queue
from ponder.verifiers.learned.scorer import load
from tests.support import fuzz

DATABASES: dict[str, Callable[[Path], object]] = {
    "journal": Journal,
    "store": lambda path: Store(path, make=True),
    "queue": Queue,
    "records": Records,
    "responses": lambda path: Responses(path, 60),
}
TEXTS: dict[str, Callable[[Path], object]] = {
    "pool": lambda path: list(Pool(path)),
    "learned": load,
    "toml": lambda path: config._read(path, trusted=True),
    "gguf": gguf.needs_rewrite,
}


def refused(use: Callable[[Path], object], path: Path) -> str:
    """What the UsageError says."""
    with pytest.raises(UsageError) as error:
        use(path)
    said = str(error.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert str(path) in said
    return said


# Databases ----------------------------------------------------------------------------------------

FOREIGN = {
    "another program's table": "create table moz_places (id integer primary key, url text)",
    "another program's table of the same name": "create table runs (id integer, distance real)",
    "its format": "pragma user_version = 97; create table x (y)",
    "its owner": "pragma application_id = 252006674",
    "a view": "create view runs as select 1 as id; create view calls as select 2 as run",
    "a virtual table": "create virtual table items using fts5(text)",
}
SPOILT = {
    "a trigger": "create trigger t after insert on {table} begin select 1; end",
    "a view beside": "create view v as select * from {table}",
    "an index": "create index i on {table} ({column})",
    "a column less": "alter table {table} drop column {plain}",
    "a column more": "alter table {table} add column more text",
    "a column of another name": "alter table {table} rename column {plain} to other",
    "a table less": "drop table {table}",
    "a later format": "pragma user_version = 98",
    "another owner": "pragma application_id = 7",
}
TABLES = {
    "journal": ("runs", "id", "result"),
    "store": ("outcomes", "run", "usd"),
    "queue": ("items", "key", "left"),
    "records": ("owners", "run", "key"),
    "responses": ("responses", "id", "events"),
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("name", DATABASES)
def test_another_programs_database_is_left_alone(name: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "other.sqlite"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FOREIGN[what])
    before = path.read_bytes()
    refused(DATABASES[name], path)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("what", SPOILT)
@pytest.mark.parametrize("name", DATABASES)
def test_tables_that_are_not_as_we_make_them_are_refused(
    name: str, what: str, tmp_path: Path
) -> None:
    if (name, what) == ("store", "a later format"):
        pytest.skip("a store's format is in a table")
    if (name, what) == ("responses", "a table less"):
        pytest.skip("without its only table it is an empty file")
    path = tmp_path / "ours.sqlite"
    path.write_bytes(fuzz.READERS[name].sound[0](tmp_path))
    table, column, plain = TABLES[name]
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SPOILT[what].format(table=table, column=column, plain=plain))
        db.execute("pragma wal_checkpoint(truncate)")
    before = path.read_bytes()
    refused(DATABASES[name], path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_in_use_by_its_program_is_left_alone(name: str, tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma journal_mode=wal")
        db.execute("create table notes (text)")  # in the log alone
        db.commit()
        before, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
        refused(DATABASES[name], path)
        assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == (before, log)


@pytest.mark.parametrize("name", DATABASES)
def test_whatever_is_no_database_is_left_alone(name: str, tmp_path: Path) -> None:
    sound = fuzz.READERS[name].sound[0](tmp_path)
    cases = {
        "text": b"this is no database\n" * 300,
        "magic": sound[:16],
        "header": sound[:100],
        "half": sound[: len(sound) // 2],
        "zeros": sound[:100] + bytes(len(sound) - 100),
        "page size": sound[:16] + b"\0\3" + sound[18:],
        "pages": sound[:28] + b"\xff\xff\xff\x7f" + sound[32:],
        "first page": sound[:100] + b"\xff" * 900 + sound[1000:],
    }
    for case, content in cases.items():
        path = tmp_path / case
        path.write_bytes(content)
        with suppress(PonderError):
            fuzz.READERS[name].read(path)
            assert case == "pages"  # which SQLite mends when it reads
        assert path.read_bytes() == content, case


@pytest.mark.parametrize("name", DATABASES)
def test_a_bit_in_each_page_is_a_sentence_or_no_matter(name: str, tmp_path: Path) -> None:
    sound = fuzz.READERS[name].sound[0](tmp_path)
    path = tmp_path / "flipped.sqlite"
    for start in range(0, len(sound), 512):
        flipped = bytearray(sound)
        flipped[start + start // 512 % 16] ^= 0x81
        path.write_bytes(flipped)
        with suppress(PonderError):
            fuzz.READERS[name].read(path)
        assert path.read_bytes() == flipped


@pytest.mark.parametrize("side", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("name", DATABASES)
def test_what_stands_beside_it_can_neither_hang_nor_lead_away(
    name: str, side: str, tmp_path: Path
) -> None:
    path, beside = tmp_path / "ours.sqlite", tmp_path / f"ours.sqlite{side}"
    path.write_bytes(fuzz.READERS[name].sound[0](tmp_path))
    os.mkfifo(beside)
    assert f"{beside.name} beside it is not a regular file" in refused(DATABASES[name], path)
    beside.unlink()
    beside.mkdir()
    refused(DATABASES[name], path)
    beside.rmdir()
    beside.symlink_to(tmp_path / "elsewhere")
    refused(DATABASES[name], path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", DATABASES)
def test_a_log_of_noise_is_no_matter(name: str, tmp_path: Path) -> None:
    path = tmp_path / "ours.sqlite"
    path.write_bytes(fuzz.READERS[name].sound[0](tmp_path))
    Path(f"{path}-wal").write_bytes(b"noise" * 4000)
    fuzz.READERS[name].read(path)


@pytest.mark.parametrize("name", [*DATABASES, *TEXTS])
def test_pipes_devices_and_folders_are_refused_at_once(name: str, tmp_path: Path) -> None:
    use = {**DATABASES, **TEXTS}[name]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/null"), Path("/dev/zero")):
        refused(use, path)


@pytest.mark.parametrize("name", DATABASES)
def test_a_locked_file_is_waited_for_and_then_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.0)
    path = tmp_path / "ours.sqlite"
    path.write_bytes(fuzz.READERS[name].sound[0](tmp_path))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("pragma locking_mode=exclusive")
        db.execute("begin exclusive")
        assert "locked" in refused(DATABASES[name], path)


def test_a_value_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "VALUE_LIMIT", 1 << 16)
    path = tmp_path / "journal.sqlite"
    path.write_bytes(fuzz.journal(tmp_path))
    with closing(sqlite3.connect(path)) as db:
        db.execute("update runs set spec = ?", ("x" * (1 << 17),))
        db.commit()
    refused(fuzz.read_journal, path)


def test_pages_that_lead_to_each_other_end_at_once(tmp_path: Path) -> None:
    """A tree of pages whose branches all lead to one page: it has more rows than it has bytes."""
    path = tmp_path / "journal.sqlite"
    book = Journal(path)
    for _ in range(200):
        book.create({"x": "y" * 1000})
    book.close()
    data = bytearray(fuzz._rested(path))
    size = int.from_bytes(data[16:18], "big")
    inner = [i for i in range(size, len(data), size) if data[i] == 5]  # a table's inner page
    assert inner
    for start in inner:
        cells = int.from_bytes(data[start + 3 : start + 5], "big")
        first = data[start + 12 : start + 14]
        for cell in range(cells):
            data[start + 12 + 2 * cell : start + 14 + 2 * cell] = first
    path.write_bytes(data)
    assert "it is damaged" in refused(Journal, path)
    assert path.read_bytes() == data


RECORDS = {
    "a list": "[1, 2]",
    "a path": '["a/b", {}, null, "x", null]',
    "neither": '["0", {"effect": "steer", "traces": []}, null, null, null]',
    "an effect": '["0", {"effect": "run"}, null, "x", null]',
    "a score": '["0", {"effect": "verify", "verifier": "v", "traces": ["0"]}, [{"value": NaN, '
    '"verifier": ""}], null, null]',
    "a huge number": f'["0", {{"effect": "steer", "traces": []}}, null, "x", [{"9" * 400}]]',
    "nesting": "[" * 200 + "]" * 200,
    "costs": '["0", {"effect": "steer", "traces": []}, null, "x", ["", "", -1, 0, 0, 0, 0, 0, 0, 0,'
    " 0]]",
}


def spoilt(folder: Path, sql: str, *values: object) -> Path:
    """A journal with one thing written into it."""
    path = folder / "spoilt.sqlite"
    path.write_bytes(fuzz.journal(folder))
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql, values)
        db.commit()
        db.execute("pragma wal_checkpoint(truncate)")
    return path


@pytest.mark.parametrize("what", RECORDS)
def test_a_call_that_is_none_is_named(what: str, tmp_path: Path) -> None:
    path = spoilt(tmp_path, "update calls set record = ? where seq = 3", RECORDS[what])
    said = refused(fuzz.read_journal, path)
    assert "is damaged: call 3:" in said


def circle(folder: Path, *parents: str) -> Path:
    """A journal whose samples go on from these."""
    path = spoilt(folder, "delete from calls where seq > 1")
    with closing(sqlite3.connect(path)) as db:
        for seq, parent in enumerate(parents):
            [[text]] = db.execute("select record from calls where seq = ?", (seq,))
            record = json.loads(text)
            record[2]["parent"] = parent
            db.execute("update calls set record = ? where seq = ?", (json.dumps(record), seq))
        db.commit()
        db.execute("pragma wal_checkpoint(truncate)")
    return path


@pytest.mark.parametrize("parents", [("0.1", "0.0"), ("0.0", "0.0"), ("", "0.1"), ("0.1", "")])
def test_samples_that_go_on_from_each_other_are_refused(
    parents: tuple[str, str], tmp_path: Path
) -> None:
    assert "continues a later one" in refused(fuzz.read_journal, circle(tmp_path, *parents))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("created", "yesterday"), ("created", 1e300), ("created", -1), ("created", b"\0"),
        ("state", "unheard of"), ("spec", "[]"), ("spec", b"{}"), ("spec", "{"),
        ("worker", b"\xff"), ("result", "3"), ("result", '{"receipt": {}}'),
        ("result", '{"answer": 4}'), ("id", b"x"), ("id", None),
    ],
)  # fmt: skip
def test_a_run_that_is_none_is_named(column: str, value: object, tmp_path: Path) -> None:
    path = spoilt(tmp_path, f"update runs set {column} = ? where state = 'done'", value)
    assert "is damaged: " in refused(fuzz.read_journal, path)


@pytest.mark.parametrize("worker", ["0@here", "-1@here", "x@here", "99999999999@here", "٣@here"])
def test_a_process_that_can_be_none_is_gone(worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ponder.util.worker import gone

    monkeypatch.setattr("platform.node", lambda: "here")
    assert gone(worker)


# Files of text ------------------------------------------------------------------------------------

HUGE = "1" + "0" * 400
NESTED = "[" * 300 + "]" * 300
UNREADABLE: list[tuple[str, str]] = [
    ("toml", "[engine]\nthreads = 1e400"),
    ("toml", "[engine]\ncache_gb = 1e-999999999999"),
    ("toml", "[endpoints.x]\nbase_url = 'http://h'\nmodel = 'm'\ntimeout = " + HUGE),
    (
        "toml",
        "[endpoints.x]\nbase_url = 'http://h'\nmodel = 'm'\nprice = {input = 1e99, output = 1}",
    ),
    ("toml", "a = " + "[" * 3000 + "]" * 3000),
    ("toml", "x = " + "9" * 5000),
    ("toml", "[endpoints.x]\nbase_url = 'http://127.0.0.1:2375/containers/create?'\nmodel = 'm'"),
    ("toml", "[endpoints.x]\nbase_url = 'http://127.0.0.1:99999'\nmodel = 'm'"),
    ("toml", "\udcff"),
    ("toml", "#" * (1 << 21)),
    ("learned", NESTED),
    ("learned", '{"ponder_learned": ' + HUGE + "}"),
    ("learned", '{"ponder_learned": 1, "features": ["missing:missing:agreement"]}'),
    ("learned", "null"),
    ("learned", " " * (17 << 20)),
    ("pool", '{"pool": 1, "merged": 5}\n'),
    ("pool", '{"pool": 1, "merged": [7]}\n'),
    ("pool", '{"pool": 1, "suite": ["gsm8k"]}\n'),
    ("pool", '{"problem_id": "a", "samples": [{"answer": "4", "tokens": ' + HUGE + "}]}\n"),
    ("pool", '{"problem_id": "a", "samples": [{"answer": "4", "score": 1e101}]}\n'),
    ("pool", '{"problem_id": "a", "samples": [], "x": ' + NESTED + "}\n"),
    ("pool", '{"problem_id": "a", "level": 1e999, "samples": []}\n'),
]


@pytest.mark.parametrize(("name", "content"), UNREADABLE)
def test_what_cannot_be_read_is_a_sentence(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content.encode(errors="surrogateescape"))
    refused(TEXTS[name], path)


def test_a_line_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ponder.experiments.pools.file.LINE_LIMIT", 100)
    path = tmp_path / "pool.jsonl"
    path.write_text('{"problem_id": "a", "samples": []' + " " * 100 + "}\n")
    refused(TEXTS["pool"], path)


COUNTS = [2**31, 2**32 - 1, 2**40, 2**60, 2**63, 2**64 - 1]


@pytest.mark.parametrize("count", COUNTS)
def test_counts_of_a_gguf_header_are_not_believed(count: int, tmp_path: Path) -> None:
    sound, number = fuzz.model(tmp_path), count.to_bytes(8, "little")
    path = tmp_path / "model.gguf"
    places = [8, 16, 24, sound.index(b"words") + 13, sound.index(b"deep") + 12]
    for at in places:
        path.write_bytes(sound[:at] + number + sound[at + 8 :])
        refused(TEXTS["gguf"], path)


def test_a_header_has_so_many_parts_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(fuzz.model(tmp_path))
    assert gguf.needs_rewrite(path) == []
    monkeypatch.setattr(gguf, "STEPS", 5)
    monkeypatch.setattr(gguf._Reader.__init__, "__defaults__", (0, 5))
    assert "has more than 5 parts" in refused(TEXTS["gguf"], path)


def test_arrays_within_arrays_end(tmp_path: Path) -> None:
    level = (9).to_bytes(4, "little") + (1).to_bytes(8, "little")
    field = (1).to_bytes(8, "little") + b"x" + (9).to_bytes(4, "little") + level * 5000
    counts = (3).to_bytes(4, "little") + bytes(8) + (1).to_bytes(8, "little")
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + counts + field)
    refused(TEXTS["gguf"], path)


def test_a_model_of_a_terabyte_of_nothing_ends(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    counts = (3).to_bytes(4, "little") + bytes(8) + (2**64 - 1).to_bytes(8, "little")
    with path.open("wb") as file:
        file.write(b"GGUF" + counts)
        file.truncate(1 << 40)
    refused(TEXTS["gguf"], path)


# All of them --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", fuzz.READERS)
def test_damage_of_any_kind_is_a_value_or_a_sentence(name: str, tmp_path: Path) -> None:
    found = fuzz.drive(name, 150, 1, tmp_path)
    assert found["read"] + found["refused"] == 150


def test_the_command_of_the_long_form_works() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.fuzz", "learned", "20"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert told.stdout.startswith("learned: {")
