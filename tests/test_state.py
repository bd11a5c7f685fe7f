"""No module keeps state of a process: what lasts belongs to an engine, and constants are constant.

A module may not hold a lock, an empty container to be filled, an object that owns processes, or a
name that a function assigns to or fills. A cache of a pure function is no such state; the caches
are listed, so that a new one is thought about.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ponder

SOURCE = Path(ponder.__file__).parent
OWNERS = frozenset({
    "local", "Lock", "RLock", "Condition", "Semaphore", "Event", "Queue", "SimpleQueue", "Thread",
    "ThreadPoolExecutor", "Engine", "Journal", "Store", "Reader", "Worker", "MathWorker",
    "SchemaWorker", "Sandboxes", "Tools", "Confined", "ClientSession", "WeakKeyDictionary",
    "WeakValueDictionary", "WeakSet",
})  # fmt: skip
CONTAINERS = frozenset({"dict", "list", "set", "OrderedDict", "defaultdict", "deque", "Counter"})
FILLING = frozenset({
    "append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "clear",
    "remove", "discard",
})  # fmt: skip
CACHES = frozenset({
    "answers.choices._correct",
    "answers.choices._label",
    "answers.choices._leading",
    "answers.equivalence._quick_math_key",
    "answers.schemas._validator",
    "answers.symbolic._point",
    "cli.tree.page._files",
    "cli.tree.page._read",
    "core.collecting.collect.collect",
    "core.collecting.collect.needed",
    "core.record.effects._common",
    "core.record.effects.digest",
    "core.problem._instructed",
    "core.text.refs._parsed",
    "core.trace._order",
    "experiments.suites.grading.gym._tasks",
    "planning.climbing.shipped",
    "planning.difficulty.shipped",
    "planning.thinkers.shipped",
    "policies.stopping.leads",
    "policies.value._new",
    "policies.value._ways",
    "sandbox.process.python",
    "strategies.knobs.knobs",
    "util.sqlite._made_by",
    "verifiers.checkers._loaded",
})  # fmt: skip


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def last(node: ast.expr) -> str:
    """The last name of 'threading.Lock' or 'dict[str, int]'."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Names that a statement of a module gives a value, and the value."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield last(statement.target), statement.value
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield last(target), statement.value


def is_state(value: ast.expr) -> bool:
    """True for what is made to be filled, held or closed."""
    if isinstance(value, ast.Dict | ast.List | ast.Set):
        return not (value.keys if isinstance(value, ast.Dict) else value.elts)
    if not isinstance(value, ast.Call):
        return False
    made = last(value.func)
    return made in OWNERS or (made in CONTAINERS and not value.args)


def filled(tree: ast.Module, names: set[str]) -> Iterator[str]:
    """Names of the module that one of its functions assigns to or fills."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        own = {
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        own |= {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield from node.names
                continue
            where: ast.expr | None = None
            if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
                where = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                where = node.func.value if node.func.attr in FILLING else None
            if isinstance(where, ast.Name) and where.id in names - own:
                yield where.id


def state(source: str) -> set[str]:
    """Names of a module that hold state."""
    tree = ast.parse(source)
    pairs = [pair for statement in tree.body for pair in assigned(statement)]
    found = {name for name, value in pairs if is_state(value)}
    return found | set(filled(tree, {name for name, _ in pairs}))


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=name_of)
def test_no_module_holds_state(path: Path) -> None:
    assert state(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    "source",
    [
        "X: dict[str, int] = {}",
        "X = threading.local()",
        "X = MathWorker()  # one for the process",
        "X = OrderedDict[str, int]()",
        "X = False\ndef permit():\n    global X\n    X = True",
        "X = {'a': 1}\ndef f(b):\n    X[b] = 2",
        "X = [1]\nclass A:\n    def f(self):\n        X.append(2)",
    ],
)
def test_state_is_found(source: str) -> None:
    assert state(source) == {"X"}


@pytest.mark.parametrize(
    "source",
    [
        "X = {'a': 1}",
        "X = dict(zip(names, values))",
        "X = re.compile('a')",
        "X = [1]\ndef f(X):\n    X.append(2)",
        "X = frozenset()",
    ],
)
def test_constants_are_none(source: str) -> None:
    assert state(source) == set()


def test_every_cache_is_known() -> None:
    found = {
        f"{name_of(path)}.{node.name}"
        for path in SOURCE.rglob("*.py")
        if "cache" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if any(
            last(d.func if isinstance(d, ast.Call) else d) in ("cache", "lru_cache")
            for d in node.decorator_list
        )
    }
    assert found == CACHES
