"""The tests that pytest and unittest would find in a source, as statements that run them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import product

from ponder.core.collecting.assertions import dotted
from ponder.core.collecting.rewriting import refuse_pytest
from ponder.core.errors import UsageError

Call = tuple[str, list[ast.stmt]]
"""The claim of a test, and the statements that run it."""
_SKIPS = frozenset(
    {"pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "unittest.skip",
     "unittest.skipIf", "unittest.skipUnless", "unittest.expectedFailure", "skip", "skipIf",
     "skipUnless", "expectedFailure"}
)  # fmt: skip
_CASE = "_ponder_case"


def framework_tests(
    tree: ast.Module, entry_point: str, asserting: frozenset[str], used: frozenset[str]
) -> list[Call]:
    """Return the tests of a source that the source does not run itself.

    ``used`` are the functions that it runs. pytest's decorators are removed.

    Raises:
        UsageError: a test needs a fixture, is asynchronous, or uses an unsupported pytest feature.
    """
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found: list[Call] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skipped, cases = _decorators(node)
            if skipped or node.name in used or node.name not in asserting:
                continue
            found += _function(node, cases, entry_point)
        elif isinstance(node, ast.ClassDef):
            found += _class(node, classes, asserting)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in ("setUpModule", "setup_module"):
            start = ast.parse(f"{node.name}()").body
            if found and not node.args.args:
                found[0] = (found[0][0], [*start, *found[0][1]])
    refuse_pytest(tree)
    return found


def _function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, cases: Sequence[_Cases], entry_point: str
) -> Iterator[Call]:
    required = _required(node.args, cases)
    is_test = node.name.startswith("test")
    if not is_test and not (len(required) == 1 and ("candidate" in required or node.name ==
                                                    "check")):  # fmt: skip
        return
    _refuse_async(node)
    if required and (required == ["candidate"] or not is_test):
        if not entry_point.isidentifier():
            raise UsageError(
                f"the tests define {node.name}({required[0]}) and never call it: expected a call, "
                f"or the function's name as `entry_point`; add `{node.name}(NAME)`."
            )
        yield f"{node.name}({entry_point})", ast.parse(f"{node.name}({entry_point})").body
        return
    _refuse_fixtures(node.name, required)
    yield from _calls(node.name, node.name, cases)


def _class(
    node: ast.ClassDef, classes: dict[str, ast.ClassDef], asserting: frozenset[str]
) -> Iterator[Call]:
    lineage = _lineage(node, classes)
    bases = [dotted(base) for kind in lineage for base in kind.bases]
    skipped, cases = _decorators(node)
    methods = _methods(lineage)
    is_case = any(base.rpartition(".")[2] == "TestCase" for base in bases)
    if any(base.rpartition(".")[2] == "IsolatedAsyncioTestCase" for base in bases):
        raise _asynchronous(node.name)
    if cases:
        raise UsageError(
            f"the tests parametrize the class {node.name}, which is not run here: expected "
            "parametrized functions; move the decorator to its methods."
        )
    if skipped or not (is_case or (node.name.startswith("Test") and "__init__" not in methods)):
        return
    for name, method in methods.items():
        if not name.startswith("test"):
            continue
        skipped, cases = _decorators(method)
        if skipped or name not in asserting:
            continue
        _refuse_async(method)
        claim = f"{node.name}.{name}"
        if is_case:
            run = f"{node.name}.setUpClass()\n{node.name}({name!r}).debug()\n"
            yield claim, ast.parse(f"{run}{node.name}.tearDownClass()").body
            continue
        _refuse_fixtures(claim, _required(method.args, cases)[1:])
        for said, body in _calls(claim, f"{_CASE}.{name}", cases):
            yield said, _fixed(node.name, methods, body)


def _fixed(owner: str, methods: dict[str, ast.FunctionDef], body: list[ast.stmt]) -> list[ast.stmt]:
    """Return a test of a class, with the calls that pytest makes before and after it."""
    lines = [f"{_CASE} = {owner}()"]
    for name in ("setup_class", "setup_method"):
        lines += [_hook(methods[name])] if name in methods else []
    made = ast.parse("\n".join(lines)).body
    after = [_hook(methods[n]) for n in ("teardown_method", "teardown_class") if n in methods]
    if not after:
        return [*made, *body]
    return [*made, ast.Try(body, [], [], ast.parse("\n".join(after)).body)]


def _hook(method: ast.FunctionDef) -> str:
    static = any(dotted(d) == "staticmethod" for d in method.decorator_list)
    more = len(method.args.args) > (0 if static else 1)
    return f"{_CASE}.{method.name}({'None' if more else ''})"


def _lineage(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """Return the class and its base classes in the same source, the nearest first."""
    found = [node]
    for kind in found:
        for base in kind.bases:
            parent = classes.get(dotted(base))
            if parent is not None and parent not in found:
                found.append(parent)
    return found


def _methods(lineage: Sequence[ast.ClassDef]) -> dict[str, ast.FunctionDef]:
    found: dict[str, ast.FunctionDef] = {}
    for kind in reversed(lineage):
        for node in kind.body:
            if isinstance(node, ast.AsyncFunctionDef):
                if node.name.startswith("test"):
                    raise _asynchronous(node.name)
            elif isinstance(node, ast.FunctionDef):
                found[node.name] = node
    return found


# Arguments ----------------------------------------------------------------------------------------

_Cases = tuple[list[str], ast.expr]
"""The parameters that a decorator gives, and the expression of their values."""


def _decorators(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
) -> tuple[bool, list[_Cases]]:
    """Remove pytest's decorators; return True if the test is skipped, and its parameters."""
    skipped, cases, kept = False, list[_Cases](), list[ast.expr]()
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        name = dotted(call.func if call else decorator)
        skipped = skipped or name in _SKIPS
        if name == "pytest.mark.parametrize" and call:
            cases.append(_parametrized(node.name, call))
        elif name == "pytest.fixture":
            skipped = True
            if call and any(k.arg == "autouse" for k in call.keywords):
                raise _fixture(node.name, node.name)
        elif name == "pytest.mark.usefixtures":
            raise _fixture(node.name, "usefixtures")
        elif not name.startswith("pytest.mark."):
            kept.append(decorator)
    node.decorator_list = kept
    return skipped, cases


def _parametrized(test: str, call: ast.Call) -> _Cases:
    given = {k.arg: k.value for k in call.keywords}
    names = call.args[0] if call.args else given.get("argnames")
    values = call.args[1] if len(call.args) > 1 else given.get("argvalues")
    if isinstance(names, ast.Constant) and isinstance(names.value, str):
        found = [name.strip() for name in names.value.split(",") if name.strip()]
    else:
        parts = names.elts if isinstance(names, ast.List | ast.Tuple) else []
        found = [str(p.value) for p in parts if isinstance(p, ast.Constant)]
    if not found or values is None or "indirect" in given or len(call.args) > 2:
        raise UsageError(
            f"the tests parametrize {test} in a way that is not run here: expected the names as a "
            "text and a list of values; write @pytest.mark.parametrize('a, b', [(1, 2)])."
        )
    return found, values


def _calls(claim: str, function: str, cases: Sequence[_Cases]) -> Iterator[Call]:
    """Yield one call for each combination of literal values; other values are looped over."""
    listed = [(n, v) for n, v in cases if isinstance(v, ast.List | ast.Tuple)]
    looped = [(n, v) for n, v in cases if not isinstance(v, ast.List | ast.Tuple)]
    for chosen in product(*([(n, e) for e in v.elts] for n, v in listed)):
        given = [_given(names, ast.unparse(_param(value))) for names, value in chosen]
        text = f"{function}({', '.join(part for parts in given for part in parts)}"
        shown = f"{claim}{text.removeprefix(function)})" if given else claim
        loops = []
        for number, (names, values) in enumerate(looped):
            loops.append(f"for _ponder_values_{number} in {ast.unparse(values)}:")
            parts = _given(names, f"_ponder_values_{number}")
            text += ("" if text.endswith("(") else ", ") + ", ".join(parts)
        lines = [" " * depth + loop for depth, loop in enumerate(loops)]
        lines.append(" " * len(loops) + text + ")")
        yield shown[:200], ast.parse("\n".join(lines)).body


def _param(value: ast.expr) -> ast.expr:
    if isinstance(value, ast.Call) and dotted(value.func) == "pytest.param":
        if any(k.arg != "id" for k in value.keywords):
            raise UsageError(
                "the tests mark a pytest.param, which is not run here: expected values alone; "
                "remove the mark, or the case."
            )
        return value.args[0] if len(value.args) == 1 else ast.Tuple(value.args, ast.Load())
    return value


def _given(names: Sequence[str], value: str) -> list[str]:
    if len(names) == 1:
        return [f"{names[0]}={value}"]
    tree = ast.parse(value, mode="eval").body
    if isinstance(tree, ast.Tuple | ast.List) and len(tree.elts) == len(names):
        return [f"{n}={ast.unparse(e)}" for n, e in zip(names, tree.elts, strict=True)]
    return [f"**dict(zip({list(names)!r}, {value}))"]


def _required(arguments: ast.arguments, cases: Sequence[_Cases]) -> list[str]:
    given = {name for names, _ in cases for name in names}
    places = [*arguments.posonlyargs, *arguments.args]
    last = len(places) - len(arguments.defaults)
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    names = [a.arg for a in places[:last]] + [a.arg for a, value in named if value is None]
    return [name for name in names if name not in given]


def _refuse_fixtures(test: str, names: Sequence[str]) -> None:
    if names:
        raise _fixture(test, names[0])


def _fixture(test: str, name: str) -> UsageError:
    return UsageError(
        f"the test {test} needs the fixture {name!r} of pytest, which is not run here: expected "
        "tests without fixtures; call what it needs within the test."
    )


def _refuse_async(node: ast.stmt) -> None:
    if isinstance(node, ast.AsyncFunctionDef):
        raise _asynchronous(node.name)


def _asynchronous(name: str) -> UsageError:
    return UsageError(
        f"the test {name} is asynchronous, which is not run here, for program and tests are two "
        "processes: expected plain functions; let the program run its own event loop."
    )
