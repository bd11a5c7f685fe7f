"""Damaged and foreign files, made of sound ones, for every reader of files.

``python -m tests.support.fuzz READER COUNT [SEED]`` drives one reader with that many files and says
how many it read, the longest time and the memory; any exception but a PonderError, and any change
of a file that was refused, ends it. READER is one of ``READERS``, or ``all``.
"""

from __future__ import annotations

import json
import random
import resource
import sqlite3
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ponder.cli.commands import runs
from ponder.cli.tree.picture import picture
from ponder.cli.views import runs as view
from ponder.core.costs.ledger import Item
from ponder.core.errors import PonderError
from ponder.core.problem import Message, Problem
from ponder.core.record.effects import Call, Generate, Sampling, Verify
from ponder.core.trace import Score, Trace
from ponder.experiments.evals import configurations
from ponder.experiments.evals.store import Outcome, Store, Stored
from ponder.experiments.pools.file import Pool
from ponder.experiments.pools.importing import Foreign, Options
from ponder.models import config
from ponder.models.gguf import metadata as openvino_file
from ponder.models.gguf import tensors as gguf
from ponder.planning.wishes import spec
from ponder.runtime.journal import Journal
from ponder.server.errors import ApiError
from ponder.server.live import kept
from ponder.server.responses import store as answered
from ponder.server.responses.items import messages
from ponder.util.worker import gone
from ponder.verifiers.human import verifier as human
from ponder.verifiers.learned.features import Agreement, Seen
from ponder.verifiers.learned.scorer import Scorer, Sigmoid, Steps, load

PROBLEM = Problem((Message("user", "What is six times seven?"),), "number")
ITEM = Item("generate", "m", 1, 0, 6, 2, 3, 1, 10, 20, 0.5)


# Sound files --------------------------------------------------------------------------------------


def _rested(path: Path) -> bytes:
    """The bytes of a database that nobody has open, without side files."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    return path.read_bytes()


def journal(folder: Path) -> bytes:
    """Two runs: a search with a continuation, scores and a loss; and a recording."""
    path = folder / "journal"
    book = Journal(path)
    asked = spec(PROBLEM, model="simulated", strategy="ab_mcts", verifier="mean_logprob")
    run = book.create(asked.to_json())
    empty = Trace.empty(PROBLEM)
    first = replace(empty, text="six", tokens=3, id="0.0", logprobs=(-0.5, -0.25, -1.0))
    second = replace(first, text="six \\boxed{42}", tokens=5, finish="stop", id="0.1", parent="0.0")
    for seq, (start, made) in enumerate([(empty, first), (first, second)]):
        effect = Generate(start, Sampling(), seq)
        book.note(run, seq, Call(made.id, effect, spent=ITEM), effect, made, None)
    scored = Verify((first, second), "mean_logprob")
    scores = (Score(0.5, "mean_logprob"), Score(None, "mean_logprob", "why"))
    book.note(run, 2, Call("0.2", scored), scored, scores, None)
    lost = Generate(second, Sampling(), 9)
    book.note(run, 3, Call("0.3", lost, spent=ITEM), lost, None, "no answer")
    total = {k: v for k, v in ITEM.to_json().items() if k not in ("role", "model")}
    ended = {"answer": "42", "confidence": 0.5, "stopped_by": "done", "chosen": "0.1"}
    book.finish(run, "done", {**ended, "receipt": {"items": [], "total": total}})
    book.create({"kind": "record", "suite": "gsm8k", "model": "m"})
    book.close()
    return _rested(path)


def store(folder: Path) -> bytes:
    """Two configurations with an outcome each."""
    path = folder / "store"
    made = Store(path, make=True)
    for name in ("a", "b"):
        made.declare(Stored(name, 1.0, name, "gsm8k", "m", 7, True, "", {"n": 8}))
        made.finish(name, Outcome("p0", 0, 1, "q", "", "done", "", "42", correct=True, usd=0.5))
    made.close()
    return _rested(path)


def queue(folder: Path) -> bytes:
    """One item that waits, and one that was judged."""
    path = folder / "queue"
    made = human.Queue(path)
    trace = replace(Trace.empty(PROBLEM), text="42", tokens=3, id="0", finish="stop")
    for text in ("42", "43"):
        item = human.item(PROBLEM, [replace(trace, text=text)])
        made.ask(item)
    made.judge(item.key, human.Judgement("choice", (1.0,), "good", "me", 1.0))
    return _rested(path)


def records(folder: Path) -> bytes:
    """Two owners, a request that is being answered, and one that was."""
    path = folder / "records"
    made = kept.Records(path)
    for run, name in (("a", "k"), ("b", "l")):
        made.own(run, "ann")
        made.claim(asked := kept.Repeatable("ann", name, "0" * 64))
        asked = made.started(asked, 0, run)
    made.answered(asked, kept.Kept(200, (("content-type", "text/plain"),), b"42"))
    del made
    return _rested(path)


def responses(folder: Path) -> bytes:
    """One response that has ended, and one in progress."""
    path = folder / "responses"
    made = answered.Store(path, 1e12)
    said = {
        "id": "a", "status": "completed", "background": True, "error": None, "created_at": 1,
    }  # fmt: skip
    events = [{"type": "response.created", "sequence_number": 0, "response": said}]
    turn = Message("user", "Hello")
    made.put(answered.Stored("a", "", said, [turn], events))
    queued, asked = {**said, "status": "queued"}, {"model": "m"}
    made.put(answered.Stored("b", "", queued, [turn], request="k", body=asked), works=True)
    made.close()
    return _rested(path)


def pool(folder: Path) -> bytes:
    """A header and two problems."""
    header = {"pool": 1, "model": "m", "suite": "gsm8k", "seed": 3, "parameters": 10,
              "merged": [{"seed": 1}]}  # fmt: skip
    sample = {"answer": "4", "correct": True, "score": {"s": 0.5}, "tokens": 9, "key": "n:4",
              "usd": 0.25, "verified": {"s": {"tokens": 3}}, "text": "four"}  # fmt: skip
    entries = [
        {"problem_id": f"p{i}", "gold": "4", "answer_type": "number", "level": 2,
         "samples": [sample, {**sample, "answer": None}]}
        for i in range(2)
    ]  # fmt: skip
    return "".join(json.dumps(line) + "\n" for line in (header, *entries)).encode()


def learned(folder: Path) -> bytes:
    """A scorer with a sigmoid."""
    names = ("agreement", "score:mean_logprob", "missing:score:mean_logprob")
    numbers = (0.5, 1.0, 2.0)
    made = Scorer(names, Agreement(), numbers, numbers, numbers, 0.5, Sigmoid(1.0, 0.5), "salt",
                  frozenset({"ab"}), {"models": ["m"]})  # fmt: skip
    return json.dumps(made.to_json()).encode()


def stepped(folder: Path) -> bytes:
    """A scorer with steps."""
    value = json.loads(learned(folder))
    return json.dumps({**value, "calibration": Steps((0.0, 1.0), (0.25, 0.75)).to_json()}).encode()


def toml(folder: Path) -> bytes:
    """A configuration with two endpoints."""
    return b"""[default]
model = "x"
effort = "high"
[engine]
threads = 2
cache_gb = 0.5
[endpoints.x]
base_url = "http://127.0.0.1:8000/v1"
model = "m"
timeout = 2.5
capabilities = ["seed", "stop"]
price = { input = 0.15, output = 6e-1 }
extra_body = { a = [1, { b = 2 }] }
[endpoints.y]
base_url = "https://h.example/v1"
model = "m"
key_env = "KEY"
"""


def grid(folder: Path) -> bytes:
    """Configurations of an evaluation."""
    return b"""suite = "gsm8k"
model = "simulated"
[knobs]
length = 100
[[configuration]]
strategy = "self_consistency"
knobs = { n = 4 }
budget = { tokens = 1e4 }
[[configuration]]
strategy = "direct"
seed = 3
"""


def model(folder: Path) -> bytes:
    """A GGUF file with texts, numbers, arrays within each other, and a tensor."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    fields = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.alignment") + struct.pack("<II", 4, 32),
        text("llama.block_count") + struct.pack("<If", 6, 2.0),
        text("words") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
        text("deep") + struct.pack("<IIQIQII", 9, 9, 1, 4, 2, 7, 8),
    ]
    tensor = text("output.weight") + struct.pack("<IQQIQ", 2, 32, 1, 8, 0)
    start = b"GGUF" + struct.pack("<IQQ", 3, 1, len(fields)) + b"".join(fields) + tensor
    return start.ljust(-(-len(start) // 32) * 32, b"\0") + bytes(34)


# Readers ------------------------------------------------------------------------------------------


def read_journal(path: Path) -> None:
    """All that ``ponder runs`` reads."""
    book = Journal(path)
    try:
        for row in book.runs():
            runs._summary(row)
            calls = book.calls(row.id)
            for call in calls:
                view._outcome(call)
            with suppress(PonderError):
                picture(runs._tree(book, row), "?")
    finally:
        book.close()


def read_store(path: Path) -> None:
    """All that ``ponder eval show`` reads."""
    held = Store(path)
    try:
        for one in held.configurations():
            json.dumps([asdict(one), *map(asdict, held.outcomes(one.id))], allow_nan=False)
    finally:
        held.close()


def read_queue(path: Path) -> None:
    """All that ``ponder review`` reads."""
    held = human.Queue(path)
    for item in held.waiting():
        assert sum(map(len, item.groups)) == len(item.candidates)
        assert held.judgement(item.key) is None
    for _, said in held.judged():
        assert said.detail


def read_records(path: Path) -> None:
    """All that a server reads."""
    held = kept.Records(path)
    for run in held.owned("ann", "", 9):
        held.owner(run)
    for name in ("k", "l"):
        if (asked := held.request("ann", name)) and asked.reply:
            assert 200 <= asked.reply.status < 600


def read_responses(path: Path) -> None:
    """As the server reads them."""
    held = answered.Store(path, 1e12)
    held.unfinished()
    for name in "ab":
        one = held.get(name, "")
        if one is not None:
            with suppress(ApiError):
                messages(None, [*one.conversation, Message("user", "x")])
            assert one.response["status"]
            gone(one.worker)
    held.close()


def read_pool(path: Path) -> None:
    """Strictly, with broken lines left out, and as a foreign file."""
    for way in (
        lambda: [e.to_json() for e in Pool(path)],
        lambda: [e.to_json() for e in Pool(path, skip_broken=True)],
        lambda: [str(Pool(path).header), Pool(path).header.seeds],
        lambda: list(map(str, Foreign(path, "map", Options({"answer": "gold"}), True))),
    ):
        json.dumps(_tried(way), allow_nan=False)


def read_learned(path: Path) -> None:
    """The file, and what it says of samples."""
    scorer = load(path)
    seen = [Seen("a", 5, scores={"mean_logprob": 1e100}), Seen(None), Seen("b", 7, True)]
    assert all(0 <= likely <= 1 for likely in scorer.probabilities(seen))
    assert isinstance(scorer.knows("p"), bool)


def read_toml(path: Path) -> None:
    """As the user's own configuration, as a project's, and as an evaluation's."""
    for way in (
        lambda: config._read(path, trusted=True),
        lambda: config._read(path, trusted=False),
        lambda: configurations.configurations(
            configurations.of_file(path, {})[1], "gsm8k", config.load()
        ),
    ):
        _tried(way)


def read_model(path: Path) -> None:
    """The header, as each of its readers takes it."""
    for way in (
        lambda: gguf.needs_rewrite(path),
        lambda: (lambda h: (h.shape, h.context, h.cached_values))(openvino_file.read_header(path)),
        lambda: openvino_file.can_load(path),
    ):
        _tried(way)


def _tried(way: Callable[[], object]) -> object:
    try:
        return way()
    except PonderError as error:
        _check_sentence(error)
        return None


def _check_sentence(error: PonderError) -> None:
    if not str(error).endswith((".", "?")) or "\n" in str(error).strip():
        raise AssertionError(f"no sentence: {error}") from error


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader, and the sound files that others are made of."""

    read: Callable[[Path], None]
    sound: Sequence[Callable[[Path], bytes]]
    database: bool = False


READERS = {
    "journal": Reader(read_journal, (journal,), True),
    "store": Reader(read_store, (store,), True),
    "queue": Reader(read_queue, (queue,), True),
    "records": Reader(read_records, (records,), True),
    "responses": Reader(read_responses, (responses,), True),
    "pool": Reader(read_pool, (pool,)),
    "learned": Reader(read_learned, (learned, stepped)),
    "toml": Reader(read_toml, (toml, grid)),
    "gguf": Reader(read_model, (model,)),
}


# Damage -------------------------------------------------------------------------------------------

WORDS = [
    b"NaN", b"-Infinity", b"1e400", b"1e-400", b"1" + b"0" * 400, b"-1", b"null", b"true", b'""',
    b"[]", b"{}", b"[" * 150 + b"]" * 150, b"{\"a\":" * 120 + b"1" + b"}" * 120, b'"\\ud800"',
    b"\xff\xfe", b"\x00", b"\x1b[2J", b'"\\u001b]0;x\\u0007"', b"18446744073709551615",
    b"9" * 5000, b"'", b'"', b",", b"=", b"\n", b"inf", b"nan", b"1979-05-27",
    b'"script:evil.py:f"',    b"[[[[", b"0x10", b"1_000", b'{"samples": 1}',
]  # fmt: skip
NUMBERS = [0, 1, 2**31, 2**32 - 1, 2**40, 2**60, 2**63, 2**64 - 1]


def damaged(sound: bytes, rng: random.Random, *, database: bool) -> bytes:
    """A file with one to four things wrong with it."""
    data = bytearray(sound)
    if not database and rng.random() < 0.5:
        return _replace_node(sound, rng)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(8):
            case 0 if data:
                data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data[at : at + rng.randint(0, 12)] = rng.choice(WORDS)
            case 3:
                data[at : at + 8] = struct.pack("<Q", rng.choice(NUMBERS))
            case 4:
                end = at + rng.randint(1, 64)
                data[at:at] = data[at:end] * rng.randint(1, 3)
            case 5:
                data[at : at + rng.randint(1, 64)] = b""
            case 6 if not database:
                _replace_token(data, rng)
            case _ if data:
                for _ in range(rng.randint(1, 9)):
                    data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _replace_token(data: bytearray, rng: random.Random) -> None:
    """Put another value in the place of one that stands after a colon, comma or equals sign."""
    starts = [i + 1 for i, byte in enumerate(data) if byte in b":,=["]
    if not starts:
        return
    at = rng.choice(starts)
    end = min((i for i in range(at, len(data)) if data[i] in b",]}\n"), default=len(data))
    data[at:end] = b" " + rng.choice(WORDS)


NODES: list[object] = [
    None, True, 0, -1, 2**63, 10**30, 10**299, 1e308, 1e-308, 1e51, 0.5, "", "x", "\ud800",
    "\x1b[2J", "script:evil.py:f", "score:script:evil.py:f", "0", "0.0", "0.1", "0.9", [], {},
    [1], {"a": 1}, [[[[1]]]], ["a", "b"], "a" * 5000, "generate", "verify", "steer", 253402300800.0,
]  # fmt: skip


def _replace_node(sound: bytes, rng: random.Random) -> bytes:
    """JSON, or lines of it, with another value, or none, somewhere; other files as ``damaged``."""
    lines = sound.split(b"\n")
    at = rng.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except ValueError:
        data = bytearray(sound)
        _replace_token(data, rng)
        return bytes(data)
    holder: list[object] = [value]
    inside: object = holder
    while isinstance(inside, dict | list) and inside:
        key = rng.choice(list(inside)) if isinstance(inside, dict) else rng.randrange(len(inside))
        outer, inside = inside, inside[key]
        if not isinstance(inside, dict | list) or not inside or rng.random() < 0.3:
            break
    if isinstance(outer, dict) and rng.random() < 0.2:
        del outer[key]
    elif isinstance(outer, dict) and rng.random() < 0.1:
        outer[rng.choice(["x", "", "\x1b", "kind"])] = rng.choice(NODES)
    else:
        outer[key] = rng.choice([*NODES, inside, [inside, inside], str(inside)])
    lines[at] = json.dumps(holder[0]).encode()
    return b"\n".join(lines)


VALUES: list[object] = [
    None, 0, -1, 2**63 - 1, 1e308, -1.5, "", "x", b"\x00\xff", "\x1b[31m", "[]", "{}", "null",
    "NaN", "9" * 400, "[" * 200, '{"a": 1}', '["0", {}, null, null, null]', '"x"', "1", "done",
    "running", "a" * 10_000, "0@host", "\ufffd",
]  # fmt: skip


def _replace_value(path: Path, rng: random.Random) -> None:
    """Put another value into a column, or into the JSON that one holds."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma foreign_keys=off")
        db.execute("pragma ignore_check_constraints=on")
        tables = [n for (n,) in db.execute("select name from sqlite_master where type = 'table'")]
        table = rng.choice(tables)
        column = rng.choice([row[1] for row in db.execute(f"pragma table_info({table})")])
        value = rng.choice(VALUES)
        held = db.execute(f"select {column} from {table} limit 1").fetchone()
        if held and isinstance(held[0], str) and rng.random() < 0.75:
            text = damaged(held[0].encode(), rng, database=False) if held[0] else b""
            value = text.decode(errors="replace")
        try:
            db.execute(f"update {table} set {column} = ?", (value,))
        except sqlite3.Error:
            return  # a constraint that the file itself keeps
        db.commit()
        db.execute("pragma wal_checkpoint(truncate)")


def drive(name: str, count: int, seed: int, folder: Path) -> Counter[str]:
    """Read that many damaged files; returns how many were read and how many refused.

    Raises:
        AssertionError: a file that was refused has changed.
        Exception: whatever a reader raises that is no PonderError.
    """
    reader, found = READERS[name], Counter[str]()
    path = folder / f"{name}-damaged"
    sound = [make(folder) for make in reader.sound]
    slowest = 0.0
    for number in range(count):
        rng = random.Random(f"{name} {seed} {number}")
        for side in ("", "-wal", "-shm", "-journal"):
            Path(f"{path}{side}").unlink(missing_ok=True)
        if reader.database and rng.random() < 0.5:
            path.write_bytes(rng.choice(sound))
            for _ in range(rng.randint(1, 2)):
                _replace_value(path, rng)
        else:
            path.write_bytes(damaged(rng.choice(sound), rng, database=reader.database))
        before, began = path.read_bytes(), time.perf_counter()
        try:
            reader.read(path)
            found["read"] += 1
        except PonderError as error:
            found["refused"] += 1
            _check_sentence(error)
            if path.read_bytes() != before:
                raise AssertionError(f"file {number} was changed") from error
        except BaseException as error:
            error.add_note(f"{name}, file {number} of seed {seed}")
            raise
        slowest = max(slowest, time.perf_counter() - began)
    found["slowest, in ms"] = round(1000 * slowest)
    return found


def main() -> None:
    """The command."""
    name, count = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    for one in READERS if name == "all" else [name]:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            found = drive(one, count, seed, Path(folder))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        seconds = time.perf_counter() - began
        sys.stdout.write(f"{one}: {dict(found)}, {seconds:.0f} s, {memory} MiB at most\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
