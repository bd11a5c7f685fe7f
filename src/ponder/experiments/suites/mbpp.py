"""MBPP, sanitized (Austin 2021): write a function. The gold is ``test_list``.

The paper shows all three assertions in the prompt. Here the prompt shows the first one, which
gives the function's name and signature and is also ``Problem.tests``; the others stay hidden, and
an answer is graded on all three. Accuracy is therefore a little below that of the paper's setting.
"""

from __future__ import annotations

import ast
import builtins

from ponder.answers.equivalence import parse_python
from ponder.core.problem import AssertTests
from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import HiddenTests
from ponder.experiments.suites.rows import Row


def item(row: Row) -> Item:
    """Return the item of one row."""
    tests, imports = row["test_list"], row["test_imports"]
    for column, value in (("test_list", tests), ("test_imports", imports)):
        if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
            raise row.refusal(column, "a list of Python lines")
    if not tests:
        raise row.refusal("test_list", "at least one assertion")
    question = (
        f"{row.text('prompt').strip()}\n\nYour code must pass this test:\n\n"
        f"```python\n{tests[0].strip()}\n```"
    )
    name = tested(tests[0])
    shown = row.tests("\n".join((*imports, tests[0])), name)
    return Item(
        f"mbpp/{row.text('task_id')}",
        ask(question, "code", tests=AssertTests(shown, name)),
        HiddenTests(row.tests("\n".join((*imports, *tests)), name), name),
    )


def tested(assertion: str) -> str:
    """Return the first function that an assertion calls, preferably not a builtin."""
    tree = parse_python(assertion)
    called = [
        node.func.id
        for node in (ast.walk(tree) if tree else ())
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    return next((n for n in called if not hasattr(builtins, n)), called[0] if called else "")


SUITE = FileSuite(
    "mbpp",
    "write a short Python function (sanitized)",
    "google-research/mbpp",
    "CC-BY-4.0",
    ("mbpp/sanitized-mbpp.json",),
    "hidden tests, run confined",
    427,
    item,
)
