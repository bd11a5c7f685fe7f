"""HumanEval (Chen 2021): complete a function. The gold is ``test`` and ``entry_point``.

The examples of the docstring are public: those whose result is a literal become ``Problem.tests``.
The part of the prompt before the function (imports, helpers) is run before the answer, and an
answer that is only a body completes the prompt, as in the original.
"""

from __future__ import annotations

from ponder.core.problem import AssertTests
from ponder.experiments.suites.base import FileSuite, Item, ask
from ponder.experiments.suites.grading.gold import HiddenTests
from ponder.experiments.suites.rows import Row
from ponder.verifiers.execution.examples import examples


def item(row: Row) -> Item:
    """Return the item of one row."""
    prompt, name = row.text("prompt"), row.text("entry_point")
    before, definition, _ = prompt.rpartition(f"def {name}(")
    if not definition:
        raise row.refusal("prompt", f"a text that defines {name}")
    shown = public_tests(prompt, name)
    question = f"Complete this Python function.\n\n```python\n{prompt.strip()}\n```"
    return Item(
        row.text("task_id").lower(),
        ask(question, "code", tests=AssertTests(shown, name, before, prompt) if shown else None),
        HiddenTests(
            row.tests(f"{row.text('test')}\n\ncheck({name})\n", name), name, before, prompt
        ),
    )


def public_tests(prompt: str, name: str) -> str:
    """Return the examples in the prompt's docstring, as one assertion a line."""
    return examples(prompt, name)


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
