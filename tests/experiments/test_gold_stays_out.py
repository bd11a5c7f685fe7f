"""The gold never reaches inference: walk everything that it can see, in real runs, and look.

What is walked: the session and problem that a strategy gets, the traces that come back, what a
verifier is asked, every call that passes the handlers, the model's requests, events, the result and
every byte of the journal.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import gzip
import json
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import ponder
from ponder.api import asolve
from ponder.core.budget import Budget
from ponder.core.problem import Problem
from ponder.core.record.effects import Call, Handler, Result, Sampling
from ponder.core.sessions.session import Session
from ponder.core.trace import Score, Trace
from ponder.experiments.pools.recording import Recording, journal_of, record
from ponder.experiments.suites.base import Item
from ponder.experiments.suites.grading import gym
from ponder.experiments.suites.grading.gold import Arithmetic, Gold, HiddenTests, Reference, Scored
from ponder.experiments.suites.registry import SUITES, find
from ponder.models.fakes.scripted import Scripted
from ponder.models.opening import Opened
from ponder.runtime import stack
from ponder.strategies import registry
from ponder.strategies.declaring import RUN, strategy
from ponder.verifiers import registry as verifiers
from ponder.verifiers.base import Facts

SECRET = "918273645"
"""Occurs in every gold below, in nothing else, and never by chance."""
HIDDEN = "CANARY"
"""Occurs in solutions and other columns that are nobody's business."""

_NOT_FOLLOWED = (
    types.ModuleType, type, types.FrameType, types.CodeType, types.CoroutineType,
    types.GeneratorType, types.AsyncGeneratorType, asyncio.AbstractEventLoop, asyncio.Future,
)  # fmt: skip


def reachable(*roots: object) -> list[object]:
    """Every object that code which holds ``roots`` can get at without frames and modules."""
    found: dict[int, object] = {}
    waiting: list[object] = list(roots)
    while waiting:
        thing = waiting.pop()
        if id(thing) in found or isinstance(thing, _NOT_FOLLOWED):
            continue
        found[id(thing)] = thing
        if isinstance(thing, types.FunctionType):
            waiting += [thing.__closure__, thing.__defaults__, thing.__kwdefaults__]
        else:
            waiting += gc.get_referents(thing)
    return list(found.values())


def leaves(things: Sequence[object]) -> str:
    """All texts, bytes and numbers among them."""
    kinds = (str, bytes, bytearray, int, float, Fraction)
    return "\n".join(
        thing.decode("utf-8", "replace") if isinstance(thing, bytes | bytearray) else str(thing)
        for thing in things
        if isinstance(thing, kinds)
    )


# A run that is watched everywhere -----------------------------------------------------------------


@dataclass
class Watching(Facts):
    """A verifier that keeps what it is asked."""

    seen: list[object]
    name: str = "watching"

    async def score(self, problem: Problem, traces: Sequence[Trace], session: Any) -> list[Score]:
        self.seen += [problem, traces]
        return [Score(0.5, self.name) for _ in traces]


@dataclass
class Run:
    """What a run let anybody see."""

    seen: list[object] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)

    def things(self) -> list[object]:
        return reachable(self.seen)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Problem], Any]:
    async def run(problem: Problem) -> Run:
        here = Run()

        @strategy("watches", verifier=RUN)
        async def spy(s: Session, problem: Problem) -> Trace:
            here.seen += [s, problem]
            traces = await s.sample(problem, 3)
            scores = await s.score(traces)
            here.seen += [traces, scores, await s.steer(traces), await s.grow(traces[0])]
            return s.best(zip(traces, scores, strict=True))[0]

        _watch(monkeypatch, here)
        monkeypatch.setitem(registry.STRATEGIES, "spy", spy)
        watching = verifiers.Kind(lambda argument: Watching(here.seen), "watches")
        monkeypatch.setitem(verifiers.KINDS, "watching", watching)
        model = Scripted(lambda request: "I cannot say.\n```python\nx = 1\n```\n\\boxed{Z}")
        book = tmp_path / "runs.sqlite"
        result = await asolve(
            problem,
            model=model,
            strategy="spy",
            verifier="watching",
            journal=book,
            on_event=here.seen.append,
        )
        assert len(model.requests) == 4
        here.seen += [model.requests, result, result.to_json()]
        here.seen += contents(tmp_path)
        return here

    return run


def contents(folder: Path) -> list[object]:
    """The journal's bytes."""
    return [path.read_bytes() for path in folder.glob("runs.sqlite*")]


def _watch(monkeypatch: pytest.MonkeyPatch, here: Run) -> None:
    """Whatever passes through any of the handlers is seen."""

    def through(inner: Handler) -> Handler:
        async def handle(call: Call) -> Result:
            here.seen.append(call)
            here.kinds.add(type(call.effect).__name__)
            result = await inner(call)
            here.seen += [call, result]
            return result

        return handle

    for name in ("steered", "budgeted", "recorded", "traced", "retried"):
        _wrap(monkeypatch, name, through)


def _wrap(
    monkeypatch: pytest.MonkeyPatch, name: str, through: Callable[[Handler], Handler]
) -> None:
    original = getattr(stack, name)

    def stacked(*arguments: Any, **options: Any) -> Handler:
        return through(original(*arguments, **options))

    monkeypatch.setattr(stack, name, stacked)


# Made-up rows, each with a gold that cannot be mistaken -------------------------------------------

_ASSERTS = f"assert f(2) == {SECRET}  # {HIDDEN}"
ROWS: dict[str, Any] = {
    "gsm8k": {"question": "How many?", "answer": f"{HIDDEN} <<1+1=2>>\n#### {SECRET}"},
    "gsm8k/train": {"question": "How many?", "answer": f"{HIDDEN}\n#### {SECRET}"},
    "math500": {
        "problem": "What?", "solution": HIDDEN, "answer": SECRET, "level": 3,
        "unique_id": "test/a/1.json",
    },
    "aime/2024": {"prompt": "What? In \\boxed{}.", "answer": int(SECRET)},
    "aime/2025": {"prompt": "What? In \\boxed{}.", "answer": int(SECRET)},
    "amc": {"id": 1, "problem": "What?", "answer": float(SECRET), "url": HIDDEN},
    "humaneval": {
        "task_id": "HumanEval/0", "prompt": 'def f(n):\n    """\n    >>> f(1)\n    1\n    """\n',
        "entry_point": "f", "canonical_solution": HIDDEN, "test": f"def check(f):\n    {_ASSERTS}",
    },
    "mbpp": [{
        "task_id": 2, "prompt": "Write f.", "code": HIDDEN, "test_imports": [],
        "test_list": ["assert f(1) == 1", _ASSERTS],
    }],
    "svamp": [{
        "ID": "c-1", "Body": "He has some", "Question": "How many?", "Equation": HIDDEN,
        "Answer": float(SECRET), "Type": HIDDEN,
    }],
    "multiarith": {"input": "How many?", "target": int(SECRET)},
    "game24": f"Rank,Puzzles,Solved rate\n1,4 5 6 10,{HIDDEN}{SECRET}",
    "countdown": {"input": "30,100,93", "output": "23", "solution": f"{HIDDEN}{SECRET}"},
    "bbh/object_counting": {"canary": HIDDEN, "examples": [{"input": "?", "target": SECRET}]},
}  # fmt: skip


def made(name: str, folder: Path) -> Item:
    """The item of a made-up row, read by the suite itself."""
    suite, row = SUITES[name], ROWS[name]
    [file] = suite.where
    path = folder / "data" / file
    path.parent.mkdir(parents=True)
    text = (row if isinstance(row, str) else json.dumps(row)).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    [item] = suite.load(folder / "data")
    return item


@pytest.mark.parametrize("name", ROWS)
async def test_what_inference_sees_does_not_hold_the_gold(
    name: str, tmp_path: Path, watched: Callable[[Problem], Any]
) -> None:
    item = made(name, tmp_path)
    golden = leaves(reachable(item.gold))
    assert (SECRET in golden) == (not isinstance(item.gold, Arithmetic))
    problem = item.problem
    del item
    run = await watched(problem)
    assert run.kinds == {"Generate", "Verify", "Steer"}
    things = run.things()
    assert not [thing for thing in things if isinstance(thing, Gold | Item)]
    told = leaves(things)
    assert SECRET not in told
    assert HIDDEN not in told
    # The walk has seen what it must: the question, the reply, a seed and the journal's bytes.
    assert problem.messages[-1].content in told
    assert "I cannot say." in told
    assert "SQLite format 3" in told
    assert {Problem, Trace, Call, Score} <= {type(thing) for thing in things}


async def test_files_gym_and_hub_do_not_let_it_out_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Callable[[Problem], Any]
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"question": "What?", "answer": SECRET, "why": HIDDEN}))
    entry = {"question": "What?", "answer": SECRET, "metadata": HIDDEN}
    monkeypatch.setattr(gym, "create", lambda task, options: [entry])
    for said in (str(path), "gym(any)"):
        [item] = find(said).load()
        assert SECRET in leaves(reachable(item.gold))
        told = leaves((await watched(item.problem)).things())
        assert SECRET not in told
        assert HIDDEN not in told


@pytest.mark.parametrize("name", ["gsm8k", "humaneval"])
async def test_a_recording_does_not_let_it_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who records a pool holds the gold, to grade with; what it asks of the world does not."""
    here, item = Run(), made(name, tmp_path)
    _watch(monkeypatch, here)
    model = Scripted(lambda request: "I cannot say.")
    plan = Recording(name, {0: item}, "m", 2, Sampling(8), Budget(), 0)
    await record(plan, tmp_path / "pool", opened=Opened(model))
    assert here.kinds == {"Generate"}
    journal = journal_of(tmp_path / "pool").read_bytes()
    things = reachable([here.seen, model.requests, journal])
    assert not [thing for thing in things if isinstance(thing, Gold | Item)]
    told = leaves(things)
    assert SECRET not in told
    assert HIDDEN not in told
    assert "I cannot say." in told
    assert "SQLite format 3" in told


def texts(value: Any) -> Iterator[str]:
    """Every text within a row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


@pytest.mark.parametrize("name", ["gsm8k", "math500", "humaneval", "mbpp"])
async def test_no_solution_and_no_hidden_test_of_a_real_suite_gets_in(
    data: Path, name: str, watched: Callable[[Problem], Any]
) -> None:
    [file] = SUITES[name].where
    raw = (data / file).read_bytes()
    text = (gzip.decompress(raw) if file.endswith(".gz") else raw).decode()
    rows = json.loads(text) if file.endswith(".json") else map(json.loads, text.splitlines())
    for row, item in list(zip(rows, find(name).load(data), strict=True))[:40:20]:
        asked = "\n".join(m.content for m in item.problem.messages)
        kept = [part for whole in texts(row) for part in whole.splitlines()]
        secret = [x.strip() for x in (*kept, *item.gold.secrets()) if len(x.strip()) > 12]
        secret = [x for x in secret if x not in asked and row.get("task_id") not in (x, 0)]
        secret = [x for x in secret if x not in (row.get("unique_id"), row.get("source_file"))]
        assert secret
        told = leaves((await watched(item.problem)).things())
        assert not [x for x in secret if x in told]


GOLDS = (
    Reference(SECRET, "text"),
    Arithmetic((1,), Fraction(int(SECRET))),
    HiddenTests(f"assert f() == {SECRET}"),
    Scored("t", (), 0, SECRET, "text"),
)


@pytest.mark.parametrize("gold", GOLDS, ids=lambda gold: type(gold).__name__)
def test_the_walk_would_find_it(gold: Gold) -> None:
    @dataclass(slots=True)
    class Slotted:
        inner: object

    def closure() -> object:
        return gold

    class Plain:
        def __init__(self) -> None:
            self.deep = [{"a": (Slotted(gold),)}]

        def method(self) -> None: ...

    for root in ([gold], closure, Slotted(gold), Plain(), Plain().method, lambda x=gold: x):
        things = reachable(root)
        assert any(thing is gold for thing in things), root
        assert SECRET in leaves(things)


# Who may import it --------------------------------------------------------------------------------


def test_nothing_below_experiments_imports_it() -> None:
    """import-linter's contract says so too; this also reads imports within functions."""
    root = Path(ponder.__file__).parent
    above, guilty = ("experiments", "learning", "cli"), []
    for path in root.rglob("*.py"):
        room = path.relative_to(root).parts[0]
        if room in above:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{a.name}" for a in node.names]
            rooms = tuple(f"ponder.{name}" for name in above)
            guilty += [(path, n) for n in names if n.startswith(rooms)]
    # `python -m ponder` is the command line.
    assert {path.name for path, _ in guilty} <= {"__main__.py"}
