"""HumanEval (Chen 2021): complete a function. The gold is ``test`` and ``entry_point``.

The examples of the docstring are public: those that a doctest writes become ``Problem.tests``.
What stands before the function in the prompt (imports, helpers) is run before the answer, and an
answer that is a body alone completes the prompt, as in the original.
"""

from __future__ import annotations

import ast
import doctest

from ponder.experiments.gold import HiddenTests
from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.rows import Row
from ponder.verifiers.equivalence import parse_python


def item(row: Row) -> Item:
    """One row."""
    prompt, name = row.text("prompt"), row.text("entry_point")
    before, definition, _ = prompt.rpartition(f"def {name}(")
    if not definition:
        raise row.refusal("prompt", f"a text that defines {name}")
    question = f"Complete this Python function.\n\n```python\n{prompt.strip()}\n```"
    return Item(
        row.text("task_id").lower(),
        ask(question, "code", tests=public_tests(prompt, name)),
        HiddenTests(f"{row.text('test')}\n\ncheck({name})\n", name, before, prompt),
    )


def public_tests(prompt: str, name: str) -> str:
    """The docstring's ``>>>`` examples whose result is a literal, as one assertion a line."""
    tree = parse_python(prompt)
    defined = tree.body if tree else []
    docstrings = [
        ast.get_docstring(node) or ""
        for node in defined
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    tests = []
    for text in docstrings:
        try:
            examples = doctest.DocTestParser().get_examples(text)
        except ValueError:  # not quite a doctest
            continue
        for example in examples:
            source, result = example.source.strip(), example.want.strip()
            if name in source and "\n" not in source and _is_literal(result):
                tests.append(f"assert {source} == {result}")
    return "\n".join(tests)


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


SUITE = FileSuite(
    "humaneval",
    "complete a Python function",
    "openai/human-eval",
    "MIT",
    ("humaneval/HumanEval.jsonl.gz",),
    "hidden tests, run confined",
    164,
    item,
)
